"""Returns of trading on forecasts of direction, after costs, compared with random trading."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping

import numpy as np

from recipes.prices.frequency import steps_in_year
from recipes.prices.panel import Panel
from recipes.prices.series import Forecast

DRAWS, TOGETHER = 500, 25  # random strategies, and how many of them are held in memory at once
LUCK = (0.05, 0.95)  # quantiles of the random strategies: the band of luck
SEED = 0


@dataclasses.dataclass(frozen=True)
class Strategy:
    """A strategy over the days of a panel.

    Attributes:
      results: `yearly_return`, `yearly_volatility`, `sharpe`, `deepest_fall`, `traded_a_day`; with
        a band of luck also `luck_low` and `luck_high`, its ends of the yearly return, and
        `luck_share`, the share of random strategies that end at least as high.
      value: of an investment of 1, at the end of each day, float64 `(days,)`.
      luck: ends of the band at the end of each day, float64 `(2, days)`; None for holding.
    """

    results: dict[str, float]
    value: np.ndarray
    luck: np.ndarray | None = None


def strategies(panel: Panel, forecasts: Mapping[str, Forecast], cost: float) -> dict[str, Strategy]:
    """Returns a strategy for each forecast of direction, and the strategy of holding all series.

    Each evening, the strategy holds equal parts of the series whose forecast for the next day is
    above 0. The rest is cash without interest.

    Each strategy is compared with random strategies of the same turnover: for each series, they
    enter and exit at random, on average as often as the strategy does. A strategy inside their
    band has shown no skill.

    Args:
      panel: the observed values.
      forecasts: by name, aligned with the panel.
      cost: of trading, in hundredths of a percent of the traded value.
    """
    returns = np.expm1(panel.value[..., 0])  # (series, days)
    known = np.isfinite(returns)
    returns = np.where(known, returns, 0.0)
    weight = known / np.maximum(known.sum(axis=0), 1)
    rows = max(panel.columns["date"], key=len)
    years = max(returns.shape[1] / steps_in_year(rows), 1e-9)
    results = {"hold": _result(*_value(weight[np.newaxis], returns, cost), years)}
    for name, forecast in forecasts.items():
        location = forecast.location[..., 0]
        if not np.nanmax(np.abs(location)) > 0:
            continue  # a forecast of no change has no direction
        held = known & (location > 0)
        found = _result(*_value((held * weight)[np.newaxis], returns, cost), years)
        generator = np.random.default_rng(SEED)
        parts = []
        for _ in range(DRAWS // TOGETHER):
            drawn = random_positions(held, known, TOGETHER, generator)
            parts.append(_value(drawn * weight, returns, cost)[0])
        chance = np.concatenate(parts)
        band = np.quantile(chance, LUCK, axis=0)
        low, high = (_yearly(end, years) for end in band[:, -1])
        share = float(np.mean(chance[:, -1] >= found.value[-1]))
        luck = {"luck_low": low, "luck_high": high, "luck_share": share}
        results[name] = Strategy({**found.results, **luck}, found.value, band)
    return results


def random_positions(
    held: np.ndarray, known: np.ndarray, draws: int, generator: np.random.Generator
) -> np.ndarray:
    """Returns random positions that are held and changed as often as the given ones.

    Args:
      held: which series are held on which day, bool `(series, days)`.
      known: on which days a series can be held, bool `(series, days)`.
      draws: number of random strategies.
      generator: of the random numbers.

    Returns:
      bool `(draws, series, days)`.
    """
    series, days = held.shape
    before, after = held[:, :-1], held[:, 1:]
    both = known[:, :-1] & known[:, 1:]
    enter = (~before & after & both).sum(1) / np.maximum((~before & both).sum(1), 1)
    leave = (before & ~after & both).sum(1) / np.maximum((before & both).sum(1), 1)
    share = held.sum(1) / np.maximum(known.sum(1), 1)
    state = generator.random((draws, series)) < share
    found = np.zeros((draws, series, days), bool)
    for day in range(days):
        if day:
            draw = generator.random((draws, series))
            moved = np.where(state, draw >= leave, draw < enter)
            state = np.where(known[:, day], moved, state)
        found[..., day] = state & known[:, day]
    return found


def _value(
    held: np.ndarray, returns: np.ndarray, cost: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Returns value, return and traded share of each day, float64 `(strategies, days)`.

    Args:
      held: shares of the value, float `(strategies, series, days)`.
      returns: float `(series, days)`.
      cost: as of `strategies`.
    """
    traded = np.abs(np.diff(held, axis=2, prepend=0.0)).sum(axis=1)
    daily = (held * returns).sum(axis=1) - traded * cost / 1e4
    return np.cumprod(1 + daily, axis=1), daily, traded


def _result(value: np.ndarray, daily: np.ndarray, traded: np.ndarray, years: float) -> Strategy:
    """Returns a strategy from arrays `(1, days)`."""
    value, daily, traded = value[0], daily[0], traded[0]
    a_year = len(daily) / years
    spread = float(daily.std()) * math.sqrt(a_year)
    results = {
        "yearly_return": _yearly(value[-1], years),
        "yearly_volatility": spread,
        "sharpe": float(daily.mean()) * a_year / spread if spread else 0.0,
        "deepest_fall": float(np.max(1 - value / np.maximum.accumulate(value))),
        "traded_a_day": float(traded.mean()),
    }
    return Strategy(results, value)


def _yearly(value: float, years: float) -> float:
    return float(max(value, 0.0) ** (1 / years) - 1)
