"""Callbacks that run between training steps: checkpoints, signals, progress."""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np

from zoo.errors import (
    LONGEST,
    STOPPING,
    Interrupted,
    UsageError,
    ZooError,
    check_list,
    shortened,
)
from zoo.serving.find import reference
from zoo.training import checkpoint, diagnostics
from zoo.training.replicas import Votes
from zoo.training.run import OVERWRITTEN
from zoo.training.throughput import Throughput
from zoo.training.workers import Workers

# Seconds of training steps from which the total training time is estimated.
ESTIMATE_AFTER = 5.0


class StopSignal:
    """Context that records a termination signal instead of terminating in the middle of a step.

    Handles SIGINT, SIGTERM and SIGHUP. A signal that the process ignores, as under `nohup`, stays
    ignored. A second SIGINT interrupts at once. Outside the main thread no signal is received.

    Args:
      event: another way to stop, from any thread, or None.
    """

    def __init__(self, event: threading.Event | None = None) -> None:
        self.received: int | None = None
        self.event = event

    def __enter__(self) -> StopSignal:
        self._before: dict[int, Any] = {}
        if threading.current_thread() is threading.main_thread():
            for number in STOPPING:
                if signal.getsignal(number) is not signal.SIG_IGN:
                    self._before[number] = signal.signal(number, self._handle)
        return self

    def __exit__(self, *_: Any) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    @property
    def asked(self) -> bool:
        """Whether this process has been asked to stop."""
        return self.received is not None or (self.event is not None and self.event.is_set())

    @property
    def number(self) -> int:
        """The signal number; SIGTERM if an event was set or another worker received the signal."""
        return signal.SIGTERM if self.received is None else self.received

    def _handle(self, number: int, _: Any) -> None:
        if self.received is not None and number == signal.SIGINT:
            raise KeyboardInterrupt
        self.received = number


class Steps(keras.callbacks.Callback):
    """Counts steps, writes periodic checkpoints, and stops on request or if training diverges.

    Args:
      folder: folder of the checkpoints.
      state: updated at each step.
      steps: number of steps of a whole epoch.
      order: training row numbers of each remaining batch of this epoch.
      every: seconds between two checkpoints.
      stop: records signals.
      progress: receives each step's logs.
      metrics: checkpoint values from which to restore the running metrics before the first step,
        or None.
      workers: the processes that train together; the chief writes.
      pace: counts the data that the steps read.
      votes: flags exchanged with the steps of several replicas, None for one replica.
    """

    def __init__(
        self,
        folder: Path,
        state: checkpoint.State,
        steps: int,
        order: Sequence[np.ndarray],
        every: float,
        stop: StopSignal,
        progress: Progress,
        metrics: list[np.ndarray] | None,
        workers: Workers,
        pace: Throughput,
        votes: Votes | None = None,
    ) -> None:
        super().__init__()
        self.folder, self.state, self.steps, self.every = folder, state, steps, every
        self.order = order
        self.stop, self.progress, self.metrics = stop, progress, metrics
        self.workers, self.pace, self.votes = workers, pace, votes
        self._saved = time.monotonic()

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        if self.metrics is not None:  # `fit` has just reset them
            checkpoint.restore(self.model, self.metrics, metrics=True)
            self.metrics = None
        self._clock = time.perf_counter()

    def on_train_batch_begin(self, batch: int, logs: dict | None = None) -> None:
        self.pace.begin()

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        now = time.perf_counter()
        self.state.seconds += now - self._clock
        self._clock = now
        self.state.step += 1
        self.pace.end(self.state)
        # All workers have to see the same loss.
        loss = self.votes.loss if self.votes else (logs or {}).get("loss", 0.0)
        if wrong := diagnostics.broken(self.model, loss):
            raise ZooError(self._lost(wrong, self.order[batch]))
        self.progress.step(self.state, logs or {})
        self.workers.beat()
        stopped, due = self._asked()
        if self.state.step < self.steps:
            if stopped or due:
                checkpoint.save(self.folder, self.model, self.state, write=self.workers.chief)
                self._saved = time.monotonic()
            if stopped:
                raise Interrupted(self.state.epoch + 1, self.state.step, self.stop.number)
        self._clock = time.perf_counter()

    def _asked(self) -> list[bool]:
        """Returns whether to stop and whether to write a checkpoint, after this step.

        If any worker is asked to, all workers do so after the same step: the next one, which
        carries the request to the others.
        """
        late = time.monotonic() - self._saved >= self.every
        raised = [self.stop.asked, self.workers.chief and late]
        if self.votes is None or self.workers.number == 1:
            return raised
        heard, self.votes.raised = self.votes.heard, raised
        if heard[1]:  # it is written now
            self.votes.raised[1] = False
        return heard

    def on_test_batch_end(self, batch: int, logs: dict | None = None) -> None:
        self.workers.beat()

    def _lost(self, wrong: str, rows: np.ndarray) -> str:
        """Returns a message: where training diverged, what is left of it, and what to try."""
        shown = ", ".join(map(str, rows[:5])) + (f" and {len(rows) - 5} more" * (len(rows) > 5))
        kept = checkpoint.files_in(self.folder)
        if (self.folder.parent / OVERWRITTEN).is_dir():
            left = f"The run that {self.folder.parent} held before is restored."
        elif kept:
            epochs, steps = map(int, kept[-1].stem.split("-"))
            place = (
                f"epoch {epochs + 1} after step {steps}" if steps else f"the end of epoch {epochs}"
            )
            left = f"The last good checkpoint, of {place}, is kept in {self.folder}."
        else:
            left = "There is no checkpoint yet."
        if (self.folder.parent / "model-best.keras").exists():
            base = shlex.quote(reference(self.folder.parent))
            left += f" `--from {base} -o OTHER` goes on from the best weights."
        return (
            f"{wrong} in epoch {self.state.epoch + 1}, step {self.state.step}, whose batch is rows "
            f"{shown} of what it trains on (the first is 0). {left} Try a lower learning_rate or "
            "clip_norm (0 clips nothing), and look in these rows for values that are not finite or "
            "far too large."
        )


