"""Targets of a classifier: the class of a row, or the probabilities of teachers."""

from __future__ import annotations

from collections.abc import Sequence

import keras
import numpy as np
from keras import ops

from zoo.assets import Json
from zoo.data import Examples
from zoo.tensors import Tensor


def class_targets(examples: Examples, labels: Sequence[str]) -> np.ndarray:
    """Returns the targets of a classifier.

    Args:
      examples: a column `label`; optionally `probabilities`, a dict of class name to number per
        row, which takes precedence.
      labels: class names, in the order of the network's output.

    Returns:
      int32 `(rows,)`, or float32 `(rows, classes)` of probabilities.
    """
    if "probabilities" in examples:
        rows = [[row[label] for label in labels] for row in examples["probabilities"]]
        return np.array(rows, "float32")
    classes = {label: number for number, label in enumerate(labels)}
    return np.array([classes[label] for label in examples["label"]], "int32")


@keras.saving.register_keras_serializable("zoo")
class ClassCrossEntropy(keras.losses.Loss):
    """Cross-entropy between classes or probabilities and predicted probabilities, in nats.

    Call arguments:
      y_true: classes `(batch,)`; probabilities `(batch, classes)`; or both these and logits to
        add to those of the model, `(batch, 2, classes)`: see `recipes.classifying.wide`.
      y_pred: probabilities `(batch, classes)`.
    """

    def __init__(self, name: str = "class_cross_entropy", **kwargs: object) -> None:
        super().__init__(name=name, **kwargs)

    def call(self, y_true: Tensor, y_pred: Tensor) -> Tensor:
        y_true, y_pred = _with_logits(y_true, y_pred)
        if len(y_true.shape) == len(y_pred.shape):
            return ops.categorical_crossentropy(y_true, y_pred)
        return keras.losses.sparse_categorical_crossentropy(y_true, y_pred)


def class_probabilities(y_true: Tensor, y_pred: Tensor) -> Tensor:
    """Returns the probabilities that the loss compares with the target, float `(batch, classes)`.

    Args:
      y_true, y_pred: as of `ClassCrossEntropy`.
    """
    return _with_logits(y_true, y_pred)[1]


def _with_logits(y_true: Tensor, y_pred: Tensor) -> tuple[Tensor, Tensor]:
    """Adds logits in the target to those of the model."""
    if len(y_true.shape) < 3:
        return y_true, y_pred
    log = ops.log(ops.maximum(y_pred, keras.config.epsilon()))
    return y_true[:, 0], ops.softmax(log + ops.cast(y_true[:, 1], log.dtype))


def _right(y_true: Tensor, y_pred: Tensor) -> Tensor:
    """Returns 1 where the most probable class is the true one, otherwise 0: float `(batch,)`."""
    y_true, y_pred = _with_logits(y_true, y_pred)
    if len(y_true.shape) == len(y_pred.shape):
        return keras.metrics.categorical_accuracy(y_true, y_pred)
    return keras.metrics.sparse_categorical_accuracy(y_true, y_pred)


@keras.saving.register_keras_serializable("zoo")
class ClassAccuracy(keras.metrics.MeanMetricWrapper):
    """Share of rows whose most probable class is right; arguments as of `ClassCrossEntropy`."""

    def __init__(
        self, name: str = "accuracy", dtype: str | keras.DTypePolicy | None = None
    ) -> None:
        super().__init__(_right, name=name, dtype=dtype)

    def get_config(self) -> dict[str, Json]:
        return {"name": self.name, "dtype": self.dtype}
