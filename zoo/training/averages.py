"""The mean of weights over steps: what is validated, kept and served; training goes on without it.

B. Polyak, A. Juditsky: Acceleration of Stochastic Approximation by Averaging, SIAM J. Control and
Optimization 30 (1992); here exponential, as Keras' optimizers keep it.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import keras
import numpy as np

from zoo.training.diagnostics import monitored
from zoo.training.keras_private import moving_averages, optimizer_variables


@contextlib.contextmanager
def averaged(model: keras.Model) -> Iterator[None]:
    """Gives a compiled model the means of its weights for a while; nothing where there are none."""
    optimizer = monitored(model)
    if optimizer is None or not optimizer.use_ema:
        yield
        return
    variables = optimizer_variables(optimizer)
    # To the bit, so that what follows is the same with and without.
    kept = [np.copy(np.asarray(variable)) for variable in variables]
    means = [np.copy(np.asarray(mean)) for mean in moving_averages(optimizer)]

    def give(values: list[np.ndarray]) -> None:
        with model.distribute_strategy.scope():
            for variable, value in zip(variables, values, strict=True):
                variable.assign(value)

    give(means)
    try:
        yield
    finally:
        give(kept)


class ValidateAveraged(keras.callbacks.Callback):
    """Validates the means of the weights."""

    def on_test_begin(self, logs: dict | None = None) -> None:
        self._during = contextlib.ExitStack()
        self._during.enter_context(averaged(self.model))

    def on_test_end(self, logs: dict | None = None) -> None:
        self._during.close()
