"""Where the replicas run: `tf.distribute` strategies by name, and precision."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Iterator

import keras
import tensorflow as tf

from zoo.config import PRECISIONS, STRATEGIES
from zoo.errors import UsageError, suggest


def make_strategy(name: str, batch_size: int) -> tf.distribute.Strategy:
    """Returns the strategy of that name.

    Replicas train what one device trains at the same global batch: `zoo.training.health` adds up
    their gradients before they are clipped.

    Args:
      name: `"auto"` mirrors over every visible GPU when there are several; `"none"` uses one
        device; `"mirrored"` mirrors over every GPU, or else over every logical CPU.
      batch_size: the global batch, of which each replica needs at least one row.

    Raises:
      UsageError: an unknown name, or a strategy that cannot work on this machine.
    """
    if name not in STRATEGIES:
        raise UsageError(f"Unknown strategy {name!r}.{suggest(name, STRATEGIES)}")
    gpus = tf.config.list_logical_devices("GPU")
    if name == "none" or (name == "auto" and len(gpus) < 2):
        return tf.distribute.get_strategy()
    devices = gpus or tf.config.list_logical_devices("CPU")
    if len(devices) < 2:
        raise UsageError(
            f"Strategy 'mirrored' needs at least two devices; this machine shows {len(devices)} "
            f"({devices[0].name}). Use --strategy auto."
        )
    if batch_size < len(devices):
        raise UsageError(
            f"batch_size is the global batch: {batch_size} rows cannot be shared by "
            f"{len(devices)} replicas. Raise --batch-size."
        )
    return _mirrored(tuple(device.name for device in devices))


@functools.cache
def _mirrored(devices: tuple[str, ...]) -> tf.distribute.Strategy:
    # One object a process: a second one would number its collective operations from the start
    # again, and TensorFlow 2.21 takes them for those of the first.
    return tf.distribute.MirroredStrategy(devices)


@contextlib.contextmanager
def dtype_policy(name: str) -> Iterator[None]:
    """Builds layers under a Keras dtype policy, and sets the old one back afterwards.

    Raises:
      UsageError: an unknown policy.
    """
    if name not in PRECISIONS:
        raise UsageError(f"Unknown precision {name!r}.{suggest(name, PRECISIONS)}")
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(name)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)
