"""Plots of forecasts that are distributions: fan, calibration and equity, as PNG files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from recipes.prices import metrics as scores
from recipes.prices.panel import Panel
from recipes.prices.series import Forecast
from zoo.report.plots import COLOURS, GREY, TRAIN, save

LAST_DAYS = 60  # days of the fans


def fan(panel: Panel, forecast: Forecast, path: Path, series: int = 0) -> None:
    """Draws the last prices of a series and what was forecast for them.

    Above, the bands of each day as they were the day before; below, fans of the whole horizon, each
    starting where the one before it ends.

    Args:
      panel: what happened.
      forecast: of the panel, aligned with it.
      path: the PNG to write.
      series: which one.
    """
    positions = np.flatnonzero(np.isfinite(panel.value[series, :, 0]))[-LAST_DAYS:]
    days = np.arange(len(positions))
    happened = panel.price[series, positions, 0] * np.exp(panel.value[series, positions, 0])
    name = panel.tickers[series] or "price"
    figure = Figure(figsize=(9, 7), layout="constrained")
    daily, fans = figure.subplots(2, 1, sharex=True)
    _bands(daily, days, panel, forecast, series, positions, np.zeros(len(positions), int))
    for start in range(0, len(positions) - panel.horizon + 1, panel.horizon):
        steps = np.arange(panel.horizon)
        ahead = positions[start + steps]
        if np.isfinite(panel.value[series, ahead, steps]).all():
            _bands(fans, days[start + steps], panel, forecast, series, ahead, steps, start == 0)
    for axes, title in (
        (daily, "forecast the day before"),
        (fans, f"forecast at once for {panel.horizon} days"),
    ):
        axes.plot(days, happened, color="black", lw=1.2, label="what happened")
        axes.set_title(f"{name}, {title}", loc="left", fontsize=10, parse_math=False)
        _style(axes)
        axes.legend(frameon=False, fontsize=8, loc="best")
    ticks = days[:: max(1, len(days) // 6)]
    fans.set_xticks(ticks, [panel.dates[positions[tick]] for tick in ticks])
    save(figure, path)


def _bands(
    axes: Axes,
    days: np.ndarray,
    panel: Panel,
    forecast: Forecast,
    series: int,
    positions: np.ndarray,
    steps: np.ndarray,
    labelled: bool = True,
) -> None:
    """Draws bands of forecasts of `positions`, made `steps + 1` days before, over `days`."""
    price = panel.price[series, positions, steps]
    location, scale, df = (
        getattr(forecast, part)[series, positions, steps] for part in ("location", "scale", "df")
    )
    if len(set(steps)) > 1:  # a fan opens at the price that was known
        days = np.concatenate([days[:1] - 1, days])
        price, location = (
            np.concatenate([part[:1] * f, part]) for part, f in ((price, 1), (location, 0))
        )
        scale, df = (np.concatenate([part[:1] * f, part]) for part, f in ((scale, 0), (df, 1)))
    for band, shade in zip(scores.BANDS[::-1], (0.15, 0.3, 0.5), strict=True):
        low, high = (
            price * np.exp(scores.quantile(0.5 + sign * band / 2, location, scale, df))
            for sign in (-1, 1)
        )
        label = f"{100 * band:.0f} % band" if labelled else None
        axes.fill_between(days, low, high, color=TRAIN, alpha=shade, lw=0, label=label)


def calibration(panel: Panel, forecasts: Mapping[str, Forecast], path: Path) -> None:
    """Draws how often the outcome lay below each quantile, and how often in each tenth.

    Args:
      panel: what happened.
      forecasts: by name, the network first; aligned with the panel.
      path: the PNG to write.
    """
    figure = Figure(figsize=(9, 4), layout="constrained")
    left, right = figure.subplots(1, 2)
    levels = np.linspace(0.01, 0.99, 99)
    for number, (name, forecast) in enumerate(forecasts.items()):
        below = scores.probability_below(
            panel.value[..., 0],
            forecast.location[..., 0],
            forecast.scale[..., 0],
            forecast.df[..., 0],
        )
        below = np.sort(below[np.isfinite(below)])
        observed = np.searchsorted(below, levels) / max(len(below), 1)
        first = number == 0
        left.plot(
            levels,
            observed - levels,
            color=COLOURS[number % len(COLOURS)],
            lw=2.2 if first else 1.0,
            zorder=3 if first else 2,
            label=name,
        )
        if first:
            right.hist(below, bins=10, range=(0, 1), density=True, color=TRAIN, alpha=0.6)
    left.axhline(0, color=GREY, lw=1, ls="--")
    left.set_xlabel("quantile forecast, 1 day ahead")
    left.set_ylabel("share below it, less the quantile")
    left.legend(frameon=False, fontsize=8)
    right.axhline(1, color=GREY, lw=1, ls="--")
    right.set_xlabel("forecast probability of less than what happened")
    right.set_ylabel(f"density ({next(iter(forecasts))})")
    for axes in (left, right):
        _style(axes)
    save(figure, path)


def equity(dates: Sequence[str], values: Mapping[str, np.ndarray], cost: float, path: Path) -> None:
    """Draws the value over time of 1 that each strategy invests.

    Args:
      dates: of the days.
      values: name to the value at the end of each day, float `(days,)`.
      cost: of trading, in hundredths of a percent, for the title.
      path: the PNG to write.
    """
    figure = Figure(figsize=(9, 3.8), layout="constrained")
    axes = figure.subplots()
    for number, (name, value) in enumerate(values.items()):
        colour = GREY if name == "hold" else COLOURS[(number - 1) % len(COLOURS)]
        axes.plot(value, color=colour, lw=1.4, label=name)
    ticks = range(0, len(dates), max(1, len(dates) // 6))
    axes.set_xticks(ticks, [dates[tick] for tick in ticks])
    axes.axhline(1, color=GREY, lw=0.8, ls="--", zorder=0)
    axes.set_ylabel("value of 1")
    axes.set_title(
        f"Long what is forecast to rise, after {cost:g} bp. No advice.", loc="left", fontsize=10
    )
    _style(axes)
    axes.legend(frameon=False, fontsize=9)
    save(figure, path)


def _style(axes: Axes) -> None:
    axes.grid(alpha=0.3, lw=0.6)
    axes.spines[["top", "right"]].set_visible(False)
    axes.yaxis.set_major_locator(MaxNLocator(6))
