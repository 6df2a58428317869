"""Serving signatures of networks that forecast prices: functions from prices to distributions."""

from __future__ import annotations

import keras
import tensorflow as tf

from recipes.prices import series
from recipes.prices.calibration import calibrated
from zoo.assets import Assets
from zoo.bounds import marked
from zoo.serving.signatures import Functions

BARS = ("open", "high", "low", "close")
# The quantiles of the price that are served: the ends of three bands, and the middle.
LEVELS = (0.025, 0.1, 0.25, 0.5, 0.75, 0.9, 0.975)
NAMES = ("low_95", "low_80", "low_50", "median", "high_50", "high_80", "high_95")


def forecast_signatures(model: keras.Model, assets: Assets, max_days: int) -> Functions:
    """Returns the signatures of a forecaster: keyword arguments of `zoo.serving.Served`.

    Args:
      model: features of each day to the four numbers of a `ForecastHead` for each of H days.
      assets: `mean` and `deviation` of the features.
      max_days: maximum length of a series; a longer one has no forecast.

    Returns:
      `answer`: `close`, float32 `(batch, time)`, 0 at padding, to what is forecast at the end of
      each series, float32 `(batch, H)`: the quantiles `NAMES` of the price; of the log return over
      k days, its `mean`, its standard deviation `volatility`, and `rise`, the probability that it
      is above 0.

      `others`: `bars`, the same for `BARS`, float32 `(batch, time)` each.

      `forecast`: `BARS` to the forecasts of each day, float32 `(batch, time, H)`: `location`,
      `scale` and `freedom` of Student's t, and `variance`; and `length`, int32 `(batch,)`, in days.

      All return `valid` and `problem`: see `recipes.prices.series.check_series`.
    """

    def forecasts(
        close: tf.Tensor, *bars: tf.Tensor
    ) -> tuple[dict[str, tf.Tensor], dict[str, tf.Tensor]]:
        """Returns the forecasts of each day, `(batch, time, H)`, and what the days are."""
        days = series.describe_days(close, *bars)
        numbers = model(series.standardised(assets, days), training=False)
        base = days["variance"][..., tf.newaxis]
        found = {
            "location": numbers[..., 0] * tf.sqrt(base),
            "scale": numbers[..., 1] * tf.sqrt(base),
            "freedom": numbers[..., 2],
            "variance": numbers[..., 3] * base,
        }
        scale, volatility = calibrated(days["returns"], days["real"], found)
        return {**found, "scale": scale, "volatility": volatility}, days

    def last(close: tf.Tensor, *bars: tf.Tensor) -> dict[str, tf.Tensor]:
        """Returns what is forecast at the end of each series, `(batch, H)`."""
        checked, problem = series.check_series([*bars, close], max_days)
        found, days = forecasts(checked[-1], *checked[:-1])
        places = tf.range(tf.shape(days["close"])[1])
        day = tf.reduce_max(tf.where(days["real"], places, 0), axis=1)  # (batch,)
        now = {name: tf.gather(value, day, batch_dims=1) for name, value in found.items()}
        student = (now["location"], now["scale"], now["freedom"])
        returns = series.student_quantiles(*student, LEVELS)  # (batch, H, quantiles)
        price = tf.gather(days["close"], day, batch_dims=1)[:, tf.newaxis, tf.newaxis]
        prices = price * tf.exp(returns)
        outputs = {
            **dict(zip(NAMES, tf.unstack(prices, axis=-1), strict=True)),
            "mean": now["location"],  # of the log return over k days
            "volatility": now["volatility"],  # its standard deviation
            "rise": series.student_above(*student),  # probability
        }
        return marked(outputs, problem)

    opened, high, low, close = (tf.TensorSpec([None, None], tf.float32, name=n) for n in BARS)

    @tf.function(input_signature=[close], autograph=False)
    def closes(close: tf.Tensor) -> dict[str, tf.Tensor]:
        return last(close)

    @tf.function(input_signature=[opened, high, low, close], autograph=False)
    def bars(
        open: tf.Tensor, high: tf.Tensor, low: tf.Tensor, close: tf.Tensor
    ) -> dict[str, tf.Tensor]:
        return last(close, open, high, low)

    @tf.function(input_signature=[opened, high, low, close], autograph=False)
    def walk(
        open: tf.Tensor, high: tf.Tensor, low: tf.Tensor, close: tf.Tensor
    ) -> dict[str, tf.Tensor]:
        checked, problem = series.check_series([open, high, low, close], max_days)
        found, days = forecasts(checked[-1], *checked[:-1])
        del found["volatility"]
        length = tf.reduce_sum(tf.cast(days["real"], tf.int32), axis=1)
        return marked({**found, "length": length}, problem)

    return {"answer": closes, "forecast": walk, "others": {"bars": bars}}
