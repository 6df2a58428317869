"""Averages of weights, over steps or epochs: used for validation and serving, not for training.

B. Polyak, A. Juditsky: Acceleration of Stochastic Approximation by Averaging, SIAM J. Control and
Optimization 30 (1992); over steps, exponential, as Keras' optimizers keep it. P. Izmailov et al.:
Averaging Weights Leads to Wider Optima and Better Generalization, UAI 2018.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np

from zoo import files
from zoo.errors import ZooError
from zoo.training.diagnostics import monitored
from zoo.training.keras_private import moving_averages, optimizer_variables


@contextlib.contextmanager
def averaged(model: keras.Model) -> Iterator[None]:
    """Context in which a compiled model has its averaged weights; no effect if there are none."""
    optimizer = monitored(model)
    if optimizer is None or not optimizer.use_ema:
        yield
        return
    variables = optimizer_variables(optimizer)
    # Restored bit for bit, so that training continues exactly as without this context.
    kept, means = _values(variables), _values(moving_averages(optimizer))
    _give(model, variables, means)
    try:
        yield
    finally:
        _give(model, variables, kept)


def _values(variables: Sequence[Any]) -> list[np.ndarray]:
    return [np.copy(np.asarray(variable)) for variable in variables]


def _give(model: keras.Model, variables: Sequence[Any], values: list[np.ndarray]) -> None:
    with model.distribute_strategy.scope():
        for variable, value in zip(variables, values, strict=True):
            variable.assign(value)


def keep_epoch(folder: Path, model: keras.Model, epoch: int, last: int) -> None:
    """Writes the weights after an epoch, for `take_mean`, and deletes those no longer needed.

    Args:
      folder: folder of the checkpoints.
      model: its trainable weights are written.
      epoch: number of the epoch, from 1.
      last: number of final epochs whose weights are averaged at the end.
    """
    with files.atomic_write(_file(folder, epoch)) as temporary, open(temporary, "wb") as file:
        np.savez(file, *_values(model.trainable_variables))
    _file(folder, epoch - last).unlink(missing_ok=True)


def take_mean(folder: Path, model: keras.Model, epoch: int, last: int) -> int:
    """Sets the weights of a model to their mean over the last epochs.

    Args:
      folder: where `keep_epoch` wrote them.
      model: receives the mean.
      epoch: number of the last epoch.
      last: number of epochs to average; fewer if not as many are available.

    Returns:
      The number of epochs averaged; 0 if there are fewer than two and the model is unchanged.

    Raises:
      ZooError: a file is damaged.
    """
    paths = [_file(folder, each) for each in range(max(1, epoch - last + 1), epoch + 1)]
    paths = [path for path in paths if path.exists()]
    if len(paths) < 2:
        return 0
    variables = model.trainable_variables
    total = [np.zeros(variable.shape) for variable in variables]
    for path in paths:
        wrong = files.verify_archive(path)
        if wrong is not None:
            raise ZooError(
                f"{path} is damaged ({wrong}). Delete it: the mean is then that of the other "
                "epochs."
            )
        with np.load(path) as arrays:
            for place, name in enumerate(arrays.files):
                total[place] += arrays[name]
    _give(model, variables, [(value / len(paths)).astype("float32") for value in total])
    return len(paths)


def _file(folder: Path, epoch: int) -> Path:
    return folder / f"weights-{epoch:05d}.npz"


class ValidateAveraged(keras.callbacks.Callback):
    """Uses the averaged weights during validation."""

    def on_test_begin(self, logs: dict | None = None) -> None:
        self._during = contextlib.ExitStack()
        self._during.enter_context(averaged(self.model))

    def on_test_end(self, logs: dict | None = None) -> None:
        self._during.close()
