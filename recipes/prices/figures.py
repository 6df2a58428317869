"""Plots of distribution forecasts: fan, calibration and equity, as PNG files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

from recipes.prices import metrics as scores
from recipes.prices.answers import readable
from recipes.prices.frequency import dates_after, frequency_of
from recipes.prices.panel import Panel, by_day
from recipes.prices.series import Forecast
from recipes.prices.strategies import LUCK, Strategy
from zoo.report.plots import COLOURS, GREY, TRAIN, legend_below, save

LAST_DAYS = 60  # days shown in the fan plot of a test
STYLES = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)), (0, (1, 3)))  # distinct in greyscale
SHADES = ("#CFE3F0", "#8FC1DE", "#4A98C8")  # of the bands, widest first; distinct in greyscale
EXPECTED = np.linspace(0.05, 0.95, 19)  # coverages of a calibration plot


def forecast_fan(answer: Mapping[str, Any], path: Path) -> None:
    """Draws the last prices of a series, and the bands of the future prices, over their dates.

    Args:
      answer: `close` of a series, and `date` and `ticker` if known; `low_95` … `high_95` and
        `median` of the future prices, `(horizon,)` each.
      path: the PNG to write.
    """
    steps = len(answer["median"])
    shown = min(max(30, 4 * steps), len(answer["close"]))
    closes = np.asarray(answer["close"][-shown:], float)
    dates = answer.get("date") or [str(row) for row in range(1, len(answer["close"]) + 1)]
    labels = [*dates[-shown:], *dates_after(dates, steps)]
    ahead = np.arange(shown - 1, shown + steps)

    def opened(name: str) -> np.ndarray:
        """Returns the future prices, starting with the last known price."""
        return np.concatenate([closes[-1:], np.asarray(answer[name], float)])

    figure = Figure(figsize=(9, 4.6), layout="constrained")
    axes = figure.subplots()
    for band, shade in zip((95, 80, 50), SHADES, strict=True):
        axes.fill_between(
            ahead, opened(f"low_{band}"), opened(f"high_{band}"), color=shade, lw=0,
            label=f"{band} % band",
        )  # fmt: skip
    axes.plot(ahead, opened("median"), color="black", lw=1.2, ls="--", label="median forecast")
    axes.plot(np.arange(shown), closes, color="black", lw=1.4, label="prices")
    axes.axvline(shown - 1, color=GREY, lw=0.8, ls=":", zorder=0)
    _date_axis(axes, labels, [shown - 1, shown + steps - 1])
    name = answer.get("ticker") or "The series"
    axes.set_title(
        f"{name}: forecast on {readable(labels[shown - 1])} for "
        f"{frequency_of(dates).steps(steps)}, to {readable(labels[-1])}",
        loc="left", fontsize=10, parse_math=False,
    )  # fmt: skip
    axes.set_ylabel("price")
    _style(axes)
    legend_below(figure, axes, 5)
    save(figure, path)


def fan(panel: Panel, forecast: Forecast, path: Path, series: int = 0) -> None:
    """Draws the last prices of a series and their forecasts.

    Above, the one-day-ahead bands of each day; below, fans over the whole horizon, each starting
    where the previous one ends.

    Args:
      panel: the observed values.
      forecast: aligned with the panel.
      path: the PNG to write.
      series: index of the series.
    """
    positions = np.flatnonzero(np.isfinite(panel.value[series, :, 0]))[-LAST_DAYS:]
    days = np.arange(len(positions))
    happened = panel.price[series, positions, 0] * np.exp(panel.value[series, positions, 0])
    name, frequency = panel.tickers[series] or "The series", panel.frequency
    figure = Figure(figsize=(9, 7), layout="constrained")
    daily, fans = figure.subplots(2, 1, sharex=True)
    _bands(daily, days, panel, forecast, series, positions, np.zeros(len(positions), int))
    for start in range(0, len(positions) - panel.horizon + 1, panel.horizon):
        steps = np.arange(panel.horizon)
        ahead = positions[start + steps]
        if np.isfinite(panel.value[series, ahead, steps]).all():
            _bands(fans, days[start + steps], panel, forecast, series, ahead, steps, start == 0)
    for axes, title in (
        (daily, f"forecast {frequency.steps(1)} before"),
        (fans, f"forecast at once for {frequency.steps(panel.horizon)}"),
    ):
        axes.plot(days, happened, color="black", lw=1.2, label="what happened")
        axes.set_title(f"{name}, {title}", loc="left", fontsize=10, parse_math=False)
        axes.set_ylabel("price")
        _style(axes)
    _date_axis(fans, [panel.dates[position] for position in positions], [len(positions) - 1])
    legend_below(figure, daily)
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
    """Draws the bands for `positions`, forecast `steps + 1` days before, over `days`."""
    price = panel.price[series, positions, steps]
    location, scale, df = (
        getattr(forecast, part)[series, positions, steps] for part in ("location", "scale", "df")
    )
    if len(set(steps)) > 1:  # a fan starts at the last known price
        days = np.concatenate([days[:1] - 1, days])
        price, location = (
            np.concatenate([part[:1] * f, part]) for part, f in ((price, 1), (location, 0))
        )
        scale, df = (np.concatenate([part[:1] * f, part]) for part, f in ((scale, 0), (df, 1)))
    for band, shade in zip(scores.BANDS[::-1], SHADES, strict=True):
        low, high = (
            price * np.exp(scores.quantile(0.5 + sign * band / 2, location, scale, df))
            for sign in (-1, 1)
        )
        label = f"{100 * band:.0f} % band" if labelled else None
        axes.fill_between(days, low, high, color=shade, lw=0, label=label)


def calibration(panel: Panel, forecasts: Mapping[str, Forecast], path: Path) -> None:
    """Draws observed against expected coverage of central bands, and the PIT, one step ahead.

    On the left, the share of outcomes inside each central band: on the diagonal if forecasts are
    calibrated, below it if bands are too narrow. The first forecast has a 95 % interval over
    days. On the right, the histogram of its probability integral transform: flat if it is
    calibrated.

    Args:
      panel: the observed values.
      forecasts: by name, the network first; aligned with the panel.
      path: the PNG to write.
    """
    figure = Figure(figsize=(9, 4.9), layout="constrained")
    left, right = figure.subplots(1, 2)
    left.plot([0, 1], [0, 1], color=GREY, lw=1, ls=":", label="calibrated")
    for number, (name, forecast) in enumerate(forecasts.items()):
        below = scores.probability_below(
            panel.value[..., 0],
            forecast.location[..., 0],
            forecast.scale[..., 0],
            forecast.df[..., 0],
        )
        known = np.isfinite(below)
        inside = [
            by_day(np.where(known, scores.coverage(below, band), np.nan)) for band in EXPECTED
        ]
        first = number == 0
        colour = COLOURS[number % len(COLOURS)]
        if first:
            intervals = [scores.mean_interval(each[np.isfinite(each)]) for each in inside]
            ends = np.clip(np.array(intervals).T, 0, 1)
            left.fill_between(
                EXPECTED, *ends, color=colour, alpha=0.25, lw=0, label=f"{name}, 95 % interval"
            )
            values = below[known]
            right.hist(
                values, bins=10, range=(0, 1), density=True, color=TRAIN, alpha=0.6, ec="white"
            )
        left.plot(
            EXPECTED,
            [np.mean(scores.coverage(below[known], band)) for band in EXPECTED],
            color=colour,
            ls=STYLES[number % len(STYLES)],
            lw=2.2 if first else 1.2,
            zorder=3 if first else 2,
            label=name,
        )
    left.set_xlabel("expected coverage of a central band")
    left.set_ylabel("observed coverage")
    left.set_title(f"{panel.frequency.steps(1)} ahead", loc="left", fontsize=10)
    left.set_aspect("equal")
    for axis in (left.xaxis, left.yaxis):
        axis.set_major_formatter(PercentFormatter(1))
    _style(left)
    left.set(xlim=(0, 1), ylim=(0, 1))
    right.axhline(1, color=GREY, lw=1, ls=":")
    right.set_xlabel("probability integral transform F(outcome)")
    right.set_ylabel("density")
    right.set_title(
        f"{next(iter(forecasts))}: flat if calibrated", loc="left", fontsize=10, parse_math=False
    )
    right.set_xlim(0, 1)
    _style(right)
    legend_below(figure, left)
    save(figure, path)


def equity(
    dates: Sequence[str], strategies: Mapping[str, Strategy], cost: float, path: Path
) -> None:
    """Draws the value over time of an investment of 1 by each strategy, and the band of luck.

    The band is that of the first strategy that has one.

    Args:
      dates: of the days.
      strategies: by name.
      cost: of trading, in hundredths of a percent, shown in the title.
      path: the PNG to write.
    """
    figure = Figure(figsize=(9, 4.6), layout="constrained")
    axes = figure.subplots()
    days = np.arange(len(dates))
    lucky = next((name for name, each in strategies.items() if each.luck is not None), None)
    band = strategies[lucky].luck if lucky is not None else None
    if band is not None:
        share = round(100 * (LUCK[1] - LUCK[0]))
        axes.fill_between(
            days, *band, color=GREY, alpha=0.25, lw=0, zorder=1,
            label=f"{share} % of random strategies with the turnover of {lucky}",
        )  # fmt: skip
    for number, (name, each) in enumerate(strategies.items()):
        held = name == "hold"
        axes.plot(
            days,
            each.value,
            color="black" if held else COLOURS[(number - 1) % len(COLOURS)],
            ls=":" if held else STYLES[(number - 1) % len(STYLES)],
            lw=2.0 if name == lucky else 1.3,
            label=f"{name} all, always" if held else name,
        )
    _date_axis(axes, dates, [len(dates) - 1])
    axes.axhline(1, color=GREY, lw=0.8, zorder=0)
    axes.set_ylabel("value of 1 invested")
    axes.set_title(
        f"Long what is forecast to rise, after {cost:g} bp. Inside the band: chance. Not advice.",
        loc="left",
        fontsize=10,
    )
    _style(axes)
    legend_below(figure, axes, 3)
    save(figure, path)


def _date_axis(axes: Axes, dates: Sequence[str], named: Sequence[int]) -> None:
    """Labels rows with their dates: those of `named`, and others if there is room.

    Times of day, if there are any, are included; such labels are slanted.
    """
    apart = max(1, len(dates) // 6)
    ticks = [*named]
    for tick in range(named[0] % apart, len(dates), apart):
        if all(abs(tick - other) >= 0.8 * apart for other in ticks):
            ticks.append(tick)
    texts = [readable(dates[tick]) for tick in ticks]
    close = any(
        abs(one - other) < 0.12 * len(dates) for one in named for other in named if one != other
    )
    slanted = close or any(len(text) > 10 for text in texts)
    axes.set_xticks(
        ticks,
        texts,
        fontsize=9,
        rotation=30 if slanted else 0,
        ha="right" if slanted else "center",
        rotation_mode="anchor",
    )


def _style(axes: Axes) -> None:
    axes.grid(alpha=0.3, lw=0.6)
    axes.spines[["top", "right"]].set_visible(False)
    axes.yaxis.set_major_locator(MaxNLocator(6))
