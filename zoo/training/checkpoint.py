"""Checkpoints from which a run resumes exactly, even in the middle of an epoch.

Keras' `BackupAndRestore` does not save the position inside the epoch, the running metrics and the
state of early stopping; these checkpoints do. Everything is in a single file, so that it is either
complete or absent. Its parts carry checksums (a ZIP's CRC-32).
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
    """State of a training.

    Attributes:
      epoch: number of complete epochs.
      step: number of completed steps of the next epoch.
      best: the best validation score so far, None before the first.
      best_epoch: its epoch, from 1.
      best_loss: its validation loss, None if unknown.
      stale: epochs since then.
      seconds: time spent in training steps, over all sessions of the run.
      waited: part of `seconds` in which a step waited for its batch, first steps omitted.
      first: part of `seconds` taken by the first step of each epoch.
      epoch_seconds: part of `seconds` in each complete epoch.
      other_cores: mean number of cores that other processes used, for each epoch; of an interrupted
        one since it was resumed; None if unknown.
      rows, tokens, places: what the steps have read (see `zoo.data.Batches.sizes`).
      history: one dict per epoch.
      averaged: number of epochs over which the best weights are averaged; 0 if they are those of
        a single epoch.
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
    epoch_seconds: list[float] = dataclasses.field(default_factory=list)
    other_cores: list[float | None] = dataclasses.field(default_factory=list)
    rows: int = 0
    tokens: int = 0
    places: int = 0
    history: list[dict[str, float]] = dataclasses.field(default_factory=list)
    averaged: int = 0

    def observe(self, score: float, monitor: Monitor, loss: float | None = None) -> bool:
        """Records the validation score of the next epoch; returns whether it is the best so far.

        Ties are broken by the lowest validation loss.
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
        """Whether the score has not improved for `patience` epochs, at least one."""
        return 0 < patience <= self.stale


def _variables(model: keras.Model) -> list[Any]:
    # `model.variables` include the states of dropout's random generators.
    return [*model.variables, *model.optimizer.variables]


def save(folder: Path, model: keras.Model, state: State, *, write: bool = True) -> None:
    """Writes a checkpoint and deletes those that are no longer needed.

    Args:
      write: whether this process writes. All workers must call this, because a running metric is
        the sum over all of them.
    """
    values = [*map(np.asarray, _variables(model)), *read_metrics(model)]
    if not write:
        return
    kept = folder / f"{state.epoch:05d}-{state.step:08d}.npz"
    with (
        files.atomic_write(kept) as temporary,
        open(temporary, "wb") as file,
    ):
        arrays: dict[str, Any] = {f"v{i}": value for i, value in enumerate(values)}
        arrays["state"] = np.array(json.dumps(dataclasses.asdict(state)))
        np.savez(file, **arrays)
    written = files_in(folder)
    # A later one is damaged: otherwise training would have resumed from it.
    good = [path for path in written if path <= kept]
    for path in written:
        if path not in good[-KEEP:]:
            path.unlink(missing_ok=True)


def files_in(folder: Path) -> list[Path]:
    """Returns the checkpoints in a folder, oldest first."""
    return sorted(folder.glob("[0-9]*.npz"))


def newest(folder: Path) -> tuple[State, list[np.ndarray], list[str]] | None:
    """Reads the newest checkpoint that is not damaged.

    Returns:
      The state, the values of all variables, and one line for each damaged file that was
      skipped; or None if there is no checkpoint.
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
      metrics: True sets only the running metrics (which exist once `fit` has begun), False sets
        only the other variables.
    """
    chosen = _variables(model)
    if metrics:
        write_metrics(model, values[len(chosen) :])
        return
    for variable, value in zip(chosen, values[: len(chosen)], strict=True):
        variable.assign(value)


def repair(run: Path, model: keras.Model, state: State) -> list[str]:
    """Rewrites the weight files of a resumed run if they are damaged.

    Args:
      run: folder of `model-last.keras` and `model-best.keras`.
      model: holds the values of the checkpoint.
      state: state of the checkpoint.

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
        if not state.step:  # else the weights of that epoch are gone; this epoch writes new ones
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
