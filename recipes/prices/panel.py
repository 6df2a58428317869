"""Forecasts of several series, lined up by the day that they are for, and their scores."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence

import numpy as np

from recipes.prices import metrics as scores_of
from recipes.prices.series import Days, Forecast, ahead, describe_days, prices_of, scored_days
from zoo.errors import ZooError

PAST = 120  # days before the first forecast that is scored
MEASURES = ("qlike", "qlike_squared", "crps", "mae")  # losses that are tested against each other


@dataclasses.dataclass(frozen=True)
class Panel:
    """What happened to several series. Arrays are `(series, days, horizon)`, NaN where not scored.

    Place (i, d, h - 1) is what happened to series i in the h days up to `dates[d]`, which was
    forecast h days before it.

    Attributes:
      tickers: names of the series.
      dates: days that are scored, of all series.
      columns: the examples.
      days: returns and proxies of each series from its first day on.
      begins: index of the first scored day in each series.
      horizon: days ahead.
      places: of each series, the rows `(time, horizon)` that are scored, and their places in
        `dates`.
      value: log return.
      proxy: sum of the daily proxies of the variance.
      square: square of the return: another proxy.
      price: close on the day of the forecast.
      usual: mean size of a return over h days before the first scored day, `(series, 1, horizon)`.
    """

    tickers: list[str]
    dates: list[str]
    columns: Mapping[str, Sequence]
    days: list[Days]
    begins: list[int]
    horizon: int
    places: list[tuple[np.ndarray, np.ndarray]]
    value: np.ndarray
    proxy: np.ndarray
    square: np.ndarray
    price: np.ndarray
    usual: np.ndarray

    def line_up(self, arrays: Sequence[np.ndarray]) -> np.ndarray:
        """Returns arrays, one a series, lined up: float64 `(series, days, horizon)`.

        Args:
          arrays: float `(time, horizon)` each, a row for each day of forecast.
        """
        return _line_up(arrays, self.places, len(self.dates), self.horizon)

    def forecasts(self, found: Sequence[Forecast]) -> Forecast:
        """Returns the forecasts of each series, lined up."""
        return Forecast(
            **{
                field.name: self.line_up([getattr(each, field.name) for each in found])
                for field in dataclasses.fields(Forecast)
            }
        )


def observe(examples: Mapping[str, Sequence], horizon: int) -> Panel:
    """Returns what happened from each series' `begin` on, its first `PAST` days left out.

    Of a series shorter than two times that, the first half is left out: simple methods need a past.

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
    position = {day: place for place, day in enumerate(dates)}
    places = []
    for mask, row in zip(masks, examples["date"], strict=True):
        target = np.arange(len(row))[:, None] + np.arange(1, horizon + 1)
        numbers = np.array([position.get(day, -1) for day in row])
        places.append((mask, numbers[np.minimum(target, len(row) - 1)]))

    def line_up(arrays: Sequence[np.ndarray]) -> np.ndarray:
        return _line_up(arrays, places, len(dates), horizon)

    values = [ahead(each.returns, horizon) for each in days]
    usual = [
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
        places=places,
        value=line_up(values),
        proxy=line_up([ahead(each.proxy, horizon) for each in days]),
        square=line_up([ahead(each.returns**2, horizon) for each in days]),
        price=line_up(
            [np.repeat(np.asarray(row, float)[:, None], horizon, 1) for row in examples["close"]]
        ),
        usual=np.array(usual)[:, None],
    )


def _line_up(
    arrays: Sequence[np.ndarray],
    places: Sequence[tuple[np.ndarray, np.ndarray]],
    days: int,
    horizon: int,
) -> np.ndarray:
    found = np.full((len(arrays), days, horizon), np.nan)
    for row, (array, (mask, place)) in enumerate(zip(arrays, places, strict=True)):
        rows, steps = np.nonzero(mask)
        found[row, place[rows, steps], steps] = array[rows, steps]
    return found


def losses(panel: Panel, forecast: Forecast) -> dict[str, np.ndarray]:
    """Returns each of `MEASURES`, float64 `(series, days, horizon)`; less is better.

    `crps` and `mae` are of log returns in %; `qlike` is against the proxy of the panel,
    `qlike_squared` against the sum of squared returns, to whose measure the forecast is brought by
    what the proxy has been of it on the past of each series.
    """
    return {
        "qlike": scores_of.qlike(panel.proxy, forecast.variance),
        "qlike_squared": scores_of.qlike(panel.square, forecast.variance / _measure(panel)),
        "crps": 100
        * scores_of.crps(panel.value, forecast.location, forecast.scale, forecast.freedom),
        "mae": 100 * np.abs(panel.value - forecast.location),
    }


