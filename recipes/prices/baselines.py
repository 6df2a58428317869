"""Simple forecasts of returns and their variance, each fitted only on the days before `end`.

- `zero return`: no change, with the variance of the past.
- `AR`: autoregression of the daily returns, with the variance of its errors.
- `EWMA`: no change, with an exponentially weighted variance (RiskMetrics 1996).
- `HAR`: no change; the variance from its means over a day, a week and a month (F. Corsi: A Simple
  Approximate Long-Memory Model of Realized Volatility, Journal of Financial Econometrics 2009).
- `log HAR`: the same with logarithms, which are less sensitive to outliers.
- `GARCH`: no change, with a Student's t GARCH(1,1) (T. Bollerslev 1986, 1987), by `arch`.
- `GJR-GARCH`: the same, but a fall raises the variance more than a rise does (L. Glosten, R.
  Jagannathan, D. Runkle: On the Relation between the Expected Value and the Volatility of the
  Nominal Excess Return on Stocks, Journal of Finance 1993), by `arch`.
- `log-linear`: no change; the logarithm of the variance is linear in the features that the network
  sees. One regression per horizon over all series, fitted once by QLIKE.
- `log-linear+market`: the same, also on the mean of these features over all series of the day.

Each method forecasts a Student's t distribution, as the network does. Its scale and degrees of
freedom are fitted on the past by maximum likelihood, separately for each horizon.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence

import numpy as np
from scipy import optimize, special

from recipes.prices.metrics import EPSILON
from recipes.prices.series import (
    DECAY,
    FEATURES,
    MOST,
    Days,
    Forecast,
    ahead,
    describe_days,
    prices_of,
)
from zoo.errors import ZooError

LAGS = 5  # of the autoregression
SPANS = (1, 5, 22)
MIN_DF, MAX_DF = 2.1, 200.0  # bounds for a fitted Student's t; at the upper one it is nearly normal
NEWTON_STEPS = 50  # maximum number of the log-linear regression
PENALTY = 1.0  # on its squared weights: counts as much as one day


def zero_return(days: Days, end: int, horizon: int) -> Forecast:
    """Forecasts no change, with the mean variance of the past."""
    steps = np.arange(1, horizon + 1)
    past = days.returns[1:end]
    variance = np.broadcast_to(np.mean(past**2) * steps, (len(days.returns), horizon))
    ratio = np.nanmean(days.proxy[:end]) / max(np.mean(past**2), EPSILON)
    return _student(days, end, np.zeros(variance.shape), variance, variance * ratio)


def ar(days: Days, end: int, horizon: int) -> Forecast:
    """Forecasts with an iterated autoregression of the returns."""
    returns, size = days.returns, len(days.returns)
    lags = min(LAGS, max(1, end // 20))
    padded = np.concatenate([np.zeros(lags), returns])
    x = np.stack(
        [np.ones(size), *(padded[lags - lag : lags - lag + size] for lag in range(lags))], axis=1
    )  # row t: 1, r_t, r_{t-1}, …
    weights, *_ = np.linalg.lstsq(x[lags : end - 1], returns[lags + 1 : end], rcond=None)
    # The h-step errors, from the weights of past shocks in the sum of the next h returns.
    state, total, location = x.copy(), np.zeros(size), np.empty((size, horizon))
    for step in range(horizon):
        following = state @ weights
        total = total + following
        location[:, step] = total
        state = np.concatenate([state[:, :1], following[:, None], state[:, 1:-1]], axis=1)
    error = ahead(returns, horizon)[: end - horizon] - location[: end - horizon]
    spread = np.mean(error**2, axis=0) if len(error) else np.full(horizon, np.var(returns[:end]))
    ratio = np.nanmean(days.proxy[:end]) / max(np.mean(returns[1:end] ** 2), EPSILON)
    variance = np.broadcast_to(spread, location.shape)
    return _student(days, end, location, variance, variance * ratio)


def ewma(days: Days, end: int, horizon: int) -> Forecast:
    """Forecasts no change, with the exponentially weighted mean of the past proxies."""
    known = np.isfinite(days.proxy)
    weight = total = 0.0
    variance = np.empty(len(days.proxy))
    for t, (proxy, is_known) in enumerate(zip(days.proxy, known, strict=True)):
        weight, total = DECAY * weight, DECAY * total
        if is_known:
            weight, total = weight + 1, total + proxy
        variance[t] = total / weight if weight else np.nan
    variance = np.maximum(variance, EPSILON)
    return _of_proxy(days, end, variance[:, None] * np.arange(1, horizon + 1))


def har(days: Days, end: int, horizon: int, logs: bool = False) -> Forecast:
    """Forecasts no change, with one regression of the variance on its means per horizon."""
    proxy = np.where(np.isfinite(days.proxy), days.proxy, np.nanmean(days.proxy[:end]))
    proxy = np.maximum(proxy, EPSILON)
    means = np.stack([_mean(proxy, span) for span in SPANS], axis=1)
    x = np.log(means) if logs else means
    x = np.concatenate([np.ones((len(x), 1)), x], axis=1)
    target = ahead(proxy, horizon) / np.arange(1, horizon + 1)
    variance = np.empty(target.shape)
    begin = min(max(SPANS), end // 2)
    for step in range(horizon):
        rows = slice(begin, max(end - step - 1, begin + 1))
        past = target[rows, step]
        y = np.log(past) if logs else past
        weights, *_ = np.linalg.lstsq(x[rows], y, rcond=None)
        predicted = x @ weights
        if logs:
            predicted = np.exp(np.minimum(predicted, 0.0))
            # The mean of a logarithm is not the logarithm of the mean.
            predicted *= np.mean(past / predicted[rows])
        # A regression may leave the range of past values, so its forecast is clipped (Bollerslev,
        # Patton & Quaedvlieg 2016: the insanity filter).
        variance[:, step] = np.clip(predicted, past.min(), past.max()) * (step + 1)
    return _of_proxy(days, end, variance)


def log_har(days: Days, end: int, horizon: int) -> Forecast:
    return har(days, end, horizon, logs=True)


def garch(days: Days, end: int, horizon: int, leverage: bool = False) -> Forecast:
    """Forecasts no change, with a Student's t GARCH(1,1) fitted on the past.

    With `leverage`, squared returns after a fall have a separate weight (GJR-GARCH).
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # for short or constant series
        from arch import arch_model

        # The optimiser needs values near 1.
        unit = max(float(np.std(days.returns[1:end])), EPSILON**0.5)
        past = days.returns[1:end] / unit
        model = arch_model(
            past, mean="Zero", vol="GARCH", p=1, o=int(leverage), q=1, dist="t", rescale=False
        )
        fitted = model.fit(disp="off", show_warning=False)
    omega, alpha, gamma, beta, df = (
        float(fitted.params.get(name, 0.0))
        for name in ("omega", "alpha[1]", "gamma[1]", "beta[1]", "nu")
    )
    omega *= unit**2
    df = max(df, MIN_DF)
    variance = np.empty(len(days.returns))  # of the next day
    current = float(fitted.conditional_volatility[0] * unit) ** 2
    variance[0] = current
    for t in range(1, len(variance)):
        weight = alpha + gamma * (days.returns[t] < 0)
        current = omega + weight * days.returns[t] ** 2 + beta * current
        variance[t] = current
    # A future return is negative half of the time.
    sums, step, persistence = np.empty((len(variance), horizon)), variance, alpha + gamma / 2 + beta
    total = np.zeros(len(variance))
    for h in range(horizon):
        total = total + step
        sums[:, h] = total
        step = omega + persistence * step
    sums = np.maximum(sums, EPSILON)
    ratio = np.nanmean(days.proxy[:end]) / max(np.mean(days.returns[1:end] ** 2), EPSILON)
    return Forecast(
        np.zeros(sums.shape),
        np.sqrt(sums * (df - 2) / df),
        np.full(sums.shape, df),
        sums * ratio,
    )


