"""Losses of sequences, a term a step: the mean over the real steps of the global batch."""

from __future__ import annotations

import math
from typing import Any

import keras
from keras import ops

from zoo.layers.crf import forward


class StepLoss(keras.losses.Loss):
    """The mean of a term over all real steps of a batch, in nats.

    Keras takes the mean over the steps of each replica, and of these means the mean, which counts
    a step of a replica with short rows for more. Here replicas agree on how many steps there are,
    so that two train what one trains.

    Call arguments:
      y_true: `(batch, time, ...)`; int `(batch, time)`, 0 at padding, unless `real` is redefined.
      y_pred: `(batch, time, ...)`.
    """

    def __init__(self, name: str | None = None, **kwargs: Any) -> None:
        # Of a sum, Keras 3.15 takes what replicas have as it is; a mean it would divide once more.
        super().__init__(name=name, **{**kwargs, "reduction": "sum"})

    def terms(self, y_true: Any, y_pred: Any) -> Any:
        """Returns float32 `(batch, time)`; padding may have any."""
        raise NotImplementedError

    def real(self, y_true: Any) -> Any:
        """Returns bool `(batch, time)`: which steps count."""
        return ops.not_equal(_ids(y_true), 0)

    def call(self, y_true: Any, y_pred: Any) -> Any:
        real = self.real(y_true)
        count = _over_replicas(ops.sum(ops.cast(real, "float32")))
        return ops.where(real, self.terms(y_true, y_pred), 0.0) / ops.maximum(count, 1.0)


@keras.saving.register_keras_serializable("zoo")
class SmoothedCrossEntropy(StepLoss):
    """Cross-entropy of ids against logits, with label smoothing.

    The true id has the share 1 - s of the target, and all ids, it too, have s in equal parts
    (Szegedy et al.: Rethinking the Inception Architecture, CVPR 2016). Keras smooths one-hot
    targets only, which take the memory of the logits once more.

    Args:
      smoothing: s, from 0 (plain cross-entropy) to below 1.

    Call arguments:
      y_true: ids `(batch, time)`, 0 at padding.
      y_pred: float logits `(batch, time, ids)`.

    Raises:
      ValueError: `smoothing` is not in this range.
    """

    def __init__(
        self, smoothing: float = 0.1, name: str = "smoothed_cross_entropy", **kwargs: Any
    ) -> None:
        super().__init__(name=name, **kwargs)
        if not 0 <= smoothing < 1:
            raise ValueError(f"smoothing must be at least 0 and below 1; got {smoothing!r}.")
        self.smoothing = smoothing

    def terms(self, y_true: Any, y_pred: Any) -> Any:
        true = ops.take_along_axis(y_pred, ops.expand_dims(_ids(y_true), -1), axis=-1)
        true = ops.squeeze(true, -1)
        share = (1 - self.smoothing) * true + self.smoothing * ops.mean(y_pred, axis=-1)
        return ops.logsumexp(y_pred, axis=-1) - share

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "smoothing": self.smoothing}


@keras.saving.register_keras_serializable("zoo")
class CRFLoss(StepLoss):
    """Negative log-likelihood of the true tags under a `zoo.layers.CRF`.

    The term of step t is log Z_t - log Z_{t-1} - scores[t, y_{t-1}, y_t], where Z_t sums over
    the sequences up to t: the terms of a row add up to -log p(y).

    Call arguments:
      y_true: int `(batch, time)`: tag + 1; 0 at padding, on the right.
      y_pred: float `(batch, time, tags, tags)`: scores of a `CRF`.
    """

    def __init__(self, name: str = "crf_loss", **kwargs: Any) -> None:
        super().__init__(name=name, **kwargs)

    def terms(self, y_true: Any, y_pred: Any) -> Any:
        scores = ops.cast(y_pred, "float32")
        tags = scores.shape[-1]
        _, steps = forward(scores)
        tag = ops.maximum(_ids(y_true) - 1, 0)
        before = ops.pad(tag[:, :-1], [[0, 0], [1, 0]])  # at step 0 any will do
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

    def __init__(self, name: str = "tag_loss", **kwargs: Any) -> None:
        super().__init__(name=name, **kwargs)

    def terms(self, y_true: Any, y_pred: Any) -> Any:
        return keras.losses.sparse_categorical_crossentropy(
            ops.maximum(_ids(y_true) - 1, 0), ops.cast(y_pred, "float32")
        )


@keras.saving.register_keras_serializable("zoo")
class FrameLoss(StepLoss):
    """Negative log-likelihood of frames: binary cross-entropy, summed over the keys of a frame.

    Call arguments:
      y_true: float `(batch, time, keys + 1)`: 1 for each key that sounds; the last column is 1
        for a frame and 0 for padding, because a silent frame counts like any other.
      y_pred: float logits `(batch, time, keys)`.
    """

    def __init__(self, name: str = "frame_loss", **kwargs: Any) -> None:
        super().__init__(name=name, **kwargs)

    def real(self, y_true: Any) -> Any:
        return y_true[..., -1] > 0

    def terms(self, y_true: Any, y_pred: Any) -> Any:
        return frame_nats(y_true[..., :-1], y_pred)


