"""Loss of a forecast: Student's t likelihood and QLIKE of the variance."""

from __future__ import annotations

import math

import keras
from keras import KerasTensor, ops

from zoo.losses import StepLoss


@keras.saving.register_keras_serializable("zoo")
class ForecastLoss(StepLoss):
    """Negative log-likelihood of Student's t, plus QLIKE of the variance.

    QLIKE, log f + v / f, ranks variance forecasts f alike whether v is the variance itself or an
    unbiased proxy of it (A. Patton: Volatility Forecast Comparison Using Imperfect Volatility
    Proxies, Journal of Econometrics 2011).

    Args:
      qlike: weight of QLIKE relative to the log-likelihood.

    Call arguments:
      y_true: float `(batch, time, H, 3)`: the sum, the proxy of its variance, and 1 where both
        are known.
      y_pred: float `(batch, time, H, 4)` of a `ForecastHead`.
    """

    def __init__(self, qlike: float = 1.0, name: str = "forecast_loss", **kwargs: object) -> None:
        super().__init__(name=name, **kwargs)
        self.qlike = qlike

    def real(self, y_true: KerasTensor) -> KerasTensor:
        return ops.any(y_true[..., 2] > 0, axis=-1)

    def terms(self, y_true: KerasTensor, y_pred: KerasTensor) -> KerasTensor:
        y_true, y_pred = ops.cast(y_true, "float32"), ops.cast(y_pred, "float32")
        value, proxy, known = (y_true[..., i] for i in range(3))
        location, scale, df, variance = (y_pred[..., i] for i in range(4))
        nats = student_nats(value, location, scale, df)
        total = nats + self.qlike * (ops.log(variance) + proxy / variance)
        return ops.mean(ops.where(known > 0, total, 0.0), axis=-1)

    def get_config(self) -> dict[str, object]:
        return {**super().get_config(), "qlike": self.qlike}


def student_nats(
    value: KerasTensor, location: KerasTensor, scale: KerasTensor, df: KerasTensor
) -> KerasTensor:
    """Returns -log p of Student's t, in nats, float32 `(...)` as all arguments are."""
    square = ops.square((value - location) / scale)
    half = 0.5 * df
    return (
        _log_gamma(half)
        - _log_gamma(half + 0.5)
        + 0.5 * ops.log(math.pi * df)
        + ops.log(scale)
        + (half + 0.5) * ops.log1p(square / df)
    )


def _log_gamma(x: KerasTensor) -> KerasTensor:
    """Returns log Γ(x) for x > 0, which `keras.ops` lacks.

    Uses Stirling's series at x + 4, where the error of three terms is below 1e-6, and the
    recurrence of Γ back to x.
    """
    back = ops.log(x) + ops.log(x + 1) + ops.log(x + 2) + ops.log(x + 3)
    x = x + 4.0
    series = 1 / (12 * x) - 1 / (360 * x**3) + 1 / (1260 * x**5)
    return (x - 0.5) * ops.log(x) - x + 0.5 * math.log(2 * math.pi) + series - back
