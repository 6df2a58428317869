"""The metric that Keras accumulates during training and validation."""

from __future__ import annotations

import keras
from keras import KerasTensor, ops

from zoo.losses import ids_of


@keras.saving.register_keras_serializable("zoo")
class PieceAccuracy(keras.metrics.Metric):
    """Share of the real pieces that have the highest logit, over all batches.

    Keras' `accuracy` divides the correct steps of each batch by the length of the batch, so that
    pieces of short sentences count more. Here each piece counts once.

    Call arguments:
      y_true: ids `(batch, time)`, 0 at padding.
      y_pred: float logits `(batch, time, ids)`.
    """

    def __init__(self, name: str = "accuracy", **kwargs: object) -> None:
        super().__init__(name=name, **kwargs)
        self.correct = self.add_weight(name="correct", initializer="zeros")
        self.pieces = self.add_weight(name="pieces", initializer="zeros")

    def update_state(
        self, y_true: KerasTensor, y_pred: KerasTensor, sample_weight: KerasTensor | None = None
    ) -> None:
        ids = ids_of(y_true)
        real = ids != 0
        correct = real & (ops.cast(ops.argmax(y_pred, axis=-1), "int32") == ids)
        self.correct.assign_add(ops.sum(ops.cast(correct, self.dtype)))
        self.pieces.assign_add(ops.sum(ops.cast(real, self.dtype)))

    def result(self) -> KerasTensor:
        return self.correct / ops.maximum(self.pieces, 1)
