"""Forecasts of several series, aligned by their target day, and their scores."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence

import numpy as np

from recipes.prices import metrics as scores_of
from recipes.prices.frequency import Frequency, frequency_of_all
from recipes.prices.series import Days, Forecast, ahead, describe_days, prices_of, scored_days
from zoo.errors import ZooError

PAST = 120  # days before the first forecast that is scored
MEASURES = ("qlike", "qlike_squared", "crps", "mae")  # losses that are tested against each other


@dataclasses.dataclass(frozen=True)
class Panel:
    """Observed values of several series.

    Arrays are `(series, days, horizon)`, NaN where not scored. Element (i, d, h - 1) belongs to
    series i and the h days up to `dates[d]`, which were forecast h days before `dates[d]`.

    Attributes:
      tickers: names of the series.
      dates: scored days of all series.
      columns: the examples.
      days: returns and proxies of each series from its first day on.
      begins: index of the first scored day in each series.
      horizon: days ahead.
      positions: for each series, a mask `(time, horizon)` of the scored forecasts, and the
        positions of its days in `dates`.
      value: log return.
      proxy: sum of the daily proxies of the variance.
      square: square of the return: another proxy.
      price: close on the day of the forecast.
      naive_mae: mean absolute return over h days before the first scored day, float64
        `(series, 1, horizon)`.
    """

    tickers: list[str]
    dates: list[str]
    columns: Mapping[str, Sequence]
    days: list[Days]
    begins: list[int]
    horizon: int
    positions: list[tuple[np.ndarray, np.ndarray]]
    value: np.ndarray
    proxy: np.ndarray
    square: np.ndarray
    price: np.ndarray
    naive_mae: np.ndarray

    @property
    def frequency(self) -> Frequency:
        """The time between rows, which the docstrings here call a day."""
        return frequency_of_all(self.columns["date"])

    def align(self, arrays: Sequence[np.ndarray]) -> np.ndarray:
        """Aligns one array per series by day: float64 `(series, days, horizon)`.

        Args:
          arrays: float `(time, horizon)` each, one row per day of forecast.
        """
        return _align(arrays, self.positions, len(self.dates), self.horizon)

    def forecasts(self, forecasts: Sequence[Forecast]) -> Forecast:
        """Returns the forecasts of each series, aligned by day."""
        return Forecast(
            **{
                field.name: self.align([getattr(each, field.name) for each in forecasts])
                for field in dataclasses.fields(Forecast)
            }
        )


def observe(examples: Mapping[str, Sequence], horizon: int) -> Panel:
    """Returns the observed values of each series from `begin` on, without its first `PAST` days.

    If a series is shorter than twice `PAST`, its first half is omitted: simple methods need a past.

    Raises:
      ZooError: there is no day to score.
    """
    begins = [
        max(begin, min(PAST, len(row) // 2))
        for begin, row in zip(examples["begin"], examples["close"], strict=True)
    ]
    described = describe_days(**prices_of(examples))
    returns, proxies, known = (
        described[name].numpy().astype(float) for name in ("returns", "proxy", "known")
    )
    days, masks = [], []
    for row, (closes, begin) in enumerate(zip(examples["close"], begins, strict=True)):
        size = len(closes)
        days.append(
            Days(returns[row, :size], np.where(known[row, :size] > 0, proxies[row, :size], np.nan))
        )
        masks.append(scored_days(size, horizon, begin))
    dates = sorted(
        {day for row, begin in zip(examples["date"], begins, strict=True) for day in row[begin:]}
    )
    if not dates:
        raise ZooError("There is no day to score: every series ends before its first forecast.")
    number_of = {day: number for number, day in enumerate(dates)}
    positions = []
    for mask, row in zip(masks, examples["date"], strict=True):
        target = np.arange(len(row))[:, None] + np.arange(1, horizon + 1)
        numbers = np.array([number_of.get(day, -1) for day in row])
        positions.append((mask, numbers[np.minimum(target, len(row) - 1)]))

    def align(arrays: Sequence[np.ndarray]) -> np.ndarray:
        return _align(arrays, positions, len(dates), horizon)

    values = [ahead(each.returns, horizon) for each in days]
    naive_mae = [
        np.nanmean(np.abs(value[: max(begin - horizon, 1)]), axis=0)
        for value, begin in zip(values, begins, strict=True)
    ]
    return Panel(
        tickers=list(examples["ticker"]),
        dates=dates,
        columns=examples,
        days=days,
        begins=begins,
        horizon=horizon,
        positions=positions,
        value=align(values),
        proxy=align([ahead(each.proxy, horizon) for each in days]),
        square=align([ahead(each.returns**2, horizon) for each in days]),
        price=align(
            [np.repeat(np.asarray(row, float)[:, None], horizon, 1) for row in examples["close"]]
        ),
        naive_mae=np.array(naive_mae)[:, None],
    )


def _align(
    arrays: Sequence[np.ndarray],
    positions: Sequence[tuple[np.ndarray, np.ndarray]],
    days: int,
    horizon: int,
) -> np.ndarray:
    aligned = np.full((len(arrays), days, horizon), np.nan)
    for row, (array, (mask, position)) in enumerate(zip(arrays, positions, strict=True)):
        rows, steps = np.nonzero(mask)
        aligned[row, position[rows, steps], steps] = array[rows, steps]
    return aligned


def losses(panel: Panel, forecast: Forecast) -> dict[str, np.ndarray]:
    """Returns each of `MEASURES`, float64 `(series, days, horizon)`; lower is better.

    `crps` and `mae` are for log returns in %. `qlike` uses the proxy of the panel; `qlike_squared`
    uses squared returns, after dividing the forecast by the ratio of proxies to squared returns in
    the past of each series.
    """
    return {
        "qlike": scores_of.qlike(panel.proxy, forecast.variance),
        "qlike_squared": scores_of.qlike(panel.square, forecast.variance / _proxy_ratio(panel)),
        "crps": 100 * scores_of.crps(panel.value, forecast.location, forecast.scale, forecast.df),
        "mae": 100 * np.abs(panel.value - forecast.location),
    }


def _proxy_ratio(panel: Panel) -> np.ndarray:
    """Returns the past ratio of proxies to squared returns, float64 `(series, 1, 1)`."""
    ratios = [
        np.nanmean(each.proxy[:begin]) / max(np.mean(each.returns[1:begin] ** 2), scores_of.EPSILON)
        for each, begin in zip(panel.days, panel.begins, strict=True)
    ]
    return np.array(ratios)[:, None, None]


def scores(panel: Panel, forecast: Forecast) -> list[dict[str, float | None]]:
    """Returns the scores of each horizon, 1 day first; None if a score is undefined.

    Besides the means of `losses`: `mase` (mean absolute error over that of no change before the
    test; R. Hyndman & A. Koehler 2006); `pinball_5` (of the 5 % quantile, the value at risk, in
    %); `coverage_50` …; `direction` (share of days with the correct sign, among those with a
    forecast of a sign) with `direction_low` and `direction_high`, its 95 % interval over days;
    `direction_always_up`, the share of days with a rise; and `rse`, the root relative squared
    error of the prices.
    """
    means = losses(panel, forecast)
    # Neither a forecast of no change nor a day without a change has a direction.
    signs = np.sign(forecast.location) * np.sign(panel.value)
    hits = np.where((signs == 0) | np.isnan(signs), np.nan, signs > 0)
    prices = panel.price * np.exp(panel.value), panel.price * np.exp(forecast.location)
    student = (forecast.location, forecast.scale, forecast.df)
    below = scores_of.probability_below(panel.value, *student)
    tail_losses = 100 * scores_of.pinball(panel.value, scores_of.quantile(0.05, *student), 0.05)
    rows = []
    for step in range(panel.horizon):
        known = np.isfinite(panel.value[..., step]) & np.isfinite(forecast.location[..., step])
        row: dict[str, float | None] = {
            name: _mean(part[..., step]) for name, part in means.items()
        }
        row["mase"] = _mean(
            means["mae"][..., step] / 100 / np.maximum(panel.naive_mae[..., step], 1e-12)
        )
        row["pinball_5"] = _mean(tail_losses[..., step])
        for band in scores_of.BANDS:
            inside = scores_of.coverage(below[..., step][known], band)
            row[f"coverage_{round(100 * band)}"] = float(inside.mean()) if inside.size else None
        row["direction"] = _mean(hits[..., step])
        daily = by_day(hits[..., step])
        low, high = scores_of.mean_interval(daily[np.isfinite(daily)], step + 1)
        row["direction_low"], row["direction_high"] = _finite_or_none(low), _finite_or_none(high)
        value = panel.value[..., step]
        moved = np.isfinite(value) & (value != 0)
        row["direction_always_up"] = _mean(np.where(moved, value > 0, np.nan))
        row["rse"] = (
            _finite_or_none(scores_of.rse(*(price[..., step][known] for price in prices)))
            if known.any()
            else None
        )
        row["forecasts"] = int(known.sum())
        rows.append(row)
    return rows


def tests(ours: Mapping[str, np.ndarray], theirs: Mapping[str, np.ndarray]) -> dict[str, list]:
    """Applies the Diebold–Mariano test to each measure of two sets of `losses`, per horizon.

    Args:
      ours, theirs: measure to float64 `(series, days, horizon)`, NaN where not scored.

    Returns:
      Measure to a list of `{"statistic", "p"}`, 1 day first; negative if ours is better.
    """
    results: dict[str, list] = {}
    for name in MEASURES:
        results[name] = []
        for step in range(ours[name].shape[-1]):
            one, other = ours[name][..., step], theirs[name][..., step]
            known = np.isfinite(one) & np.isfinite(other)
            days = known.any(axis=0)
            one, other = (by_day(np.where(known, part, np.nan))[days] for part in (one, other))
            statistic, p = scores_of.diebold_mariano(one, other, step + 1)
            results[name].append({"statistic": _finite_or_none(statistic), "p": _finite_or_none(p)})
    return results


def by_day(values: np.ndarray) -> np.ndarray:
    """Returns the mean over series for each day, `(days,)`, of float64 `(series, days)`.

    It is NaN on days without a value.
    """
    known = np.isfinite(values)
    sums = np.where(known, values, 0.0).sum(axis=0)
    count = known.sum(axis=0)
    return np.divide(sums, count, out=np.full(sums.shape, np.nan), where=count > 0)


def _mean(values: np.ndarray) -> float | None:
    finite = values[np.isfinite(values)]
    return float(finite.mean()) if finite.size else None


def _finite_or_none(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