def gjr_garch(days: Days, end: int, horizon: int) -> Forecast:
    return garch(days, end, horizon, leverage=True)


BASELINES = {
    "zero return": zero_return,
    "AR": ar,
    "EWMA": ewma,
    "HAR": har,
    "log HAR": log_har,
    "GARCH": garch,
    "GJR-GARCH": gjr_garch,
}  # fitted to each series separately
LOG_LINEAR = "log-linear"  # fitted to all series together
MARKET = "log-linear+market"  # likewise; only where there are several series
METHODS = (*BASELINES, LOG_LINEAR, MARKET)


def methods_for(ends: Sequence[int]) -> tuple[str, ...]:
    """Returns the names of the methods that can be fitted on series.

    One series has no market, and `log-linear+market` has about twice the weights of `log-linear`.

    Args:
      ends: the number of days of each series that methods are fitted on.
    """
    market = len(ends) > 1 and sum(ends) >= 2 * 2 * len(FEATURES)
    return METHODS if market else tuple(name for name in METHODS if name != MARKET)


def log_linear(
    examples: Mapping[str, Sequence],
    days: Sequence[Days],
    ends: Sequence[int],
    horizon: int,
    market: bool = False,
) -> list[Forecast]:
    """Forecasts no change, with one log-linear regression of the variance for all series.

        log(f / (h b)) = w · x + c

    b is the EWMA variance and x are the features of `recipes.prices.series.describe_days`. For each
    horizon h, Newton's method finds the w and c that minimise QLIKE on the past; the minimum is
    unique.

    Args:
      examples: whole series of prices.
      days: their returns and proxies.
      ends: the number of days of each series that the regression is fitted on.
      horizon: days ahead.
      market: whether x also has what `with_market` adds.

    Returns:
      A forecast per series.

    Raises:
      ZooError: there are fewer days than weights.
    """
    described = describe_days(**prices_of(examples))
    features, bases = (described[name].numpy().astype(float) for name in ("features", "variance"))
    if market:
        features = with_market(features, described["real"].numpy(), examples["date"])
    past = np.concatenate([row[:end] for row, end in zip(features, ends, strict=True)])
    mean, deviation = past.mean(axis=0), past.std(axis=0)
    varying = deviation > 1e-6  # constant features are omitted
    if len(past) < 2 * (varying.sum() + 1):
        raise ZooError(f"{len(past)} days are too few to fit log-linear on. Give longer series.")
    inputs = (features[..., varying] - mean[varying]) / deviation[varying]
    inputs = np.concatenate([np.ones((*inputs.shape[:2], 1)), inputs], axis=-1)
    variances = [np.empty((len(each.returns), horizon)) for each in days]
    targets = [ahead(each.proxy, horizon) for each in days]
    for step in range(horizon):
        x, ratios = [], []
        for row, (target, end) in enumerate(zip(targets, ends, strict=True)):
            # The first days have no quarterly average yet.
            rows = np.arange(min(max(SPANS), end // 2), max(end - step - 1, 0))
            ratio = target[rows, step] / ((step + 1) * bases[row, rows])
            known = np.isfinite(ratio)
            x.append(inputs[row, rows[known]])
            ratios.append(np.minimum(ratio[known], MOST))
        weights = fit_log_linear(np.concatenate(x), np.concatenate(ratios))
        for row, variance in enumerate(variances):
            size = len(variance)
            factor = np.exp(np.clip(inputs[row, :size] @ weights, -5.0, 5.0))
            variance[:, step] = (step + 1) * bases[row, :size] * factor
    # The distribution, too, is fitted to all series.
    scale, df = np.empty(horizon), np.empty(horizon)
    for step in range(horizon):
        units = [
            _units(each, end, variance)[:, step]
            for each, end, variance in zip(days, ends, variances, strict=True)
        ]
        scale[step], df[step] = fit_student(np.concatenate(units))
    return [
        Forecast(
            np.zeros(variance.shape),
            np.sqrt(variance) * scale,
            np.broadcast_to(df, variance.shape),
            variance,
        )
        for variance in variances
    ]


def with_market(
    features: np.ndarray, real: np.ndarray, dates: Sequence[Sequence[str]]
) -> np.ndarray:
    """Adds the market to the features: their mean over all series that have a price on the day.

    Args:
      features: of `describe_days`, float64 `(series, time, len(FEATURES))`.
      real: which days have a price, bool `(series, time)`.
      dates: the days of each series, as text. Series are compared on equal days.

    Returns:
      The features, followed by the mean of each but `level` and `bars`, and by `level` minus its
      mean: `(series, time, 2 * len(FEATURES) - 1)`. Means are 0 at padding.
    """
    number_of = {
        day: number for number, day in enumerate(sorted({d for row in dates for d in row}))
    }
    sums, counts = np.zeros((len(number_of), features.shape[-1])), np.zeros((len(number_of), 1))
    places = [np.array([number_of[day] for day in row]) for row in dates]
    for place, values, known in zip(places, features, real, strict=True):
        np.add.at(sums, place, values[: len(place)] * known[: len(place), None])
        np.add.at(counts, place, known[: len(place), None].astype(float))
    means = np.zeros(features.shape)
    for row, place in zip(means, places, strict=True):
        row[: len(place)] = sums[place] / np.maximum(counts[place], 1)
    level = FEATURES.index("level")
    others = [place for place, name in enumerate(FEATURES) if name not in ("level", "bars")]
    above = features[..., [level]] - means[..., [level]]
    return np.concatenate([features, means[..., others], above], axis=-1)


def fit_log_linear(x: np.ndarray, ratio: np.ndarray) -> np.ndarray:
    """Returns the weights w that minimise the QLIKE of exp(x · w).

    Minimises the sum of x · w + ratio / exp(x · w), which is convex, with a small L2 penalty on all
    weights but the first.

    Args:
      x: float64 `(days, features)`; the first feature is 1.
      ratio: the targets of exp(x · w), float64 `(days,)`.
    """
    penalty = np.full(x.shape[1], PENALTY)
    penalty[0] = 0.0
    weights = np.zeros(x.shape[1])
    weights[0] = np.log(max(float(ratio.mean()), EPSILON))

    def loss(w: np.ndarray) -> float:
        eta = np.clip(x @ w, -50.0, 50.0)
        return float(np.sum(eta + ratio * np.exp(-eta)) + 0.5 * penalty @ w**2)

    value = loss(weights)
    for _ in range(NEWTON_STEPS):
        remaining = ratio * np.exp(-np.clip(x @ weights, -50.0, 50.0))
        gradient = x.T @ (1 - remaining) + penalty * weights
        hessian = x.T @ (x * remaining[:, None]) + np.diag(penalty + EPSILON)
        move = np.linalg.solve(hessian, gradient)
        while (new := loss(weights - move)) > value and np.abs(move).max() > 1e-9:
            move /= 2
        weights, gain, value = weights - move, value - new, new
        if gain < 1e-9 * max(abs(value), 1.0):
            break
    return weights


def _mean(values: np.ndarray, span: int) -> np.ndarray:
    """Returns the mean of the last `span` values, or of fewer at the beginning."""
    sums = np.cumsum(np.concatenate([[0.0], values]))
    t = np.arange(1, len(values) + 1)
    start = np.maximum(t - span, 0)
    return (sums[t] - sums[start]) / (t - start)


def _of_proxy(days: Days, end: int, variance: np.ndarray) -> Forecast:
    """Returns forecasts of no change from a variance in the units of the proxy."""
    return _student(days, end, np.zeros(variance.shape), variance, variance)


def _student(
    days: Days, end: int, location: np.ndarray, spread: np.ndarray, variance: np.ndarray
) -> Forecast:
    """Returns Student's t forecasts; scale and degrees of freedom are fitted on the past.

    Args:
      days: the series.
      end: the number of known days.
      location: of the returns, `(time, horizon)`.
      spread: proportional to the squared scale, `(time, horizon)`.
      variance: in the units of the proxy, `(time, horizon)`.
    """
    spread = np.maximum(spread, EPSILON)
    units = _units(days, end, spread, location)
    scale, df = np.empty(location.shape), np.empty(location.shape)
    for step in range(location.shape[1]):
        factor, df[:, step] = fit_student(units[:, step])
        scale[:, step] = factor * np.sqrt(spread[:, step])
    return Forecast(location, np.maximum(scale, EPSILON**0.5), df, np.maximum(variance, EPSILON))


def _units(
    days: Days, end: int, spread: np.ndarray, location: np.ndarray | float = 0.0
) -> np.ndarray:
    """Returns past errors divided by the root of `spread`, `(days, horizon)`; may have NaN."""
    errors = ahead(days.returns[:end], spread.shape[1])
    errors = errors - (location[:end] if isinstance(location, np.ndarray) else location)
    begin = min(max(SPANS), end // 2)
    return (errors / np.sqrt(np.maximum(spread[:end], EPSILON)))[begin:]


def fit_student(values: np.ndarray) -> tuple[float, float]:
    """Returns the maximum-likelihood scale and degrees of freedom of a Student's t around 0.

    Args:
      values: float64 `(days,)`; NaN is ignored; without any values, the scale is 1.
    """
    values = values[np.isfinite(values)]
    size = len(values)
    if not size or not np.any(values):
        return 1.0 if not size else EPSILON**0.5, MAX_DF
    unit = float(np.sqrt(np.mean(values**2)))
    squares = (values / unit) ** 2

    def loss(parameters: np.ndarray) -> float:
        log_scale, log_df = parameters
        df = np.exp(log_df)
        tails = np.log1p(squares * np.exp(-2 * log_scale) / df).mean()
        half = (df + 1) / 2
        return float(half * tails + log_scale + 0.5 * log_df + special.betaln(0.5, df / 2))

    found = optimize.minimize(
        loss,
        np.array([-0.3, np.log(5.0)]),
        method="L-BFGS-B",
        bounds=[(-15.0, 3.0), (np.log(MIN_DF), np.log(MAX_DF))],
    )
    log_scale, log_df = found.x
    return unit * float(np.exp(log_scale)), float(np.exp(log_df))
