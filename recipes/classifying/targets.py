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


def with_logits(y: np.ndarray, logits: np.ndarray) -> np.ndarray:
    """Returns targets with logits to add to those of the network, float32 `(rows, 2, classes)`.

    Args:
      y: classes `(rows,)` or probabilities `(rows, classes)`.
      logits: `(rows, classes)`.
    """
    targets = np.eye(logits.shape[1], dtype="float32")[y] if y.ndim == 1 else y
    return np.stack([targets, logits], axis=1).astype("float32")


class LogitWeighting:
    """Weights targets `with_logits` by the class of each row: a `zoo.data.batching.Weighting`.

    The probabilities of a row are multiplied by its weight, which is equivalent: the cross-entropy
    is linear in them. The logits beside them come from a model trained without weights w. Adding
    log w turns its probabilities into those that minimise the weighted loss.
    """

    def classes(self, y: np.ndarray) -> np.ndarray:
        """Returns the class of each row of targets, int `(rows,)`."""
        return y[:, 0].argmax(axis=-1)

    def weighted(self, y: np.ndarray, weights: np.ndarray) -> np.ndarray:
        """Returns weighted targets, `(rows, 2, classes)`.

        Args:
          y: targets `(rows, 2, classes)`, or classes `(rows,)`, whose logits are 0.
          weights: of each class.
        """
        if y.ndim == 1:
            y = with_logits(y, np.zeros((len(y), len(weights))))
        y = y.copy()
        y[:, 0] *= weights[self.classes(y), None].astype(y.dtype)
        y[:, 1] += np.log(weights).astype(y.dtype)
        return y


@keras.saving.register_keras_serializable("zoo")
class ClassCrossEntropy(keras.losses.Loss):
    """Cross-entropy between classes or probabilities and predicted probabilities, in nats.

    Call arguments:
      y_true: classes `(batch,)`; probabilities `(batch, classes)`; or both these and logits to
        add to those of the model, `(batch, 2, classes)`: see `with_logits`.
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
