"""Workers of a distributed training: agreement, shared folder, timeouts.

All are started with the same command and get addresses and index from the environment
(`zoo.cluster`). A handshake precedes TensorFlow's own connection (`zoo.handshake`). The first
worker, the chief, writes the run folder, which all of them must be able to read.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import math
import os
import re
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow as tf

from zoo import files
from zoo.cluster import patience
from zoo.environment import TENSORFLOW, installed_version
from zoo.errors import LONGEST, WorkersLost, ZooError, exit_code, shortened
from zoo.handshake import Link, differences, digest

if TYPE_CHECKING:
    import keras

    from zoo.recipe import Recipe
    from zoo.training.run import Options

FOLDER_PATIENCE = 60.0  # seconds: how long an NFS client may cache that a file was absent
GRACE = 5.0  # seconds for TensorFlow to notice a lost worker
# Matches TensorFlow's errors about an unreachable worker.
_GONE = re.compile(r"collective|coordination|heartbeat|connection|socket closed", re.IGNORECASE)


def facts(recipe: Recipe, options: Options, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the values that must be the same on all workers, by their names in messages."""
    module = Path(recipe.module.__file__ or "")
    # A recipe in a package may use all modules of it.
    package = recipe.module.__package__
    root = sys.modules[package.partition(".")[0]].__path__[0] if package else module
    return {
        "recipe": recipe.name,
        **dataclasses.asdict(options),
        **{f"setting {key}": str(value) for key, value in sorted(settings.items())},
        "sources of zoo": digest(Path(files.__file__).parent),
        "sources of the recipe": digest(Path(root)),
        "TensorFlow": installed_version(*TENSORFLOW),
        "Keras": installed_version("keras"),
        "NumPy": installed_version("numpy"),
    }


