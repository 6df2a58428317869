"""The loss of connectionist temporal classification (CTC)."""

from __future__ import annotations

import keras
from keras import KerasTensor, ops

from zoo.losses import ids_of, sum_over_replicas


@keras.saving.register_keras_serializable("zoo")
class CTCLoss(keras.losses.Loss):
    """-log p(ids | row), summed over all alignments; the mean over the rows of the global batch.

    A. Graves et al.: Connectionist Temporal Classification, ICML 2006. An alignment has one
    id for each step; its text is the ids without repetitions and then without blanks, id 0.

    `keras.losses.CTC` treats padding as real steps. Here, `BlankPadding` sets the probability of
    the blank to 1 at padding, which does not change the probability of a text. The mean is over the
    global batch, as in `StepLoss`.

    Call arguments:
      y_true: int `(batch, length)`, 0 at padding, on the right.
      y_pred: float logits `(batch, time, ids)`, the output of a `BlankPadding`.
    """

    def __init__(self, name: str = "ctc_loss", **kwargs: object) -> None:
        super().__init__(name=name, **{**kwargs, "reduction": "sum"})

    def call(self, y_true: KerasTensor, y_pred: KerasTensor) -> KerasTensor:
        target, logits = ids_of(y_true), ops.cast(y_pred, "float32")
        rows, steps = ops.shape(logits)[:2]
        # One more row, because TensorFlow fails on an empty batch, which a replica may have.
        target, logits = _one_more(target), _one_more(logits)
        lengths = ops.sum(ops.cast(ops.not_equal(target, 0), "int32"), axis=-1)
        nats = ops.ctc_loss(target, logits, lengths, ops.full((rows + 1,), steps, dtype="int32"))
        return nats[:rows] / sum_over_replicas(ops.cast(rows, "float32"))


def _one_more(rows: KerasTensor) -> KerasTensor:
    """Appends a row of zeros to `(batch, ...)`."""
    return ops.pad(rows, [[0, 1], *([[0, 0]] * (len(rows.shape) - 1))])
