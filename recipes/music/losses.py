"""The loss of frames of notes."""

from __future__ import annotations

import keras
from keras import KerasTensor, ops

from zoo.losses import StepLoss

OVER = 2  # in the last column of `y_true`: the piece is over


@keras.saving.register_keras_serializable("zoo")
class FrameLoss(StepLoss):
    """Negative log-likelihood of frames: binary cross-entropy, summed over the keys of a frame.

    Call arguments:
      y_true: float `(batch, time, keys + 1)`: 1 for each key that sounds; the last column is 1
        for a frame, because a silent frame counts like any other, `OVER` for the step after the
        last frame of a piece, and 0 for padding.
      y_pred: float logits `(batch, time, keys)`; or `(batch, time, keys + 1)`, where the last one
        is the logit that the piece is over. The cross-entropy of that decision is added.
    """

    def __init__(self, name: str = "frame_loss", **kwargs: object) -> None:
        super().__init__(name=name, **kwargs)

    def real(self, y_true: KerasTensor) -> KerasTensor:
        return y_true[..., -1] > 0

    def terms(self, y_true: KerasTensor, y_pred: KerasTensor) -> KerasTensor:
        frame, kind = y_true[..., :-1], y_true[..., -1]
        keys = frame.shape[-1]
        nats = frame_nats(frame, y_pred[..., :keys])
        if y_pred.shape[-1] == keys:
            return nats
        over = ops.cast(kind == OVER, "float32")
        decision = ops.cast(y_pred[..., keys], "float32")
        return (1 - over) * nats + ops.softplus(decision) - over * decision


def frame_nats(frame: KerasTensor, logits: KerasTensor) -> KerasTensor:
    """Returns -log p of frames, float32 `(...,)`.

    Args:
      frame: `(..., keys)`: 1 for each key that sounds.
      logits: float `(..., keys)`; they may depend on keys of the frame.
    """
    logits = ops.cast(logits, "float32")
    return ops.sum(ops.softplus(logits) - ops.cast(frame, "float32") * logits, axis=-1)
