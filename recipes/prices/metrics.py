"""Scores of distribution forecasts, and tests of whether one forecast is better than another.

Arrays are float64. If a docstring gives no shape, arrays have any shape `(...)`, the same for all
arguments of a function. Scores are per forecast, not averaged.
"""

from __future__ import annotations

import math

import numpy as np
from scipy import special, stats

NORMAL = math.inf  # degrees of freedom of a Student's t that is a normal distribution
BANDS = (0.5, 0.8, 0.95)
EPSILON = 1e-10  # the smallest variance, so that an unchanged price has a logarithm

Array = np.ndarray


def crps(value: Array, location: Array, scale: Array, df: Array) -> Array:
    """Returns the continuous ranked probability score of Student's t; lower is better.

    It is in the unit of `value`, and equals the absolute error for a point forecast. Closed forms:
    A. Jordan, F. Krüger, S. Lerch: Evaluating Probabilistic Forecasts with scoringRules, Journal
    of Statistical Software 2019.

    Args:
      value: the observed value.
      location, scale: of the distribution.
      df: its degrees of freedom, above 1; `NORMAL` for the normal distribution.
    """
    value, location, scale, df = np.broadcast_arrays(value, location, scale, df)
    z = (value - location) / scale
    score = np.empty(z.shape)
    normal = np.isinf(df)
    x = z[normal]
    score[normal] = x * (2 * stats.norm.cdf(x) - 1) + 2 * stats.norm.pdf(x) - 1 / math.sqrt(math.pi)
    x, v = z[~normal], df[~normal]
    # B(1/2, v - 1/2) / B(1/2, v / 2)^2, with logarithms: both overflow for large v.
    betas = np.exp(special.betaln(0.5, v - 0.5) - 2 * special.betaln(0.5, v / 2))
    score[~normal] = (
        x * (2 * stats.t.cdf(x, v) - 1)
        + 2 * stats.t.pdf(x, v) * (v + x**2) / (v - 1)
        - 2 * np.sqrt(v) / (v - 1) * betas
    )
    return score * scale


def probability_below(value: Array, location: Array, scale: Array, df: Array) -> Array:
    """Returns the distribution function of Student's t at `value`, float64 `(...)`, 0 to 1."""
    return special.stdtr(np.minimum(df, 1e10), (value - location) / scale)


def quantile(level: float, location: Array, scale: Array, df: Array) -> Array:
    """Returns the value below which a share `level` of Student's t lies, float64 `(...)`."""
    return location + scale * special.stdtrit(np.minimum(df, 1e10), level)


def pinball(value: Array, quantile: Array, level: float) -> Array:
    """Returns the pinball loss of a quantile, float64 `(...)`.

    Twice its mean over all levels is the CRPS.
    """
    error = value - quantile
    return np.maximum(level * error, (level - 1) * error)


def coverage(below: Array, band: float) -> Array:
    """Returns whether a value is inside the central band, bool `(...)`.

    Args:
      below: its `probability_below`, float64 `(...)`.
      band: share of the distribution, such as 0.8.
    """
    return np.abs(below - 0.5) <= band / 2


def qlike(proxy: Array, variance: Array) -> Array:
    """Returns v / f - log(v / f) - 1 of a variance forecast f; 0 is perfect.

    v is a proxy of the variance, such as a squared return. An unbiased proxy ranks forecasts as
    the variance itself does (A. Patton, Journal of Econometrics 2011). The arguments and the result
    are float64 `(...)`.
    """
    ratio = np.maximum(proxy, EPSILON) / np.maximum(variance, EPSILON)
    return ratio - np.log(ratio) - 1


def rse(value: Array, forecast: Array) -> float:
    """Returns the root relative squared error over all values.

    The error is relative to that of the mean of the values (G. Lai et al.: Modeling Long- and
    Short-Term Temporal Patterns with Deep Neural Networks, SIGIR 2018, equation 9). It says little
    about price forecasts: yesterday's price also has a very small error. Both arguments are float64
    `(values,)`.
    """
    spread = float(np.sum((value - value.mean()) ** 2))
    return math.sqrt(float(np.sum((value - forecast) ** 2)) / spread) if spread else math.nan


def long_run_variance(values: Array, lags: int) -> float:
    """Returns the long-run variance of a series, for the error of its mean (Newey & West 1987).

    Args:
      values: float64 `(time,)`.
      lags: number of autocovariances; their weights decrease to 0.
    """
    centred = values - values.mean()
    size = len(values)
    total = float(centred @ centred) / size
    for lag in range(1, min(lags, size - 1) + 1):
        total += 2 * (1 - lag / (lags + 1)) * float(centred[lag:] @ centred[:-lag]) / size
    return total


def num_lags(size: int, horizon: int) -> int:
    """Returns the number of lags: those by which forecasts overlap; more for a long series."""
    return max(horizon - 1, math.floor(size ** (1 / 3)))


def mean_interval(values: Array, horizon: int = 1) -> tuple[float, float]:
    """Returns the 95 % interval of the mean of a series whose terms may be autocorrelated.

    Args:
      values: float64 `(time,)`.
      horizon: steps ahead of the forecasts, which overlap.

    Returns:
      Its ends; NaN if the series has fewer than two values.
    """
    size = len(values)
    if size < 2:
        return math.nan, math.nan
    error = math.sqrt(long_run_variance(values, num_lags(size, horizon)) / size)
    half_width = float(stats.t.ppf(0.975, size - 1)) * error
    return float(values.mean()) - half_width, float(values.mean()) + half_width


def diebold_mariano(ours: Array, theirs: Array, horizon: int = 1) -> tuple[float, float]:
    """Tests whether two forecasts of the same days are equally good.

    F. Diebold, R. Mariano: Comparing Predictive Accuracy, Journal of Business & Economic Statistics
    1995; with the correction for short series by D. Harvey, S. Leybourne, P. Newbold, International
    Journal of Forecasting 1997. For several series, pass the mean loss of each day: losses of one
    day are correlated and must not count as independent evidence.

    Args:
      ours, theirs: losses, float64 `(days,)`.
      horizon: steps ahead; forecasts of h steps overlap.

    Returns:
      The statistic, negative if ours is better, and the two-sided p; NaN if they are equal.
    """
    difference = np.asarray(ours, float) - np.asarray(theirs, float)
    size = len(difference)
    variance = long_run_variance(difference, num_lags(size, horizon)) if size > 1 else 0.0
    if variance <= 0:
        return math.nan, math.nan
    correction = (size + 1 - 2 * horizon + horizon * (horizon - 1) / size) / size
    statistic = difference.mean() / math.sqrt(variance / size) * math.sqrt(max(correction, 0.0))
    return float(statistic), float(2 * stats.t.sf(abs(statistic), size - 1))
