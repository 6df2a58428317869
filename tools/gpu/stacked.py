"""What all programs share that train many networks at once, by JAX."""

from __future__ import annotations

import jax
from jax import Array


def device_name() -> str:
    """Returns the name of the device, such as `"one NVIDIA H200"` or `"a CPU"`."""
    device = jax.devices()[0]
    return "a CPU" if device.platform == "cpu" else f"one {device.device_kind}"


def along(values: Array, other: Array) -> Array:
    """Returns one value per network, `(members,)`, in the rank of arrays `(members, …)`."""
    return values.reshape(-1, *[1] * (other.ndim - 1))
