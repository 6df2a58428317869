"""Where the replicas run: `tf.distribute` strategies by name, and precision."""

from __future__ import annotations

import contextlib
import faulthandler
import functools
import os
from collections.abc import Iterator

import keras
import tensorflow as tf

from zoo.config import PRECISIONS, STRATEGIES
from zoo.errors import UsageError, ZooError, suggest
from zoo.training import workers


def make_strategy(name: str) -> tf.distribute.Strategy:
    """Returns the strategy of that name.

    Replicas train what one device trains at the same global batch: see `zoo.training.replicas`.

    Args:
      name: `"auto"` uses every GPU: of this machine, or of all workers where `TF_CONFIG` names
        several; `"none"` uses one device; `"mirrored"` mirrors over every GPU, or else over every
        logical CPU, of this machine; `"multiworker"` over all workers that `TF_CONFIG` or Slurm
        names, and their GPUs.

    Raises:
      UsageError: an unknown name, or a strategy that cannot work here.
      ZooError: other workers cannot be reached, or TensorFlow has been at work already.
    """
    if name not in STRATEGIES:
        raise UsageError(f"Unknown strategy {name!r}.{suggest(name, STRATEGIES)}")
    if name == "multiworker" or (name == "auto" and os.environ.get("TF_CONFIG")):
        found = workers.resolver()
        if name == "multiworker" and found is None:
            raise UsageError(
                "Strategy 'multiworker' finds neither TF_CONFIG nor Slurm's variables. On this "
                "machine, `zoo launch --workers 2 -- train …` starts workers that have them."
            )
        if name == "multiworker" or workers.size(found) > 1:
            return _join()
    gpus = tf.config.list_logical_devices("GPU")
    if name == "none" or (name == "auto" and len(gpus) < 2):
        return tf.distribute.get_strategy()
    devices = gpus or tf.config.list_logical_devices("CPU")
    if len(devices) < 2:
        raise UsageError(
            f"Strategy 'mirrored' needs at least two devices; this machine shows {len(devices)} "
            f"({devices[0].name}). Use --strategy auto."
        )
    return _mirrored(tuple(device.name for device in devices))


def check_batch_size(batch_size: int, strategy: tf.distribute.Strategy) -> None:
    """Makes sure that there is at least one row of a global batch for each replica.

    Raises:
      UsageError: there is not.
    """
    replicas = strategy.num_replicas_in_sync
    if batch_size < replicas:
        raise UsageError(
            f"batch_size is the global batch: {batch_size} rows cannot be shared by {replicas} "
            "replicas. Raise --batch-size."
        )


@functools.cache
def _join() -> tf.distribute.Strategy:
    # Once a process, as TensorFlow demands.
    found = workers.resolver()
    if workers.size(found) > 1:
        workers.meet(found, workers.patience())
    # Should somebody be lost just now, only this ends the call.
    with open(os.devnull, "w") as nowhere:
        faulthandler.dump_traceback_later(workers.patience(), exit=True, file=nowhere)
        try:
            return tf.distribute.MultiWorkerMirroredStrategy(cluster_resolver=found)
        except (RuntimeError, tf.errors.OpError) as error:
            reason = " ".join(str(error).split())[:200]
            raise ZooError(f"The workers cannot be joined: {reason}") from error
        finally:
            faulthandler.cancel_dump_traceback_later()


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
