"""Prices to what a network may see of them: returns and volatility, in the graph, never levels.

What day t gives depends on days up to t alone, whatever follows. Prices come as `(batch, time)`,
padded on the right with 0, which no price is; where a day lacks its open, high or low, they are 0.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

SPANS = (1, 5, 22, 66)  # days over which variances are averaged: day, week, month, quarter
DECAY = 0.94  # of the EWMA that everything is measured by (RiskMetrics, 1996)
SLOW = 0.985  # of the long-run level
TAPS = 256  # days that an average looks back, at most
FLOOR = 1e-10  # least variance of a day: a deviation of 0.001 %
SLACK = 1e-3  # share by which a rounded high may lie below the close
WILD = 0.6  # a low below this share of open and close, or the like of a high, is a slip of a pen
GK = 2 * math.log(2) - 1
FEATURES = (
    *("return", "size", "loss", "overnight", "week", "month"),
    *("variance 1", "variance 5", "variance 22", "variance 66", "variance long"),
    *("losses", "level", "bars"),
)


def describe_days(close: Any, open: Any = None, high: Any = None, low: Any = None) -> dict:
    """Returns what is known at the close of each day.

    Args:
      close: float32 `(batch, time)`, 0 at padding.
      open, high, low: likewise, 0 where unknown; None where no day has them.

    Returns:
      - `real`: bool `(batch, time)`: which days are no padding.
      - `returns`: log return since the close before, `(batch, time)`; 0 on the first day.
      - `proxy`: what the variance of the day was, as far as its prices show it. With a whole bar,
        that between the closes plus that of the day by M. Garman and M. Klass (On the Estimation
        of Security Price Volatilities, Journal of Business 1980); else the squared return.
      - `known`: bool: on which days there is a proxy (not on the first one without its bar).
      - `variance`: EWMA of `proxy` up to this day, which is what forecasts are multiples of.
      - `features`: `(batch, time, len(FEATURES))`, none of which changes with the currency.
    """
    close = tf.convert_to_tensor(close)
    real = close > 0
    before = tf.concat([close[:, :1], close[:, :-1]], axis=1)
    # The logarithm of a ratio near 1, without the rounding of the logarithm of either price.
    returns = tf.where(real, tf.math.log1p(_ratio(close - before, before)), 0.0)
    first = tf.range(tf.shape(close)[1])[tf.newaxis] == 0
    if open is None:
        whole = tf.zeros_like(real)
        overnight = tf.zeros_like(close)
        proxy = returns**2
    else:
        whole = (
            real
            & (low > 0)
            & (open > 0)
            & (high * (1 + SLACK) >= tf.maximum(open, close))
            & (low * (1 - SLACK) <= tf.minimum(open, close))
            & (low > WILD * tf.minimum(open, close))
            & (WILD * high < tf.maximum(open, close))
        )
        one = tf.ones_like(close)
        opened, highest, lowest = (tf.where(whole, part, one) for part in (open, high, low))
        highest = tf.maximum(highest, tf.maximum(opened, tf.where(whole, close, one)))
        lowest = tf.minimum(lowest, tf.minimum(opened, tf.where(whole, close, one)))
        overnight = tf.where(whole & ~first, tf.math.log(opened / tf.where(whole, before, one)), 0)
        day = tf.math.log(tf.where(whole, close, one) / opened)
        inside = 0.5 * tf.math.log(highest / lowest) ** 2 - GK * day**2
        proxy = tf.where(whole, overnight**2 + inside, returns**2)
    known = real & (whole | ~first)
    seen = tf.cast(known, close.dtype)
    proxy = proxy * seen
    fell = proxy * tf.cast(returns < 0, close.dtype)
    sums = causal(proxy, [np.ones(span) for span in SPANS] + [powers(DECAY), powers(SLOW)])
    weights = causal(seen, [np.ones(span) for span in SPANS] + [powers(DECAY), powers(SLOW)])
    means = tf.math.divide_no_nan(sums, weights)  # (batch, time, averages)
    variance = tf.maximum(means[..., len(SPANS)], FLOOR)
    ahead = tf.concat([variance[:, :1], variance[:, :-1]], axis=1)  # as the day began
    deviation = tf.sqrt(ahead)
    shock = tf.clip_by_value(returns / deviation, -8.0, 8.0)
    paths = causal(returns, [np.ones(5), np.ones(22)])
    trends = paths / tf.sqrt(variance)[..., tf.newaxis] / tf.constant([5.0, 22.0]) ** 0.5
    # A twentieth is added so that a day without a change has a logarithm too.
    logs = [
        tf.math.log((means[..., i] + 0.05 * variance) / (1.05 * variance))
        for i in (*range(len(SPANS)), len(SPANS) + 1)
    ]
    losses = tf.math.divide_no_nan(causal(fell, [powers(DECAY)])[..., 0], sums[..., len(SPANS)])
    features = tf.stack(
        [
            shock,
            tf.abs(shock),
            tf.minimum(shock, 0.0),
            tf.clip_by_value(overnight / deviation, -8.0, 8.0),
            tf.clip_by_value(trends[..., 0], -8.0, 8.0),
            tf.clip_by_value(trends[..., 1], -8.0, 8.0),
            *logs,
            losses,
            tf.math.log(variance),
            tf.cast(whole, close.dtype),
        ],
        axis=-1,
    )
    return {
        "real": real,
        "returns": returns,
        "proxy": proxy,
        "known": known,
        "variance": variance,
        "features": tf.where(real[..., tf.newaxis], features, 0.0),
    }


def powers(decay: float) -> np.ndarray:
    """Returns the weights of an EWMA, the newest day first, `(TAPS,)`."""
    return decay ** np.arange(TAPS)


def causal(values: Any, kernels: Sequence[np.ndarray]) -> Any:
    """Returns weighted sums over the past of each step, `(batch, time, kernels)`.

    Args:
      values: float `(batch, time)`.
      kernels: the weight of this step, of the one before it, and so on.
    """
    longest = max(len(kernel) for kernel in kernels)
    weights = np.zeros((longest, 1, len(kernels)), "float32")
    for place, kernel in enumerate(kernels):
        weights[longest - len(kernel) :, 0, place] = kernel[::-1]
    padded = tf.pad(values, [[0, 0], [longest - 1, 0]])[..., tf.newaxis]
    return tf.nn.conv1d(padded, tf.constant(weights), stride=1, padding="VALID")


def ahead(values: np.ndarray, horizon: int) -> np.ndarray:
    """Returns sums over the next 1 … horizon days, `(time, horizon)`; NaN beyond the end.

    Args:
      values: `(time,)`; a NaN in the sum makes it NaN.
    """
    sums = np.full((len(values), horizon), np.nan)
    total = np.zeros(len(values))
    for step in range(1, min(horizon, len(values) - 1) + 1):
        total = total[:-1] + values[step:]
        sums[: len(total), step - 1] = total
    return sums


def scored_days(days: int, horizon: int, begin: int, end: int | None = None) -> np.ndarray:
    """Returns which forecasts are of a day from `begin` up to `end`: bool `(days, horizon)`.

    Row t, column h - 1 is the forecast made on day t for h days later, which is scored on the day
    that it is for: as many forecasts for each h.
    """
    target = np.arange(days)[:, None] + np.arange(1, horizon + 1)
    return (target >= begin) & (target < (days if end is None else end))


def _ratio(above: Any, below: Any) -> Any:
    return tf.math.divide_no_nan(above, below)
