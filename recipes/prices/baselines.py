"""Simple forecasts of returns and their variance, each fitted on the days before `end` alone.

- `zero return`: no change, with the variance of the past.
- `AR`: autoregression of the daily returns, with the variance of its errors.
- `EWMA`: no change, with an exponentially weighted variance (RiskMetrics 1996).
- `HAR`: no change; the variance from its means over a day, a week and a month (F. Corsi: A Simple
  Approximate Long-Memory Model of Realized Volatility, Journal of Financial Econometrics 2009).
- `log HAR`: the same with logarithms, which are less sensitive to outliers.
- `GARCH`: no change, with a GARCH(1,1) of Student's t (T. Bollerslev 1986, 1987), by `arch`.

All but the GARCH forecast a normal distribution.
"""

from __future__ import annotations

import warnings

import numpy as np

from recipes.prices.metrics import EPSILON, NORMAL
from recipes.prices.series import DECAY, Days, Forecast, ahead

LAGS = 5  # of the autoregression
SPANS = (1, 5, 22)


def zero_return(days: Days, end: int, horizon: int) -> Forecast:
    """Forecasts no change, with the mean variance of the past."""
    steps = np.arange(1, horizon + 1)
    past = days.returns[1:end]
    return _normal(
        np.zeros((len(days.returns), horizon)),
        np.broadcast_to(np.mean(past**2) * steps, (len(days.returns), horizon)),
        np.nanmean(days.proxy[:end]) / max(np.mean(past**2), EPSILON),
    )


def ar(days: Days, end: int, horizon: int) -> Forecast:
    """Forecasts by an autoregression of the returns, iterated."""
    returns, size = days.returns, len(days.returns)
    lags = min(LAGS, max(1, end // 20))
    padded = np.concatenate([np.zeros(lags), returns])
    x = np.stack(
        [np.ones(size), *(padded[lags - lag : lags - lag + size] for lag in range(lags))], axis=1
    )  # row t: 1, r_t, r_{t-1}, …
    weights, *_ = np.linalg.lstsq(x[lags : end - 1], returns[lags + 1 : end], rcond=None)
    # The errors of h steps, from the weights of past shocks in the sum of the next h returns.
    state, total, location = x.copy(), np.zeros(size), np.empty((size, horizon))
    for step in range(horizon):
        following = state @ weights
        total = total + following
        location[:, step] = total
        state = np.concatenate([state[:, :1], following[:, None], state[:, 1:-1]], axis=1)
    error = ahead(returns, horizon)[: end - horizon] - location[: end - horizon]
    spread = np.mean(error**2, axis=0) if len(error) else np.full(horizon, np.var(returns[:end]))
    ratio = np.nanmean(days.proxy[:end]) / max(np.mean(returns[1:end] ** 2), EPSILON)
    return _normal(location, np.broadcast_to(spread, location.shape), ratio)


def ewma(days: Days, end: int, horizon: int) -> Forecast:
    """Forecasts no change, and the exponentially weighted mean of the proxies so far."""
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
    """Forecasts no change, and the variance by a regression on its means, one for each horizon."""
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
        # A regression may leave the range of past values; its forecast is clipped (Bollerslev,
        # Patton & Quaedvlieg 2016: the insanity filter).
        variance[:, step] = np.clip(predicted, past.min(), past.max()) * (step + 1)
    return _of_proxy(days, end, variance)


def log_har(days: Days, end: int, horizon: int) -> Forecast:
    return har(days, end, horizon, logs=True)


def garch(days: Days, end: int, horizon: int) -> Forecast:
    """Forecasts no change, by a GARCH(1,1) of Student's t that is fitted on the past."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of short or constant series
        from arch import arch_model

        # The optimiser needs values near 1.
        unit = max(float(np.std(days.returns[1:end])), EPSILON**0.5)
        past = days.returns[1:end] / unit
        fitted = arch_model(past, mean="Zero", vol="GARCH", p=1, q=1, dist="t", rescale=False).fit(
            disp="off", show_warning=False
        )
    omega, alpha, beta, df = (
        float(fitted.params[name]) for name in ("omega", "alpha[1]", "beta[1]", "nu")
    )
    omega *= unit**2
    df = max(df, 2.1)
    variance = np.empty(len(days.returns))  # of the day after
    current = float(fitted.conditional_volatility[0] * unit) ** 2
    variance[0] = current
    for t in range(1, len(variance)):
        current = omega + alpha * days.returns[t] ** 2 + beta * current
        variance[t] = current
    sums, step, persistence = np.empty((len(variance), horizon)), variance, alpha + beta
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


BASELINES = {
    "zero return": zero_return,
    "AR": ar,
    "EWMA": ewma,
    "HAR": har,
    "log HAR": log_har,
    "GARCH": garch,
}


def _mean(values: np.ndarray, span: int) -> np.ndarray:
    """Returns the mean of the last `span` values, at the beginning of fewer."""
    sums = np.cumsum(np.concatenate([[0.0], values]))
    t = np.arange(1, len(values) + 1)
    start = np.maximum(t - span, 0)
    return (sums[t] - sums[start]) / (t - start)


def _normal(location: np.ndarray, variance: np.ndarray, ratio: float) -> Forecast:
    """Makes normal forecasts of returns; `ratio` takes their variance to that of the proxy."""
    variance = np.maximum(variance, EPSILON)
    return Forecast(
        location, np.sqrt(variance), np.full(location.shape, NORMAL), variance * float(ratio)
    )


def _of_proxy(days: Days, end: int, variance: np.ndarray) -> Forecast:
    """Makes forecasts of no change; the proxy is brought to the measure of returns on the past."""
    ratio = np.mean(days.returns[1:end] ** 2) / max(float(np.nanmean(days.proxy[:end])), EPSILON)
    return Forecast(
        np.zeros(variance.shape),
        np.sqrt(np.maximum(variance * ratio, EPSILON)),
        np.full(variance.shape, NORMAL),
        variance,
    )