class Custom(keras.callbacks.Callback):
    """Calls the user's callbacks as if all epochs belonged to a single `fit`.

    Args:
      callbacks: Keras callbacks, in the order of their calls.

    Raises:
      UsageError: one of them is not a Keras callback.
    """

    def __init__(self, callbacks: Sequence[Any]) -> None:
        super().__init__()
        self._callbacks = check_list("callbacks", callbacks)
        for each in self._callbacks:
            if not isinstance(each, keras.callbacks.Callback):
                raise UsageError(
                    "callbacks must be a list of keras.callbacks.Callback; got a value of type "
                    f"{type(each).__name__}."
                )
        self._begun = False

    def set_model(self, model: Any) -> None:
        super().set_model(model)
        for each in self._callbacks:
            each.set_model(model)

    def set_params(self, params: Any) -> None:
        super().set_params(params)
        for each in self._callbacks:
            each.set_params(params)

    def _call(self, hook: str, *arguments: Any) -> None:
        for each in self._callbacks:
            getattr(each, hook)(*arguments)

    def on_train_begin(self, logs: dict | None = None) -> None:
        if not self._begun:
            self._begun = True
            self._call("on_train_begin", logs)

    def end(self) -> None:
        """Must be called after the last epoch."""
        if self._begun:
            self._call("on_train_end", None)

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        self._call("on_epoch_begin", epoch, logs)

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        self._call("on_epoch_end", epoch, logs)

    def on_train_batch_begin(self, batch: int, logs: dict | None = None) -> None:
        self._call("on_train_batch_begin", batch, logs)

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        self._call("on_train_batch_end", batch, logs)

    def on_test_begin(self, logs: dict | None = None) -> None:
        self._call("on_test_begin", logs)

    def on_test_end(self, logs: dict | None = None) -> None:
        self._call("on_test_end", logs)

    def on_test_batch_begin(self, batch: int, logs: dict | None = None) -> None:
        self._call("on_test_batch_begin", batch, logs)

    def on_test_batch_end(self, batch: int, logs: dict | None = None) -> None:
        self._call("on_test_batch_end", batch, logs)


def in_notebook() -> bool:
    """Whether standard output is the output of a notebook cell."""
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    return type(shell).__name__ == "ZMQInteractiveShell"


