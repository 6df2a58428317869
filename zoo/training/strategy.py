"""`tf.distribute` strategies by name, and precision."""

from __future__ import annotations

import contextlib
import functools
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import keras
import tensorflow as tf

from zoo import handshake
from zoo.cluster import Cluster, find_cluster, patience
from zoo.config import STRATEGIES, check_precision
from zoo.errors import LONGEST, UsageError, WorkersLost, ZooError, quoted, shortened, suggest
from zoo.handshake import Link

JOINING = 120.0  # seconds for TensorFlow to connect workers after the handshake


def make_strategy(name: str) -> tf.distribute.Strategy:
    """Returns the strategy with the given name.

    Replicas give the same results as one device with the same global batch: see
    `zoo.training.replicas`.

    Args:
      name: `"auto"` uses every GPU of this machine, or of all workers if the environment names
        several (`zoo.cluster`); `"none"` uses one device; `"mirrored"` mirrors over every GPU of
        this machine, or else over every logical CPU; `"multiworker"` mirrors over all workers that
        the environment names, and their GPUs. Workers must have called `meet` before.

    Raises:
      UsageError: an unknown name, or a strategy that cannot work here.
      WorkersLost: other workers cannot be reached.
      ZooError: TensorFlow is already initialised.
    """
    if name not in STRATEGIES:
        raise UsageError(f"Unknown strategy {quoted(name)}.{suggest(name, STRATEGIES)}")
    cluster = find_cluster(name)
    if cluster:
        return _join(cluster)
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
    """Checks that a global batch has at least one row for each replica.

    Raises:
      UsageError: it has not.
    """
    replicas = strategy.num_replicas_in_sync
    if batch_size < replicas:
        raise UsageError(
            f"batch_size is the global batch: {batch_size} rows cannot be shared by {replicas} "
            "replicas. Raise --batch-size."
        )


_LINKS: dict[Cluster, Link] = {}  # per process: TensorFlow connects its workers only once


def meet(
    name: str, facts: Mapping[str, Any], done: Callable[[], bool], *, quiet: bool = False
) -> Link | None:
    """Waits until all workers of a strategy are connected; see `zoo.handshake.meet`.

    Workers that are already connected compare the facts again.

    Args:
      name: name of the strategy.
      facts: values that must be the same on all workers.
      done: called while waiting; returns True if there is nothing left to train.
      quiet: print nothing while waiting.

    Returns:
      The link between the workers; None if there is only one, or if `done` returned True.
    """
    cluster = find_cluster(name)
    if cluster is None or len(cluster.addresses) == 1:
        return None
    link = _LINKS.get(cluster)
    if link is None:

        def log(line: str) -> None:
            if not quiet:
                print(shortened(line, LONGEST), file=sys.stderr, flush=True)  # of others

        link = handshake.meet(cluster, facts, patience(), log=log, done=done)
        if link:
            _LINKS[cluster] = link
        return link
    for address, theirs in zip(cluster.addresses, link.exchange(facts), strict=True):
        if wrong := handshake.differences(address, theirs, facts):
            raise UsageError(f"{wrong}. All workers need the same command.")
    return link


@functools.cache
def _join(cluster: Cluster) -> tf.distribute.Strategy:
    # Once per process, as TensorFlow requires.
    resolver = tf.distribute.cluster_resolver.SimpleClusterResolver(
        tf.train.ClusterSpec({"worker": list(cluster.addresses)}),
        task_type="worker",
        task_id=cluster.index,
        rpc_layer="grpc",
        num_accelerators={"GPU": len(tf.config.get_visible_devices("GPU"))},
    )
    with _telling(cluster), _ended_after(min(patience(), JOINING)):
        try:
            return tf.distribute.MultiWorkerMirroredStrategy(cluster_resolver=resolver)
        except tf.errors.OpError as error:
            raise WorkersLost(
                f"TensorFlow cannot join the workers: {_reason(error)}. Run the same command "
                "on all workers again."
            ) from error
        except RuntimeError as error:
            raise ZooError(f"The workers cannot be joined: {_reason(error)}.") from error


@contextlib.contextmanager
def _telling(cluster: Cluster) -> Iterator[None]:
    try:
        yield
    except ZooError as error:
        if cluster in _LINKS:
            _LINKS[cluster].tell(error)
        raise


@contextlib.contextmanager
def _ended_after(seconds: float) -> Iterator[None]:
    """Kills this process with a message if TensorFlow waits for a worker that was just lost.

    Neither a signal nor a Python thread can interrupt TensorFlow's call. Another process therefore
    sends SIGKILL, which a shell reports as 137.
    """
    line = f"Error: Another worker is gone: TensorFlow has waited for it for {seconds:g} s."
    script = f"sleep {seconds:g}; echo '{line}' >&2; kill -9 {os.getpid()}"
    try:
        watch = subprocess.Popen(
            ["sh", "-c", script], stdin=subprocess.DEVNULL, start_new_session=True
        )
    except OSError:  # a system without a shell
        yield
        return
    try:
        yield
    finally:
        os.killpg(watch.pid, signal.SIGKILL)  # the shell and its `sleep`
        watch.wait()


@functools.cache
def _mirrored(devices: tuple[str, ...]) -> tf.distribute.Strategy:
    # One object per process: a second one would number its collective operations from the start
    # again, and TensorFlow 2.21 would confuse them with those of the first.
    return tf.distribute.MirroredStrategy(devices)


@contextlib.contextmanager
def dtype_policy(name: str) -> Iterator[None]:
    """Context with a global Keras dtype policy; restores the previous policy afterwards.

    Raises:
      UsageError: an unknown policy.
    """
    check_precision(name)
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(name)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def _reason(error: Exception) -> str:
    return " ".join(str(error).split())[:200].rstrip(".")
