"""Where the replicas run: `tf.distribute` strategies by name, and precision."""

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
from zoo.config import PRECISIONS, STRATEGIES
from zoo.errors import LONGEST, UsageError, WorkersLost, ZooError, quoted, shortened, suggest
from zoo.handshake import Link

JOINING = 120.0  # seconds that TensorFlow has to join workers that have met


def make_strategy(name: str) -> tf.distribute.Strategy:
    """Returns the strategy of that name.

    Replicas train what one device trains at the same global batch: see `zoo.training.replicas`.

    Args:
      name: `"auto"` uses every GPU: of this machine, or of all workers where the environment names
        several (`zoo.cluster`); `"none"` uses one device; `"mirrored"` mirrors over every GPU, or
        else over every logical CPU, of this machine; `"multiworker"` over all workers that the
        environment names, and their GPUs. Workers must have met: see `meet`.

    Raises:
      UsageError: an unknown name, or a strategy that cannot work here.
      WorkersLost: other workers cannot be reached.
      ZooError: TensorFlow has been at work already.
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


_LINKS: dict[Cluster, Link] = {}  # of this process, whose workers TensorFlow joins once


def meet(
    name: str, facts: Mapping[str, Any], done: Callable[[], bool], *, quiet: bool = False
) -> Link | None:
    """Waits until all workers of a strategy are there; see `zoo.handshake.meet`.

    Workers that have met before compare the facts again.

    Args:
      name: of the strategy.
      facts: what all workers must have alike.
      done: asked while waiting; True if there is nothing left to train.
      quiet: print nothing while waiting.

    Returns:
      What links the workers; None if there is one only, or if `done` says so.
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
    # Once a process, as TensorFlow demands.
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
    """Ends this process with a line should TensorFlow wait for somebody who has just been lost.

    Its call ends neither by a signal nor by a thread of Python, so that another process ends it:
    with SIGKILL, which is 137 for a shell.
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


def _reason(error: Exception) -> str:
    return " ".join(str(error).split())[:200].rstrip(".")
