"""Calibration of probabilities by temperature scaling (Guo et al. 2017)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax

from zoo.data.batching import Batches
from zoo.metrics.classification import expected_calibration_error

if TYPE_CHECKING:
    import keras

    from zoo.data import Ragged

MIN_ROWS = 500  # of the validation split; from fewer, a temperature is a guess
LIMITS = (0.05, 20.0)


def calibrate(
    model: keras.Model, rows: Ragged, labels: Sequence[str], classes: Sequence[str]
) -> dict[str, str | float]:
    """Divides the logits by the temperature that minimises the cross-entropy of validation rows.

    Only the probabilities change, not the predicted classes. The weights of the last layer are
    divided, so that the network stays as small and fast as before.

    Args:
      model: ends in a dense layer with softmax; its weights are changed.
      rows: word ids of the validation rows.
      labels: their classes.
      classes: the class names, sorted.

    Returns:
      `text`, readable; `temperature`; `ece_before` and `ece`, the expected calibration error of
      the validation rows. `{}` if there are too few rows.
    """
    if len(labels) < MIN_ROWS:
        return {}
    found = Batches(rows, np.searchsorted(np.array(classes), np.array(labels)), batch_size=64)
    parts = [found.take(index) for index in found.sorted_order()]
    probabilities = np.concatenate([model(ids, training=False) for ids, _ in parts])
    logits = np.log(np.maximum(probabilities.astype("float64"), 1e-30))
    truth = np.concatenate([part for _, part in parts])
    temperature = best_temperature(logits, truth)
    before = _ece(logits, truth)
    layer = model.layers[-1]
    layer.set_weights([weight / temperature for weight in layer.get_weights()])
    after = _ece(logits / temperature, truth)
    text = (
        f"Probabilities are calibrated with temperature {temperature:.2f} (validation split): the "
        f"expected calibration error is {after:.3f} instead of {before:.3f}"
    )
    return {"text": text, "temperature": temperature, "ece_before": before, "ece": after}


def best_temperature(logits: np.ndarray, truth: np.ndarray) -> float:
    """Returns the temperature that minimises the cross-entropy of logits.

    Args:
      logits: float `(rows, classes)`, up to a constant for each row.
      truth: int `(rows,)`.
    """
    places = np.arange(len(truth))

    def loss(log_temperature: float) -> float:
        return float(-log_softmax(logits / np.exp(log_temperature), axis=1)[places, truth].mean())

    found = minimize_scalar(loss, bounds=tuple(np.log(LIMITS)), method="bounded")
    return float(np.exp(found.x))


def _ece(logits: np.ndarray, truth: np.ndarray) -> float:
    probabilities = np.exp(log_softmax(logits, axis=1))
    right = probabilities.argmax(axis=1) == truth
    return expected_calibration_error(right, probabilities.max(axis=1))