@keras.saving.register_keras_serializable("zoo")
class CTCLoss(keras.losses.Loss):
    """-log p(ids | row), summed over all alignments; the mean over the rows of the global batch.

    A. Graves et al.: Connectionist Temporal Classification, ICML 2006. An alignment has an id a
    step; its text is what is left without repetitions and then without blanks, id 0.

    `keras.losses.CTC` takes what is padded for steps that were heard: here
    `zoo.layers.BlankPadding` has made the blank certain there, which changes no probability. And
    the mean is that of the global batch, as of a `StepLoss`.

    Call arguments:
      y_true: int `(batch, length)`, 0 at padding, on the right.
      y_pred: float logits `(batch, time, ids)`, of a `BlankPadding`.
    """

    def __init__(self, name: str = "ctc_loss", **kwargs: Any) -> None:
        super().__init__(name=name, **{**kwargs, "reduction": "sum"})

    def call(self, y_true: Any, y_pred: Any) -> Any:
        target, logits = _ids(y_true), ops.cast(y_pred, "float32")
        rows, steps = ops.shape(logits)[:2]
        # One more row, because TensorFlow fails without any, and a replica may have none.
        target, logits = _one_more(target), _one_more(logits)
        lengths = ops.sum(ops.cast(ops.not_equal(target, 0), "int32"), axis=-1)
        nats = ops.ctc_loss(target, logits, lengths, ops.full((rows + 1,), steps, dtype="int32"))
        return nats[:rows] / _over_replicas(ops.cast(rows, "float32"))


@keras.saving.register_keras_serializable("zoo")
class ForecastLoss(StepLoss):
    """Negative log-likelihood of Student's t, plus QLIKE of the variance.

    QLIKE, log f + v / f, ranks variance forecasts f alike whether v is the variance itself or an
    unbiased proxy of it (A. Patton: Volatility Forecast Comparison Using Imperfect Volatility
    Proxies, Journal of Econometrics 2011).

    Args:
      qlike: weight of QLIKE against the nats.

    Call arguments:
      y_true: float `(batch, time, H, 3)`: the sum, the proxy of its variance, and 1 where both
        are known.
      y_pred: float `(batch, time, H, 4)` of a `ForecastHead`.
    """

    def __init__(self, qlike: float = 1.0, name: str = "forecast_loss", **kwargs: Any) -> None:
        super().__init__(name=name, **kwargs)
        self.qlike = qlike

    def real(self, y_true: Any) -> Any:
        return ops.any(y_true[..., 2] > 0, axis=-1)

    def terms(self, y_true: Any, y_pred: Any) -> Any:
        y_true, y_pred = ops.cast(y_true, "float32"), ops.cast(y_pred, "float32")
        value, proxy, known = (y_true[..., i] for i in range(3))
        location, scale, freedom, variance = (y_pred[..., i] for i in range(4))
        nats = student_nats(value, location, scale, freedom)
        both = nats + self.qlike * (ops.log(variance) + proxy / variance)
        return ops.mean(ops.where(known > 0, both, 0.0), axis=-1)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "qlike": self.qlike}


def student_nats(value: Any, location: Any, scale: Any, freedom: Any) -> Any:
    """Returns -log p of Student's t, float32 of the arguments' common shape."""
    square = ops.square((value - location) / scale)
    half = 0.5 * freedom
    return (
        _log_gamma(half)
        - _log_gamma(half + 0.5)
        + 0.5 * ops.log(math.pi * freedom)
        + ops.log(scale)
        + (half + 0.5) * ops.log1p(square / freedom)
    )


def _log_gamma(x: Any) -> Any:
    """Returns log Γ(x) for x > 0; `keras.ops` has none.

    Stirling's series at x + 4, where three terms leave an error below 1e-6, and back.
    """
    back = ops.log(x) + ops.log(x + 1) + ops.log(x + 2) + ops.log(x + 3)
    x = x + 4.0
    series = 1 / (12 * x) - 1 / (360 * x**3) + 1 / (1260 * x**5)
    return (x - 0.5) * ops.log(x) - x + 0.5 * math.log(2 * math.pi) + series - back


def frame_nats(frame: Any, logits: Any) -> Any:
    """Returns -log p of frames, float32 `(...,)`.

    Args:
      frame: `(..., keys)`: 1 for each key that sounds.
      logits: float `(..., keys)`; they may depend on keys of the frame.
    """
    logits = ops.cast(logits, "float32")
    return ops.sum(ops.softplus(logits) - ops.cast(frame, "float32") * logits, axis=-1)


def _one_more(rows: Any) -> Any:
    """Returns `(batch, ...)` with a row of zeros at the end."""
    return ops.pad(rows, [[0, 1], *([[0, 0]] * (len(rows.shape) - 1))])


def _ids(y_true: Any) -> Any:
    return ops.cast(y_true, "int32")  # Keras hands ids over as floats


def _over_replicas(value: Any) -> Any:
    """Returns the sum of a scalar over the replicas of `tf.distribute`."""
    if keras.backend.backend() != "tensorflow":
        return value
    import tensorflow as tf

    context = tf.distribute.get_replica_context()
    if context is None or context.num_replicas_in_sync == 1:
        return value
    return context.all_reduce(tf.distribute.ReduceOp.SUM, value)
