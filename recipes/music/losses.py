"""The loss of frames of notes."""

from __future__ import annotations

import keras
from keras import KerasTensor, ops

from zoo.losses import StepLoss


@keras.saving.register_keras_serializable("zoo")
class FrameLoss(StepLoss):
    """Negative log-likelihood of frames: binary cross-entropy, summed over the keys of a frame.

    Call arguments:
      y_true: float `(batch, time, keys + 1)`: 1 for each key that sounds; the last column is 1
        for a frame and 0 for padding, because a silent frame counts like any other.
      y_pred: float logits `(batch, time, keys)`.
    """

    def __init__(self, name: str = "frame_loss", **kwargs: object) -> None:
        super().__init__(name=name, **kwargs)

    def real(self, y_true: KerasTensor) -> KerasTensor:
        return y_true[..., -1] > 0

    def terms(self, y_true: KerasTensor, y_pred: KerasTensor) -> KerasTensor:
        return frame_nats(y_true[..., :-1], y_pred)


def frame_nats(frame: KerasTensor, logits: KerasTensor) -> KerasTensor:
    """Returns -log p of frames, float32 `(...,)`.

    Args:
      frame: `(..., keys)`: 1 for each key that sounds.
      logits: float `(..., keys)`; they may depend on keys of the frame.
    """
    logits = ops.cast(logits, "float32")
    return ops.sum(ops.softplus(logits) - ops.cast(frame, "float32") * logits, axis=-1)