def _measure(panel: Panel) -> np.ndarray:
    """Returns how much larger the proxies have been than the squared returns, on the past."""
    shares = [
        np.nanmean(each.proxy[:begin]) / max(np.mean(each.returns[1:begin] ** 2), scores_of.LEAST)
        for each, begin in zip(panel.days, panel.begins, strict=True)
    ]
    return np.array(shares)[:, None, None]


def scores(panel: Panel, forecast: Forecast) -> list[dict[str, float | None]]:
    """Returns the scores of each horizon, 1 day first; None where there is none.

    Besides the means of `losses`: `mase` (mean absolute error beside that of no change before the
    test; R. Hyndman & A. Koehler 2006), `pinball_5` (of the quantile of 5 %, the value at risk, in
    %), `coverage_50` …, `direction` (share of days whose sign was
    right, of those with a forecast of one) with `direction_low` and `direction_high`, its 95 %
    interval over days, and `rse` of the prices.
    """
    means = losses(panel, forecast)
    # A forecast of no change has no direction, and neither has a day without one.
    signs = np.sign(forecast.location) * np.sign(panel.value)
    hits = np.where((signs == 0) | np.isnan(signs), np.nan, signs > 0)
    prices = panel.price * np.exp(panel.value), panel.price * np.exp(forecast.location)
    student = (forecast.location, forecast.scale, forecast.freedom)
    below = scores_of.probability_below(panel.value, *student)
    losses_of_tail = 100 * scores_of.pinball(panel.value, scores_of.quantile(0.05, *student), 0.05)
    found = []
    for step in range(panel.horizon):
        there = np.isfinite(panel.value[..., step]) & np.isfinite(forecast.location[..., step])
        row: dict[str, float | None] = {
            name: _mean(part[..., step]) for name, part in means.items()
        }
        row["mase"] = _mean(
            means["mae"][..., step] / 100 / np.maximum(panel.usual[..., step], 1e-12)
        )
        row["pinball_5"] = _mean(losses_of_tail[..., step])
        for band in scores_of.BANDS:
            inside = scores_of.coverage(below[..., step][there], band)
            row[f"coverage_{round(100 * band)}"] = float(inside.mean()) if inside.size else None
        row["direction"] = _mean(hits[..., step])
        daily = by_day(hits[..., step])
        low, high = scores_of.mean_interval(daily[np.isfinite(daily)], step + 1)
        row["direction_low"], row["direction_high"] = _plain(low), _plain(high)
        row["rse"] = (
            _plain(scores_of.rse(*(price[..., step][there] for price in prices)))
            if there.any()
            else None
        )
        row["forecasts"] = int(there.sum())
        found.append(row)
    return found


def tests(ours: Mapping[str, np.ndarray], theirs: Mapping[str, np.ndarray]) -> dict[str, list]:
    """Tests each measure of two sets of `losses` by Diebold and Mariano, for each horizon.

    Args:
      ours, theirs: measure to float64 `(series, days, horizon)`, NaN where nothing is scored.

    Returns:
      Measure to a list of `{"statistic", "p"}`, 1 day first; negative where ours is better.
    """
    found: dict[str, list] = {}
    for name in MEASURES:
        found[name] = []
        for step in range(ours[name].shape[-1]):
            one, other = ours[name][..., step], theirs[name][..., step]
            there = np.isfinite(one) & np.isfinite(other)
            days = there.any(axis=0)
            one, other = (by_day(np.where(there, part, np.nan))[days] for part in (one, other))
            statistic, p = scores_of.diebold_mariano(one, other, step + 1)
            found[name].append({"statistic": _plain(statistic), "p": _plain(p)})
    return found


def by_day(values: np.ndarray) -> np.ndarray:
    """Returns the mean over the series, float64 `(series, days)`, of each day, `(days,)`.

    It is NaN where there is none.
    """
    there = np.isfinite(values)
    sums = np.where(there, values, 0.0).sum(axis=0)
    count = there.sum(axis=0)
    return np.divide(sums, count, out=np.full(sums.shape, np.nan), where=count > 0)


def _mean(values: np.ndarray) -> float | None:
    there = values[np.isfinite(values)]
    return float(there.mean()) if there.size else None


def _plain(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
