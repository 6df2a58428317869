"""Converts prices to network inputs, in the graph: returns and volatility, but no price levels.

The values of day t depend only on the days up to t. Prices are `(batch, time)`, padded on the
right with 0, which is not a valid price; open, high and low are 0 on days without them.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import TypeAlias

import numpy as np
import tensorflow as tf

from zoo.assets import Assets
from zoo.bounds import problems

SPANS = (1, 5, 22, 66)  # days over which variances are averaged: day, week, month, quarter
DECAY = 0.94  # of the EWMA used as the unit of variance (RiskMetrics, 1996)
SLOW = 0.985  # decay of the long-run level
TAPS = 256  # maximum number of days of an average
MOST = 100.0  # maximum of a training target, as a multiple of the base variance
FLOOR = 1e-10  # minimum variance of a day: a deviation of 0.001 %
SLACK = 1e-3  # share by which a rounded high may be below the close
WILD = 0.6  # a low below this share of open and close, or similarly a high, is an outlier
GK = 2 * math.log(2) - 1
FEATURES = (
    *("return", "size", "loss", "overnight", "week", "month"),
    *("variance 1", "variance 5", "variance 22", "variance 66", "variance long"),
    *("losses", "level", "bars"),
)


Prices: TypeAlias = tf.Tensor | np.ndarray


@dataclasses.dataclass(frozen=True)
class Days:
    """Observed daily values of one series, `(time,)` each.

    Attributes:
      returns: log returns; 0 on the first day.
      proxy: of the variance of each day; NaN if there is none.
    """

    returns: np.ndarray
    proxy: np.ndarray


@dataclasses.dataclass(frozen=True)
class Forecast:
    """Forecasts at the close of each day, `(time, horizon)` each.

    Attributes:
      location, scale, df: Student's t of the log return over the next h days.
      variance: of the return over these days, in the units of the proxy.
    """

    location: np.ndarray
    scale: np.ndarray
    df: np.ndarray
    variance: np.ndarray


def is_price(values: tf.Tensor) -> tf.Tensor:
    """Returns which numbers are valid prices: finite and above 0."""
    return (values > 0) & tf.math.is_finite(values)


def check_series(bars: Sequence[tf.Tensor], max_days: int) -> tuple[list[tf.Tensor], tf.Tensor]:
    """Detects series that cannot be forecast and replaces them with one price.

    Args:
      bars: float32 `(batch, time)` each, the close last; shorter ones are padded with 0.
      max_days: per series.

    Returns:
      The bars, with at most `max_days`; and the problem of each row, string `(batch,)`, see
      `zoo.bounds.problems`.
    """
    close = bars[-1]
    days = tf.shape(close)[1]
    beyond = [tf.reduce_any(is_price(part[:, max_days:]), axis=1) for part in bars]
    after = [tf.reduce_any(is_price(part[:, days:]), axis=1) for part in bars]
    problem = problems(
        (tf.reduce_any(beyond, axis=0), f"The series is longer than {max_days:,} days"),
        (tf.reduce_any(after, axis=0), "Open, high and low have more days than the close"),
        (~tf.reduce_any(is_price(close), axis=1), "The series has no price above 0"),
    )
    # At least one day, so that there is something to gather.
    days = tf.clip_by_value(days, 1, max_days)
    same = [part[:, :days] for part in bars]
    same = [tf.pad(part, [[0, 0], [0, days - tf.shape(part)[1]]]) for part in same]
    bad = tf.not_equal(problem, "")[:, tf.newaxis]
    return [tf.where(bad, 1.0, part) for part in same], problem


def describe_days(
    close: Prices, open: Prices | None = None, high: Prices | None = None, low: Prices | None = None
) -> dict[str, tf.Tensor]:
    """Returns the values known at the close of each day.

    Args:
      close: float32 `(batch, time)`, 0 at padding.
      open, high, low: float32 `(batch, time)`, 0 where unknown; None if no day has them.

    Returns:
      - `real`: bool `(batch, time)`: False at padding.
      - `close`: as given, 0 at padding and where it is not a valid price.
      - `returns`: log return since the previous close, `(batch, time)`; 0 on the first day.
      - `proxy`: estimate of the variance of the day. With a whole bar, the variance overnight plus
        that of the day by M. Garman and M. Klass (On the Estimation of Security Price
        Volatilities, Journal of Business 1980); otherwise the squared return.
      - `known`: bool: on which days there is a proxy (not on the first day without its bar).
      - `variance`: EWMA of `proxy` up to this day; forecasts are multiples of it.
      - `features`: `(batch, time, len(FEATURES))`, independent of the currency.

    """
    close = tf.convert_to_tensor(close)
    real = is_price(close)
    close = tf.where(real, close, 0.0)
    before = tf.concat([close[:, :1], close[:, :-1]], axis=1)
    # The logarithm of a ratio near 1, without rounding the logarithms of both prices.
    ratio = tf.math.divide_no_nan(close - before, before)
    returns = tf.where(real, tf.math.log1p(tf.clip_by_value(ratio, -1 + 1e-6, 1e6)), 0.0)
    first = tf.range(tf.shape(close)[1])[tf.newaxis] == 0
    if open is None or high is None or low is None:
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
        overnight = _log(opened, tf.where(whole & ~first & (before > 0), before, opened))
        day = _log(tf.where(whole, close, one), opened)
        inside = 0.5 * _log(highest, lowest) ** 2 - GK * day**2
        proxy = tf.where(whole, overnight**2 + inside, returns**2)
    known = real & (whole | ~first)
    seen = tf.cast(known, close.dtype)
    proxy = proxy * seen
    fell = proxy * tf.cast(returns < 0, close.dtype)
    sums = causal(proxy, [np.ones(span) for span in SPANS] + [powers(DECAY), powers(SLOW)])
    weights = causal(seen, [np.ones(span) for span in SPANS] + [powers(DECAY), powers(SLOW)])
    means = tf.math.divide_no_nan(sums, weights)  # (batch, time, averages)
    variance = tf.maximum(means[..., len(SPANS)], FLOOR)
    ahead = tf.concat([variance[:, :1], variance[:, :-1]], axis=1)  # at the start of the day
    deviation = tf.sqrt(ahead)
    shock = tf.clip_by_value(returns / deviation, -8.0, 8.0)
    paths = causal(returns, [np.ones(5), np.ones(22)])
    trends = paths / tf.sqrt(variance)[..., tf.newaxis] / tf.constant([5.0, 22.0]) ** 0.5
    # A twentieth is added so that the logarithm also exists for days without a change.
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
        "close": close,
        "returns": returns,
        "proxy": proxy,
        "known": known,
        "variance": variance,
        "features": tf.where(real[..., tf.newaxis], features, 0.0),
    }


def _log(above: tf.Tensor, below: tf.Tensor) -> tf.Tensor:
    """Returns the logarithm of a ratio, also for extreme prices."""
    return tf.math.log(tf.clip_by_value(above / below, 1e-6, 1e6))


def powers(decay: float) -> np.ndarray:
    """Returns the weights of an EWMA, the newest day first, float64 `(TAPS,)`."""
    return decay ** np.arange(TAPS)


def causal(values: tf.Tensor, kernels: Sequence[np.ndarray]) -> tf.Tensor:
    """Returns weighted sums over the past of each step, float32 `(batch, time, kernels)`.

    Args:
      values: float32 `(batch, time)`.
      kernels: float `(steps,)` each: the weights of the current step, the previous step, and so on.
    """
    longest = max(len(kernel) for kernel in kernels)
    weights = np.zeros((longest, 1, len(kernels)), "float32")
    for place, kernel in enumerate(kernels):
        weights[longest - len(kernel) :, 0, place] = kernel[::-1]
    padded = tf.pad(values, [[0, 0], [longest - 1, 0]])[..., tf.newaxis]
    return tf.nn.conv1d(padded, tf.constant(weights), stride=1, padding="VALID")


def ahead(values: np.ndarray, horizon: int) -> np.ndarray:
    """Returns sums over the next 1 … horizon days, float64 `(time, horizon)`; NaN beyond the end.

    Args:
      values: float `(time,)`; sums with a NaN are NaN.
    """
    sums = np.full((len(values), horizon), np.nan)
    total = np.zeros(len(values))
    for step in range(1, min(horizon, len(values) - 1) + 1):
        total = total[:-1] + values[step:]
        sums[: len(total), step - 1] = total
    return sums


def scored_days(days: int, horizon: int, begin: int, end: int | None = None) -> np.ndarray:
    """Returns which forecasts have a target day from `begin` up to `end`: bool `(days, horizon)`.

    Row t, column h - 1 is the forecast made on day t for h days later. It is scored on its target
    day, so that each h has the same number of forecasts.
    """
    target = np.arange(days)[:, None] + np.arange(1, horizon + 1)
    return (target >= begin) & (target < (days if end is None else end))


def prices_of(examples: Mapping[str, Sequence]) -> dict[str, np.ndarray]:
    """Returns `open`, `high`, `low` and `close` of examples as float32 `(rows, longest)`.

    They are padded on the right with 0, which also means unknown.
    """
    longest = max(map(len, examples["close"]))
    found = {}
    for name in ("open", "high", "low", "close"):
        found[name] = np.zeros((len(examples["close"]), longest), "float32")
        for row, values in zip(found[name], examples[name], strict=True):
            row[: len(values)] = np.nan_to_num(np.asarray(values, "float32"))
    return found


def scaling(examples: Mapping[str, Sequence]) -> dict[str, list[float]]:
    """Returns `mean` and `deviation` of each feature over the days of examples.

    The days are used with and without open, high and low, since both are valid inputs.
    """
    prices = prices_of(examples)
    both = [describe_days(**prices), describe_days(prices["close"])]
    rows = np.concatenate([days["features"][days["real"]].numpy() for days in both])
    deviation = rows.std(axis=0, dtype=np.float64)
    deviation[deviation < 1e-6] = 1.0  # constant features
    return {
        "mean": rows.mean(axis=0, dtype=np.float64).tolist(),
        "deviation": deviation.tolist(),
    }


def standardised(assets: Assets, days: Mapping[str, tf.Tensor]) -> tf.Tensor:
    """Returns the standardised features of `describe_days`, float32 `(batch, time, features)`."""
    mean, deviation = (tf.constant(assets[name], tf.float32) for name in ("mean", "deviation"))
    found = (days["features"] - mean) / deviation
    return tf.where(days["real"][..., tf.newaxis], found, 0.0)


def windows(
    examples: Mapping[str, Sequence], assets: Assets, horizon: int, window: int
) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Cuts series into training windows, with a forecast on every day of a window.

    Series with bars are included twice, with the same targets: with bars, and with closes only, so
    that the network also accepts closes only.

    Args:
      examples: whole series; `begin` is the first forecast day.
      assets: of `scaling`.
      horizon: days ahead.
      window: maximum number of days.

    Returns:
      Inputs `(time, features)` and targets `(time, horizon, 3)`, float32, of a `ForecastLoss`, in
      units of the EWMA variance known on the day.
    """
    prices = prices_of(examples)
    whole = describe_days(**prices)
    shown = [whole]
    if prices["high"].any():
        shown.append(describe_days(prices["close"]))
    returns, proxies = whole["returns"].numpy(), whole["proxy"].numpy()
    x, y = [], []
    for days in shown:
        features = standardised(assets, days).numpy()
        bases = days["variance"].numpy()
        for row, (closes, begin) in enumerate(
            zip(examples["close"], examples["begin"], strict=True)
        ):
            size = len(closes)
            base = bases[row, :size, None]
            known = scored_days(size, horizon, begin)
            value = ahead(returns[row, :size], horizon) / np.sqrt(base)
            # A single day after years without a change would outweigh all others.
            ratio = np.minimum(ahead(proxies[row, :size], horizon) / base, MOST)
            target = np.stack([value, ratio, known], axis=-1)
            target = np.where(known[..., None], target, 0.0).astype("float32")
            # The first window of a later split begins some time before its first forecast.
            for start in range(max(0, begin - window // 2), size, window):
                part = slice(start, min(start + window, size))
                if target[part, :, 2].any():
                    x.append(features[row, part])
                    y.append(target[part])
    return x, y


def student_quantiles(
    location: tf.Tensor, scale: tf.Tensor, df: tf.Tensor, levels: Sequence[float]
) -> tf.Tensor:
    """Returns quantiles of Student's t, float32 `(..., levels)`, with ops that every server has.

    Uses a table over 1 / df, in which the quantiles are smooth. For at least 2.1 degrees of
    freedom, the error is below 0.001 of the scale.

    Args:
      location, scale, df: float32 `(...)`.
      levels: probabilities of the quantiles.
    """
    from scipy import special

    grid = np.linspace(0.0, 0.48, 2049)
    table = special.stdtrit(1 / np.maximum(grid, 1e-9)[:, None], np.asarray(levels)[None])
    values = tf.constant(table, tf.float32)
    place = tf.clip_by_value(1 / df / 0.48 * 2048, 0.0, 2047.999)
    low = tf.cast(tf.floor(place), tf.int32)
    share = (place - tf.floor(place))[..., tf.newaxis]
    unit = tf.gather(values, low) * (1 - share) + tf.gather(values, low + 1) * share
    return location[..., tf.newaxis] + scale[..., tf.newaxis] * unit


def student_above(location: tf.Tensor, scale: tf.Tensor, df: tf.Tensor) -> tf.Tensor:
    """Returns the probability that a Student's t is above 0; all are float32 `(...)`."""
    z = location / scale
    inside = tf.math.betainc(0.5, 0.5 * df, z**2 / (df + z**2))
    return 0.5 + 0.5 * tf.sign(z) * inside
