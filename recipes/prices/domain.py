"""Detects series that differ from the training data of a network."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from recipes.prices.frequency import Frequency, frequency_of, parse_frequency
from recipes.prices.rows import BAR
from recipes.prices.series import FEATURES, SPANS, describe_days, prices_of
from zoo.assets import Assets

WIDE = 3.0  # standard deviations of the logarithm of the variance, over the training rows
SHARE = 0.1  # series are reported if a larger share of their rows is outside
SHOWN = 3  # series in a sentence before "and N more"


def outside(assets: Assets, examples: Mapping[str, Sequence]) -> list[str]:
    """Returns a sentence for each way in which series differ from the training series.

    Args:
      assets: of the network: `mean` and `deviation` of its features; `frequency`, days if absent.
      examples: `close`; and, if known, `date`, `ticker`, bars and `begin`, the first row that is
        forecast from; by default the last row.
    """
    count = len(examples["close"])
    names = [name or "the series" for name in examples.get("ticker", [""] * count)]
    trained = parse_frequency(str(assets.get("frequency", "day")))
    frequencies = [
        frequency_of(dates) if dates else trained for dates in examples.get("date", [()] * count)
    ]
    sentences = []
    for other in dict.fromkeys(each for each in frequencies if each != trained):
        which = [name for name, each in zip(names, frequencies, strict=True) if each == other]
        sentences.append(
            f"the rows of {_some(which)} are {_apart(other)} apart; the network was trained on "
            f"rows {_apart(trained)} apart, and its bands are for such rows"
        )
    levels = _levels(examples)
    place = FEATURES.index("level")
    mean, deviation = (float(assets[name][place]) for name in ("mean", "deviation"))
    low, high = mean - WIDE * deviation, mean + WIDE * deviation
    wrong = {}
    for name, level, frequency in zip(names, levels, frequencies, strict=True):
        if np.mean((level < low) | (level > high)) > SHARE:
            percent = 100 * math.exp(float(np.median(level)) / 2)
            wrong[name] = f"{name} ({percent:.2g} % {frequency.each})"
    if wrong:
        least, most = (100 * math.exp(each / 2) for each in (low, high))
        sentences.append(
            f"the volatility of {_some([*wrong.values()])} lies outside what the network was "
            f"trained on, {least:.2g} to {most:.2g} % {trained.each}: its bands are less sure"
        )
    short = [
        name
        for name, closes in zip(names, examples["close"], strict=True)
        if len(closes) < SPANS[-1]
    ]
    if short:
        sentences.append(
            f"{_some(short)} {'has' if len(short) == 1 else 'have'} fewer than {SPANS[-1]} rows, "
            "over which the network takes averages: its bands are less sure"
        )
    return sentences


def _levels(examples: Mapping[str, Sequence]) -> list[np.ndarray]:
    """Returns the log EWMA variance, `(rows,)`, at the forecast rows of each series."""
    count = len(examples["close"])
    days = describe_days(**prices_of({**dict.fromkeys(BAR, [[]] * count), **examples}))
    found = np.log(days["variance"].numpy())
    begins = examples.get("begin") or [len(closes) - 1 for closes in examples["close"]]
    return [
        row[min(begin, len(closes) - 1) : len(closes)]
        for row, begin, closes in zip(found, begins, examples["close"], strict=True)
    ]


def _apart(frequency: Frequency) -> str:
    return str(frequency) if frequency.count > 1 else frequency.each


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - SHOWN:,} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more