class Workers:
    """The worker processes of a strategy, possibly only this one.

    Args:
      strategy: returned by `make_strategy`.
      link: link between the workers, None if there is only one.

    Attributes:
      number: number of workers.
      index: index of this worker, from 0; the chief is 0.
    """

    def __init__(self, strategy: tf.distribute.Strategy, link: Link | None = None) -> None:
        self._strategy, self._link = strategy, link
        self.number = len(link.cluster.addresses) if link else 1
        self.index = link.cluster.index if link else 0
        self._beaten = time.monotonic()
        self._finishing = False

    @property
    def chief(self) -> bool:
        return self.index == 0

    def agree(self, *flags: bool) -> list[bool]:
        """Returns, for each flag, whether any worker raises it. All workers must call this."""
        if self.number == 1:
            return list(flags)
        return [value > 0 for value in self._sum([float(flag) for flag in flags])]

    def wait(self) -> None:
        """Waits until every worker has reached this call."""
        self._exchange(None)

    def of_chief(self, value: Any) -> Any:
        """Returns the chief's value, JSON-serialisable. All workers must call this."""
        return self._exchange(value)[0]

    def check_same(self, facts: Mapping[str, Any]) -> None:
        """Checks that all workers have the same values, JSON-serialisable, by their names.

        Raises:
          ZooError: they differ; the message says which worker has which value.
        """
        values = self._exchange(facts)
        for index, theirs in enumerate(values):
            if self._link and index != self.index:
                address = self._link.cluster.addresses[index]
                if wrong := differences(address, theirs, facts):
                    raise ZooError(
                        f"{wrong}. Give all workers the same command, the same data and a run "
                        "folder that all can see."
                    )

    def check_weights(self, model: keras.Model) -> None:
        """Checks that all workers have bit-identical weights.

        Raises:
          ZooError: they differ.
        """
        if self.number > 1:
            found = hashlib.sha256()
            for variable in model.trainable_variables:
                found.update(np.asarray(variable).tobytes())
            self.check_same({"weights of digest": found.hexdigest()[:12]})

    def share_folder(self, path: Path) -> None:
        """Waits until all workers see the files that the chief writes to a folder created by it.

        Other workers must not access it before: an NFS client would cache for a while that it was
        absent.

        Raises:
          ZooError: it cannot be written, or another worker does not see the chief's files.
        """
        if self.number == 1:
            return
        name = f".shared-{uuid.uuid4().hex}.{os.getpid()}.part"
        if self.chief:
            try:
                (path / name).touch()
            except OSError as error:
                raise ZooError(
                    f"Cannot write {path}: {error.strerror}. Choose another folder."
                ) from error
        try:
            name = self.of_chief(name)
            if not self.chief and not wait_for(path / name, shown=path):
                assert self._link is not None
                missing = "file" if path.exists() else "folder"
                raise ZooError(
                    f"{path} is not shared: {self._link.cluster.chief} wrote a file there, but "
                    f"{self._link.cluster.address} still does not see the {missing} after "
                    f"{FOLDER_PATIENCE:g} s. Workers need a run folder that all of them can see."
                )
            self.wait()
        finally:
            if self.chief:
                with contextlib.suppress(OSError):
                    (path / name).unlink(missing_ok=True)

    def beat(self) -> None:
        """Records progress and restarts the timeout of `watched`."""
        self._beaten = time.monotonic()

    def rest(self) -> None:
        """Suspends the timeout of `watched` until the next progress."""
        self._beaten = math.inf

    def finish(self) -> None:
        """Marks the end of training: the chief continues alone, even if others are lost."""
        self.rest()
        self._finishing = self.chief

    def part(self) -> None:
        """Ends the work of all workers. The chief ignores workers that have already ended."""
        try:
            self.wait()
        except ZooError:
            if not self._finishing:
                raise

    @contextlib.contextmanager
    def watched(self) -> Iterator[None]:
        """Terminates this process if there is no progress for too long, and reports lost workers.

        A worker that dies leaves the others in a collective operation that cannot be interrupted.

        Raises:
          WorkersLost: another worker is lost.
        """
        if self._link is None:
            yield
            return
        self.beat()
        over = threading.Event()
        watch = threading.Thread(
            target=self._watch, args=(self._link, patience(), over), daemon=True
        )
        watch.start()
        try:
            yield
        except tf.errors.OpError as error:
            if self._link.failure is None and not _GONE.search(str(error)):
                self._link.tell(error)
                raise
            lost = self._why(self._link)
            self._link.tell(lost)
            raise lost from error
        except KeyboardInterrupt as stop:
            # After a step, all workers stop together; before, the others do not know of it.
            if not getattr(stop, "epoch", 0):
                self._link.tell(stop)
            raise
        except BaseException as error:
            self._link.tell(error)
            raise
        finally:
            over.set()

    def _why(self, link: Link) -> ZooError:
        """Returns the error to raise for one of TensorFlow: the link will soon know the reason."""
        until = time.monotonic() + GRACE
        while link.failure is None and time.monotonic() < until:
            time.sleep(0.1)
        return link.failure.error() if link.failure else WorkersLost(_lost("a worker is gone"))

    def _watch(self, link: Link, limit: float, over: threading.Event) -> None:
        gone = 0.0
        while not over.wait(min(1.0, limit / 4)):
            now = time.monotonic()
            error: ZooError | None = None
            if now - self._beaten > limit:
                error = WorkersLost(_lost(f"no progress for {limit:.0f} s"))
            elif link.failure and not self._finishing:
                gone = gone or now
                if now - gone > GRACE:  # TensorFlow would wait longer
                    error = link.failure.error()
            if error:
                link.tell(error)
                print(f"Error: {shortened(str(error), LONGEST)}", file=sys.stderr, flush=True)
                os._exit(exit_code(error))  # an exception cannot interrupt that thread

    def _exchange(self, value: Any) -> list[Any]:
        if self._link is None:
            return [value]

        def alive(heard: float) -> None:
            # Other workers may be busy for long; the chief's heartbeats show that it is alive.
            if not self.chief:
                self._beaten = max(self._beaten, heard) if self._beaten < math.inf else heard

        return self._link.exchange(value, alive)

    def _sum(self, values: list[float]) -> list[float]:
        if not hasattr(self, "_summing"):

            @tf.function(autograph=False)
            def summing(vector: tf.Tensor) -> tf.Tensor:
                def add(part: tf.Tensor) -> tf.Tensor:
                    context = tf.distribute.get_replica_context()
                    # Only the first replica of each process contributes.
                    here = self._strategy.num_replicas_in_sync // self.number
                    speaks = tf.equal(context.replica_id_in_sync_group % here, 0)
                    said = tf.where(speaks, part, tf.zeros_like(part))
                    return context.all_reduce(tf.distribute.ReduceOp.SUM, said)

                return self._strategy.run(add, (vector,))

            self._summing = summing
        found = self._summing(tf.constant(values, tf.float32))
        return self._strategy.experimental_local_results(found)[0].numpy().tolist()


def wait_for(path: Path, limit: float | None = None, shown: Path | None = None) -> bool:
    """Waits until a file written by another machine is visible; returns whether it is.

    Args:
      limit: seconds; `FOLDER_PATIENCE` if None.
      shown: path to print instead of the file.
    """
    limit = FOLDER_PATIENCE if limit is None else limit
    line = f"Waiting for {shown or path}, which the chief has written"
    return until(lambda: look(path), limit, line)


def until(check: Callable[[], bool], limit: float, line: str) -> bool:
    """Calls `check` twice a second until it is true or time is up; prints a line if slow."""
    begun, said = time.monotonic(), False
    while not check():
        waited = time.monotonic() - begun
        if waited > limit:
            return False
        if waited > 2 and not said:
            print(f"{line} (up to {limit:g} s).", file=sys.stderr, flush=True)
            said = True
        time.sleep(min(0.5, limit / 4))
    return True


def look(path: Path) -> bool:
    """Returns whether a file exists now, also on a network file system.

    An NFS client caches that a file is absent until it refreshes the parent folder, which it does
    when the folder is opened.
    """
    for folder in reversed(path.parents):
        with contextlib.suppress(OSError):
            os.close(os.open(folder, os.O_RDONLY))
    return path.exists()


def _lost(what: str) -> str:
    return (
        f"Training with other workers has stopped: {what}. Read what they print, and run the same "
        "command on all of them again: it goes on from the last checkpoint."
    )
