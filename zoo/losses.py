"""Losses of sequences, one term per step: the mean over the real steps of the global batch."""

from __future__ import annotations

from typing import TYPE_CHECKING

import keras
from keras import ops

from zoo.assets import Json
from zoo.tensors import Tensor

if TYPE_CHECKING:
    import tensorflow as tf


class StepLoss(keras.losses.Loss):
    """The mean of a term over all real steps of a batch, in nats.

    Keras averages over the steps of each replica, and then over replicas. Steps of a replica with
    short rows thereby get a larger weight. Here the number of steps is summed over replicas, so
    that several replicas give the same loss as one.

    Call arguments:
      y_true: `(batch, time, ...)`; int `(batch, time)`, 0 at padding, unless `real` is redefined.
      y_pred: `(batch, time, ...)`.
    """

    def __init__(self, name: str | None = None, **kwargs: object) -> None:
        # Keras 3.15 divides the loss of a replica by the number of replicas, unless it is a sum.
        super().__init__(name=name, **{**kwargs, "reduction": "sum"})

    def terms(self, y_true: Tensor, y_pred: Tensor) -> Tensor:
        """Returns float32 `(batch, time)`; values at padding are ignored."""
        raise NotImplementedError

    def real(self, y_true: Tensor) -> Tensor:
        """Returns bool `(batch, time)`, True at steps that count."""
        return ops.not_equal(ids_of(y_true), 0)

    def call(self, y_true: Tensor, y_pred: Tensor) -> Tensor:
        real = self.real(y_true)
        count = sum_over_replicas(ops.sum(ops.cast(real, "float32")))
        return ops.where(real, self.terms(y_true, y_pred), 0.0) / ops.maximum(count, 1.0)


@keras.saving.register_keras_serializable("zoo")
class SmoothedCrossEntropy(StepLoss):
    """Cross-entropy of ids against logits, with label smoothing.

    The target has the probability 1 - s for the true id, plus s spread uniformly over all ids
    (Szegedy et al.: Rethinking the Inception Architecture, CVPR 2016). Keras smooths only one-hot
    targets, which need as much memory as the logits.

    Args:
      smoothing: s, from 0 (plain cross-entropy) to below 1.

    Call arguments:
      y_true: ids `(batch, time)`, 0 at padding.
      y_pred: float logits `(batch, time, ids)`.

    Raises:
      ValueError: `smoothing` is not in this range.
    """

    def __init__(
        self, smoothing: float = 0.1, name: str = "smoothed_cross_entropy", **kwargs: object
    ) -> None:
        super().__init__(name=name, **kwargs)
        if not 0 <= smoothing < 1:
            raise ValueError(f"smoothing must be at least 0 and below 1; got {smoothing!r}.")
        self.smoothing = smoothing

    def terms(self, y_true: Tensor, y_pred: Tensor) -> Tensor:
        true = ops.take_along_axis(y_pred, ops.expand_dims(ids_of(y_true), -1), axis=-1)
        true = ops.squeeze(true, -1)
        expected = (1 - self.smoothing) * true + self.smoothing * ops.mean(y_pred, axis=-1)
        return ops.logsumexp(y_pred, axis=-1) - expected

    def get_config(self) -> dict[str, Json]:
        return {**super().get_config(), "smoothing": self.smoothing}


def ids_of(y_true: Tensor) -> Tensor:
    """Returns targets of any dtype and shape as int32 of the same shape."""
    return ops.cast(y_true, "int32")  # Keras passes ids as floats


def _context() -> tf.distribute.ReplicaContext | None:
    """Returns the `tf.distribute` context of one of several replicas; None for a single one."""
    if keras.backend.backend() != "tensorflow":
        return None
    import tensorflow as tf

    context = tf.distribute.get_replica_context()
    return context if context is not None and context.num_replicas_in_sync > 1 else None


def sum_over_replicas(value: Tensor) -> Tensor:
    """Returns the sum of a float tensor over the replicas of `tf.distribute`, in its dtype."""
    context = _context()
    return value if context is None else context.all_reduce("SUM", value)


def is_first_replica() -> float | Tensor:
    """Returns whether this is the first replica of `tf.distribute`: float32 `()`, 1 or 0."""
    context = _context()
    if context is None:
        return 1.0
    return ops.cast(ops.equal(context.replica_id_in_sync_group, 0), "float32")
