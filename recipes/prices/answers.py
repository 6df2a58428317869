"""Reads series to forecast from a file, and formats forecasts as text.

Light: importing this module imports neither pandas nor NumPy.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from recipes.prices.frequency import dates_after, frequency_of
from recipes.prices.reader import read_prices
from zoo.data import Examples
from zoo.data.reading import Reading

DIGITS = 3  # significant digits of the width of a band


def read_series(
    path: Path,
    repairs: Collection[str],
    horizon: int,
    columns: Mapping[str, str] | None = None,
    reading: Reading | None = None,
) -> Examples:
    """Reads the closing prices of each series in a file, and the dates of its forecast.

    Args:
      path: as for `read_prices`.
      repairs: names of `recipes.prices.reader.REPAIRS`.
      horizon: steps ahead.
      columns: our column name to the name in the file.
      reading: the options; notes are added to it.

    Returns:
      `close` and `date`, a list per series, and the description of a forecast: `ticker`,
      `frequency`, `last_date`, `last_close`, and `dates`, those of the future steps.
    """
    reading = reading or Reading()
    found, notes = read_prices(
        path, columns, repairs=repairs, min_days=2, closes_only=True, reading=reading
    )
    for note in notes:
        reading.note(note)
    return {
        "close": found["close"],
        "date": found["date"],
        "ticker": found["ticker"],
        "frequency": [str(frequency_of(dates)) for dates in found["date"]],
        "last_date": [dates[-1] for dates in found["date"]],
        "last_close": [closes[-1] for closes in found["close"]],
        "dates": [dates_after(dates, horizon) for dates in found["date"]],
    }


def line(example: Mapping[str, Any], answer: Mapping[str, Any]) -> str:
    """Returns a forecast as one line of text.

    Args:
      example: `close` of one series, and `date` and `ticker` if known.
      answer: `median`, `low_80` and `high_80` of the future prices, and `volatility` of the log
        return, `(horizon,)` each.
    """
    steps, last = len(answer["median"]), example["close"][-1]
    low, middle, high = (answer[name][-1] for name in ("low_80", "median", "high_80"))
    dates: Sequence[str] = example.get("date") or ()
    frequency = frequency_of(dates)
    places = decimals(high - low)
    name = f"{example['ticker']}  " if example.get("ticker") else ""
    now = f" on {readable(dates[-1])}" if dates else ""
    then = f", on {readable(dates_after(dates, steps)[-1])}" if dates else ""
    down, up = (100 * (price / last - 1) for price in (low, high))
    changes = [f"{change:+.{max(decimals(up - down, 2), 1)}f} %" for change in (down, up)]
    return (
        f"{name}{last:.{places}f}{now} → {middle:.{places}f} in {frequency.steps(steps)}{then}; "
        f"80 % between {low:.{places}f} ({changes[0]}) and {high:.{places}f} ({changes[1]}); "
        f"volatility {100 * answer['volatility'][0]:.2g} % {frequency.each}"
    )


def decimals(width: float, digits: int = DIGITS) -> int:
    """Returns the number of decimals to show for a number with an uncertainty of `width`.

    It is enough for `digits` significant digits of the width, and at most 12.
    """
    if not width > 0 or not math.isfinite(width):
        return digits
    return min(max(digits - 1 - math.floor(math.log10(width)), 0), 12)


def readable(date: str) -> str:
    """Returns an ISO 8601 date in readable form: without the T, and without zero seconds."""
    return date.replace("T", " ").removesuffix(":00")