class Progress:
    """A progress bar in a terminal or a notebook, one plain line per epoch elsewhere.

    Args:
      epochs, steps: total number of epochs, and of steps per epoch.
      quiet: print nothing.
      verbose: also print details for experts.
    """

    def __init__(self, epochs: int, steps: int, quiet: bool = False, verbose: bool = False) -> None:
        self.epochs, self.steps, self.quiet, self.verbose = epochs, steps, quiet, verbose
        self.terminal = sys.stdout.isatty() and os.environ.get("TERM") != "dumb"
        self.notebook = not self.terminal and in_notebook()
        self._drawn = 0.0
        self._width = 0  # of the bar to overwrite, in a notebook
        self._begun = (-1, 0, 0.0)  # epoch, steps before the first one here, and when that ended
        self._estimated = False

    def log(self, line: str) -> None:
        if not self.quiet:
            line = shortened(line, LONGEST)  # names and labels in data are untrusted
            end = "\x1b[K\n" if self.terminal else "\n"
            print(self._over(line), end=end, file=sys.stdout, flush=True)

    def detail(self, line: str) -> None:
        """Prints a line for experts."""
        if self.verbose:
            self.log(line)

    def _over(self, line: str) -> str:
        """Returns a line padded with spaces to overwrite a longer bar, in a notebook."""
        padded, self._width = line.ljust(self._width), 0
        return padded

    def step(self, state: checkpoint.State, logs: dict[str, float]) -> None:
        now = time.monotonic()
        if state.epoch != self._begun[0]:
            self._begun = (state.epoch, state.step - 1, now)
        self._estimate(state, now)
        pause = 0.1 if self.terminal else 0.5
        shown = self.terminal or self.notebook
        if self.quiet or not shown or (now - self._drawn < pause and state.step < self.steps):
            return
        self._drawn = now
        _, since, start = self._begun
        left = (now - start) / (state.step - since) * (self.steps - state.step)
        head = f"epoch {state.epoch + 1}/{self.epochs}  "
        done = str(state.step).rjust(len(str(self.steps)))
        tail = f"{done}/{self.steps}  {_numbers(logs)}  {left:3.0f} s left"
        # A line that wraps could not be overwritten.
        room = shutil.get_terminal_size().columns - 1
        bar = min(24, room - len(head) - len(tail) - 2)
        if bar >= 6:
            filled = bar * state.step // self.steps
            head += f"{'━' * filled}{'┄' * (bar - filled)}  "
        line = (head + tail)[:room]
        if self.notebook:
            width = len(line)
            line, self._width = self._over(line), width
        else:
            line += "\x1b[K"
        print(line, end="\r", file=sys.stdout, flush=True)

    def _estimate(self, state: checkpoint.State, now: float) -> None:
        """Prints an estimate of the training time once, from the steps of the first seconds.

        The first step is omitted because it includes compilation. Nothing is printed for a
        training of a few seconds.
        """
        _, since, start = self._begun
        if self._estimated or now - start < ESTIMATE_AFTER or state.step - since < 3:
            return
        self._estimated = True
        # `start` is the end of the first step.
        each = (now - start) / (state.step - since - 1)
        epoch = each * self.steps
        rest = each * (self.steps - state.step) + epoch * (self.epochs - state.epoch - 1)
        self.log(
            f"  about {_duration(epoch)} per epoch on this machine, "
            f"{_duration(rest)} until the end of epoch {self.epochs}"
        )

    def epoch(self, row: dict[str, float], seconds: float, best: bool) -> None:
        scores = [
            f"{name} {value:.4f}"
            + (f" (val {row[f'val_{name}']:.4f})" if f"val_{name}" in row else "")
            for name, value in row.items()
            if name not in ("epoch", "learning_rate", "gradient_norm", "clipped")
            and not name.startswith(("val_", diagnostics.UPDATE))
        ]
        mark = "  best" if best else ""
        self.log(f"epoch {row['epoch']}/{self.epochs}  {'  '.join(scores)}  {seconds:.0f} s{mark}")


def _duration(seconds: float) -> str:
    """Returns a duration with one or two digits: `"40 s"`, `"12 min"`, `"3 h"`."""
    for size, unit in ((3600, "h"), (60, "min")):
        if seconds >= 1.5 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"


def _numbers(logs: dict[str, float]) -> str:
    return "  ".join(f"{name} {value:.4f}" for name, value in logs.items())
