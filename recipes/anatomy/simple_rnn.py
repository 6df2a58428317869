"""The simple recurrent network (Elman 1990) in NumPy, written for readability, not for speed.

    a<t> = tanh(x<t> Wax + a<t-1> Waa + ba)

The three weight arrays are the same at every step. In the backward pass, the gradient of a<t-1> is
that of a<t> multiplied by (1 - a<t>²), which is at most 1, and by Waa transposed. Over k steps,
these are k products. If they shrink the gradient, it vanishes exponentially in k; if they enlarge
it, it explodes (Bengio, Simard & Frasconi 1994).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from recipes.anatomy.cell import Array, Cache, Gradients, check_weights


def from_keras(arrays: Sequence[Array]) -> dict[str, Array]:
    """Names the weights of a `keras.layers.SimpleRNN` with tanh, from `layer.get_weights()`.

    Returns:
      float: `Wax` `(features, units)`, `Waa` `(units, units)`, `ba` `(units,)`.

    Raises:
      ZooError: the number of arrays is not three.
    """
    Wax, Waa, ba = check_weights(arrays)  # (features, units), (units, units), (units,)
    return {"Wax": Wax, "Waa": Waa, "ba": ba}


def to_keras(weights: dict[str, Array]) -> list[Array]:
    """Returns weights or gradients in Keras' order.

    Returns:
      float: kernel `(features, units)`, recurrent kernel `(units, units)`, bias `(units,)`.
    """
    return [weights["Wax"], weights["Waa"], weights["ba"]]


def forward(
    x: Array,
    weights: dict[str, Array],
    mask: Array | None = None,
    initial: Sequence[Array] | None = None,
) -> tuple[Array, tuple[Array, ...], Cache]:
    """Runs forward through time.

    Args:
      x: inputs, float `(batch, time, features)`.
      weights: from `from_keras`.
      mask: bool `(batch, time)`, False at padded steps; None: all steps are real.
      initial: `[a<0>]`, `(batch, units)`; None: zeros.

    Returns:
      The outputs, float `(batch, time, units)`; the last states `(a,)`; and the cache for
      `backward`, whose `steps` hold each step's quantities by name.
    """
    Wax, Waa, ba = weights["Wax"], weights["Waa"], weights["ba"]
    batch, time, _ = x.shape
    mask = np.ones((batch, time), bool) if mask is None else mask
    a = np.zeros((batch, len(ba)), x.dtype) if initial is None else initial[0]
    y = np.zeros_like(a)  # the output before the first real step
    outputs, steps = [], []
    for t in range(time):
        real = mask[:, t, np.newaxis]  # (batch, 1)
        a_prev = a  # (batch, units)
        a_new = np.tanh(x[:, t] @ Wax + a_prev @ Waa + ba)
        a = np.where(real, a_new, a_prev)
        y = np.where(real, a_new, y)
        outputs.append(y)
        steps.append({"a_prev": a_prev, "a": a_new})
    cache: Cache = {"x": x, "weights": weights, "mask": mask, "steps": steps}
    return np.stack(outputs, axis=1), (a,), cache


def backward(d_outputs: Array, cache: Cache, d_states: Sequence[Array] | None = None) -> Gradients:
    """Runs backward through time: the chain rule, from the last step to the first.

    Args:
      d_outputs: ∂L/∂outputs, float `(batch, time, units)`.
      cache: from `forward`.
      d_states: `[∂L/∂a]` of the last state, `(batch, units)`; None: L does not depend on it.
    """
    x, weights, mask = cache["x"], cache["weights"], cache["mask"]
    Wax, Waa = weights["Wax"], weights["Waa"]
    d = {name: np.zeros_like(value) for name, value in weights.items()}
    dx, through_time = np.zeros_like(x), np.zeros_like(d_outputs)
    da = np.zeros_like(d_outputs[:, 0]) if d_states is None else d_states[0]
    dy = np.zeros_like(da)
    for t in reversed(range(x.shape[1])):
        real, step = mask[:, t, np.newaxis], cache["steps"][t]
        dy = dy + d_outputs[:, t]  # including copies by later masked steps
        da = da + np.where(real, dy, 0)
        through_time[:, t] = da
        dz = np.where(real, da * (1 - step["a"] ** 2), 0)  # through tanh: (batch, units)
        d["Wax"] += x[:, t].T @ dz
        d["Waa"] += step["a_prev"].T @ dz
        d["ba"] += dz.sum(axis=0)
        dx[:, t] = dz @ Wax.T
        da = np.where(real, dz @ Waa.T, da)  # gradient of a<t-1>; masked steps copy a
        dy = np.where(real, 0, dy)
    return Gradients(dx, (da,), d, through_time)
