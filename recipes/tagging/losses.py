"""Losses of tags: of whole sequences under a CRF, and of single tags."""

from __future__ import annotations

import keras
from keras import KerasTensor, ops

from recipes.tagging.crf import forward
from zoo.losses import StepLoss, ids_of


@keras.saving.register_keras_serializable("zoo")
class CRFLoss(StepLoss):
    """Negative log-likelihood of the true tags under a `recipes.tagging.crf.CRF`.

    The term of step t is log Z_t - log Z_{t-1} - scores[t, y_{t-1}, y_t], where Z_t sums over
    the sequences up to t: the terms of a row add up to -log p(y).

    Call arguments:
      y_true: int `(batch, time)`: tag + 1; 0 at padding, on the right.
      y_pred: float `(batch, time, tags, tags)`: scores of a `CRF`.
    """

    def __init__(self, name: str = "crf_loss", **kwargs: object) -> None:
        super().__init__(name=name, **kwargs)

    def terms(self, y_true: KerasTensor, y_pred: KerasTensor) -> KerasTensor:
        scores = ops.cast(y_pred, "float32")
        tags = scores.shape[-1]
        _, steps = forward(scores)
        tag = ops.maximum(ids_of(y_true) - 1, 0)
        before = ops.pad(tag[:, :-1], [[0, 0], [1, 0]])  # at step 0, any tag gives the same score
        chosen = ops.one_hot(before * tags + tag, tags * tags, dtype="float32")
        flat = ops.reshape(scores, (*ops.shape(scores)[:2], tags * tags))
        return steps - ops.sum(flat * chosen, axis=-1)


@keras.saving.register_keras_serializable("zoo")
class TagLoss(StepLoss):
    """Negative log-likelihood of each true tag alone.

    Call arguments:
      y_true: int `(batch, time)`: tag + 1; 0 at padding.
      y_pred: float `(batch, time, tags)`: probabilities.
    """

    def __init__(self, name: str = "tag_loss", **kwargs: object) -> None:
        super().__init__(name=name, **kwargs)

    def terms(self, y_true: KerasTensor, y_pred: KerasTensor) -> KerasTensor:
        return keras.losses.sparse_categorical_crossentropy(
            ops.maximum(ids_of(y_true) - 1, 0), ops.cast(y_pred, "float32")
        )
