"""Checkpoints from which a run goes on as if nothing had happened, inside an epoch too.

Keras' `BackupAndRestore` forgets the position inside the epoch, the running metrics and what
early stopping has seen; all of it is kept here. One file holds everything, so that it is
there whole or not at all, and its parts carry checksums (a ZIP's CRC-32).
"""

from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path
from typing import Any

import keras
import numpy as np

from zoo import files
from zoo.errors import ZooError
from zoo.scores import Monitor
from zoo.training.averages import averaged
from zoo.training.replicas import read_metrics, write_metrics

KEEP = 2  # the newest, and the one before it in case the newest is damaged


@dataclasses.dataclass
class State:
    """Where training stands.

    Attributes:
      epoch: epochs that are complete.
      step: steps of the next epoch that are done.
      best: the best validation score so far, None before the first.
      best_epoch: its epoch, from 1.
      best_loss: its validation loss, None where it is not known.
      stale: epochs since then.
      seconds: time spent in training steps, over all sessions of the run.
      waited: seconds of them in which a step waited for its batch, first steps omitted.
      first: seconds of them that the first step of each epoch took.
      rows, tokens, places: what the steps have read (see `zoo.data.Batches.sizes`).
      history: one dict an epoch.
      averaged: epochs of whose weights the best are the mean; 0 where they are those of one.
    """

    epoch: int = 0
    step: int = 0
    best: float | None = None
    best_epoch: int = 0
    best_loss: float | None = None
    stale: int = 0
    seconds: float = 0.0
    waited: float = 0.0
    first: float = 0.0
    rows: int = 0
    tokens: int = 0
    places: int = 0
    history: list[dict[str, float]] = dataclasses.field(default_factory=list)
    averaged: int = 0

    def observe(self, score: float, monitor: Monitor, loss: float | None = None) -> bool:
        """Takes the validation score of the next epoch; returns whether it is the best so far.

        Of equal scores, the one of the lowest validation loss is the best.
        """
        better = monitor.improved(score, self.best)
        if score == self.best and loss is not None and self.best_loss is not None:
            better = loss < self.best_loss
        if better:
            self.best, self.best_epoch, self.stale = score, self.epoch, 0
            self.best_loss = loss
        else:
            self.stale += 1
        return better

    def is_stale(self, patience: int) -> bool:
        """Whether so many epochs, at least one, have brought nothing better."""
        return 0 < patience <= self.stale


def _variables(model: keras.Model) -> list[Any]:
    # Weights come with the states of the random generators of dropout.
    return [*model.variables, *model.optimizer.variables]


def save(folder: Path, model: keras.Model, state: State, *, write: bool = True) -> None:
    """Writes a checkpoint and deletes those that are no longer needed.

    Args:
      write: whether this process does so. All workers have to call this, because a running metric
        is read by adding up what each of them has.
    """
    values = [*map(np.asarray, _variables(model)), *read_metrics(model)]
    if not write:
        return
    kept = folder / f"{state.epoch:05d}-{state.step:08d}.npz"
    with (
        files.atomic_write(kept) as temporary,
        open(temporary, "wb") as file,
    ):
        arrays = {f"v{i}": value for i, value in enumerate(values)}
        arrays["state"] = np.array(json.dumps(dataclasses.asdict(state)))
        np.savez(file, **arrays)
    written = files_in(folder)
    # One from later than this is damaged, or training would have gone on from it.
    good = [path for path in written if path <= kept]
    for path in written:
        if path not in good[-KEEP:]:
            path.unlink(missing_ok=True)


def files_in(folder: Path) -> list[Path]:
    """Returns the checkpoints in a folder, the oldest first."""
    return sorted(folder.glob("[0-9]*.npz"))


def newest(folder: Path) -> tuple[State, list[np.ndarray], list[str]] | None:
    """Reads the newest checkpoint that is not damaged.

    Returns:
      The state, the values of all variables, and one line for each damaged file that was
      passed over; or None where there is no checkpoint.
    """
    notes: list[str] = []
    for path in reversed(files_in(folder)):
        wrong = files.verify_archive(path)
        if wrong is None:
            try:
                with open(path, "rb") as file, np.load(file) as arrays:
                    state = State(**json.loads(str(arrays["state"])))
                    values = [arrays[f"v{i}"] for i in range(len(arrays.files) - 1)]
                return state, values, notes
            except (OSError, ValueError, KeyError, TypeError) as error:
                wrong = str(error)
        notes.append(f"checkpoint {path.name} is damaged ({wrong}); using the one before it")
    if notes:
        notes[-1] = notes[-1].replace("using the one before it", "starting from the beginning")
        return State(), [], notes
    return None


def restore(model: keras.Model, values: list[np.ndarray], *, metrics: bool) -> None:
    """Sets the variables of a built, compiled model.

    Args:
      metrics: whether to set only the running metrics (which exist once `fit` has begun), or
        only the others.
    """
    chosen = _variables(model)
    if metrics:
        write_metrics(model, values[len(chosen) :])
        return
    for variable, value in zip(chosen, values[: len(chosen)], strict=True):
        variable.assign(value)


def repair(run: Path, model: keras.Model, state: State) -> list[str]:
    """Writes the weights of a run that goes on, again where they are damaged.

    Args:
      run: folder of `model-last.keras` and `model-best.keras`.
      model: with the values of the checkpoint.
      state: of the checkpoint.

    Returns:
      One line for each file that was damaged.

    Raises:
      ZooError: the best weights are lost.
    """
    if not state.epoch:
        return []
    notes = []
    last, best = run / "model-last.keras", run / "model-best.keras"
    wrong = files.verify_archive(last)
    if wrong:
        notes.append(f"{last.name} is damaged ({wrong}); writing it again")
        if not state.step:  # else the weights of that epoch are gone, and this one's come soon
            with files.atomic_write(last) as temporary, averaged(model):
                model.save(temporary)
            wrong = None
    lost = files.verify_archive(best)
    if lost:
        if wrong or state.stale:
            raise ZooError(
                f"{best} is damaged ({lost}), and nothing else holds the weights of epoch "
                f"{state.best_epoch}, the best. Restore it, or start from scratch with --overwrite."
            )
        notes.append(f"{best.name} is damaged ({lost}); copying {last.name}, of the same epoch")
        with files.atomic_write(best) as temporary:
            shutil.copyfile(last, temporary)
    return notes
