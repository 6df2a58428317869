"""Processes that train together: who writes, what they agree on, and how long they wait.

Each is started with the same command and says where it stands in the environment: `TF_CONFIG`, as
TensorFlow documents it, or Slurm's variables. The first of them, the chief, writes the run folder,
which all of them must see.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import re
import socket
import sys
import threading
import time
import zlib
from collections.abc import Iterator

import tensorflow as tf

from zoo.errors import UsageError, ZooError

PATIENCE = 600.0  # seconds that nothing may happen before workers are given up
# What TensorFlow says of a worker that it does not hear of any more.
_GONE = re.compile(r"collective|coordination|heartbeat|connection|socket closed", re.IGNORECASE)
SLURM = ("SLURM_STEP_NODELIST", "SLURM_STEP_NUM_TASKS", "SLURM_PROCID")


def resolver() -> tf.distribute.cluster_resolver.ClusterResolver | None:
    """Returns where this process stands among its workers, or None if nothing says so.

    Raises:
      UsageError: `TF_CONFIG` is not what TensorFlow documents.
    """
    text = os.environ.get("TF_CONFIG", "").strip()
    if text:
        example = (
            '{"cluster": {"worker": ["host:port", …]}, "task": {"type": "worker", "index": 0}}'
        )
        try:
            told = json.loads(text)
            cluster, task = told["cluster"], told["task"]
            kind, index = task["type"], int(task["index"])
            there = {name: len(list(addresses)) for name, addresses in cluster.items()}
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise UsageError(
                f"TF_CONFIG cannot be read ({error}). It has to be {example}."
            ) from None
        if not set(there) <= {"chief", "worker"} or not 0 <= index < there.get(kind, 0):
            raise UsageError(
                f"TF_CONFIG says task {kind} {index} of {there}; only chief and worker train, "
                f"counted from 0. It has to be like {example}."
            )
        return tf.distribute.cluster_resolver.TFConfigClusterResolver()
    if all(name in os.environ for name in SLURM):
        # Which GPUs a task has is Slurm's to say (`srun --gpus-per-task=1`). TensorFlow's resolver
        # would share them out anew, and fails where there are none: it is told of one a task.
        return tf.distribute.cluster_resolver.SlurmClusterResolver(
            gpus_per_node=int(os.environ["SLURM_STEP_NUM_TASKS"]),
            gpus_per_task=1,
            auto_set_gpu=False,
        )
    return None


def size(found: tf.distribute.cluster_resolver.ClusterResolver | None) -> int:
    """Returns how many workers there are."""
    return sum(map(len, found.cluster_spec().as_dict().values())) if found else 1


def meet(found: tf.distribute.cluster_resolver.ClusterResolver, limit: float) -> None:
    """Waits until every worker listens at its address.

    TensorFlow waits for them too, for an hour and in a call that neither a signal nor a thread of
    Python ends. So each listens first, and goes on when it has reached all others once.

    Raises:
      ZooError: somebody did not come in `limit` seconds, or this worker's port is taken.
    """
    jobs = found.cluster_spec().as_dict()
    own = jobs[found.task_type][found.task_id]
    missing = [address for addresses in jobs.values() for address in addresses if address != own]
    port = int(own.rpartition(":")[2])
    begun = time.monotonic()
    try:
        listener = socket.create_server(("", port))
    except OSError as error:
        raise ZooError(
            f"This worker cannot listen at {own} ({error.strerror}). Give it a free port."
        ) from error
    with listener:
        while missing:
            for address in list(missing):
                host, _, number = address.rpartition(":")
                with (
                    contextlib.suppress(OSError),
                    socket.create_connection((host.strip("[]"), int(number)), timeout=2),
                ):
                    missing.remove(address)
            if missing and time.monotonic() - begun > limit:
                raise ZooError(
                    f"Not all workers have come within {limit:g} s: nobody listens at "
                    f"{', '.join(missing)}. Start all of them with the same command, and check "
                    "addresses and firewalls."
                )
            time.sleep(0.2 if missing else 0)


class Workers:
    """The processes of a strategy; one that is alone agrees with itself.

    Attributes:
      number: how many there are.
      index: which of them this one is, from 0; the chief is 0.
    """

    def __init__(self, strategy: tf.distribute.Strategy) -> None:
        self._strategy = strategy
        self.number, self.index = 1, 0
        if isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy):
            found = strategy.cluster_resolver
            jobs = found.cluster_spec().as_dict()
            self.number = size(found)
            self.index = found.task_id + (
                len(jobs.get("chief", [])) if found.task_type == "worker" else 0
            )
        self._beaten = time.monotonic()

    @property
    def chief(self) -> bool:
        return self.index == 0

    def agree(self, *flags: bool) -> list[bool]:
        """Returns, for each flag, whether any worker raises it. All have to ask."""
        if self.number == 1:
            return list(flags)
        return [value > 0 for value in self._sum([float(flag) for flag in flags])]

    def wait(self) -> None:
        """Waits until every worker is here."""
        self.agree(True)

    def check_same(self, text: str, what: str) -> None:
        """Makes sure that every worker has the same text.

        Raises:
          ZooError: they do not.
        """
        value = float(zlib.crc32(text.encode()) % 2**20)  # a float32 holds its sum exactly
        mean = self._sum([value])[0] / self.number if self.number > 1 else value
        if mean != value:
            raise ZooError(
                f"The workers do not have the same {what}. Give all of them the same command, the "
                "same data and a run folder that all can see."
            )

    def beat(self) -> None:
        """Says that something has happened: see `watched`."""
        self._beaten = time.monotonic()

    def rest(self) -> None:
        """Says that it may take any time now until something happens."""
        self._beaten = math.inf

    @contextlib.contextmanager
    def watched(self) -> Iterator[None]:
        """Ends this process when nothing happens for too long, and explains lost workers.

        A worker that dies leaves the others in a collective operation that no exception leaves.

        Raises:
          ZooError: TensorFlow says that another worker is gone.
        """
        if self.number == 1:
            yield
            return
        self.beat()
        over = threading.Event()
        threading.Thread(target=self._watch, args=(patience(), over), daemon=True).start()
        try:
            yield
        except tf.errors.OpError as error:
            if not _GONE.search(str(error)):
                raise
            raise ZooError(_lost("another worker is gone")) from error
        finally:
            over.set()

    def _watch(self, limit: float, over: threading.Event) -> None:
        while not over.wait(min(1.0, limit / 4)):
            if time.monotonic() - self._beaten > limit:
                print(
                    "Error: " + _lost(f"nothing has happened for {limit:.0f} s"),
                    file=sys.stderr,
                    flush=True,
                )
                os._exit(1)  # no exception reaches a thread that waits in TensorFlow

    def _sum(self, values: list[float]) -> list[float]:
        if not hasattr(self, "_summing"):

            @tf.function
            def summing(vector: tf.Tensor) -> tf.Tensor:
                def add(part: tf.Tensor) -> tf.Tensor:
                    context = tf.distribute.get_replica_context()
                    # Of several replicas here, one speaks.
                    here = self._strategy.num_replicas_in_sync // self.number
                    speaks = tf.equal(context.replica_id_in_sync_group % here, 0)
                    said = tf.where(speaks, part, tf.zeros_like(part))
                    return context.all_reduce(tf.distribute.ReduceOp.SUM, said)

                return self._strategy.run(add, (vector,))

            self._summing = summing
        found = self._summing(tf.constant(values, tf.float32))
        return self._strategy.experimental_local_results(found)[0].numpy().tolist()


def patience() -> float:
    """Returns the seconds that workers wait for each other (`ZOO_WORKER_TIMEOUT`).

    Raises:
      UsageError: the variable is no positive number.
    """
    text = os.environ.get("ZOO_WORKER_TIMEOUT", "")
    try:
        seconds = float(text or PATIENCE)
    except ValueError:
        seconds = 0.0
    if not seconds > 0:
        raise UsageError(f"ZOO_WORKER_TIMEOUT is {text!r}; it must be a number of seconds above 0.")
    return seconds


def _lost(what: str) -> str:
    return (
        f"Training with other workers has stopped: {what}. Look at what they say, and run the same "
        "command on all of them again: it goes on from the last checkpoint."
    )
