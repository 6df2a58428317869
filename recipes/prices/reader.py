"""Reads tables of prices, checks them, repairs them on request, and splits them in time.

Light: importing this module imports neither pandas nor NumPy.
"""

from __future__ import annotations

import dataclasses
import math
from bisect import bisect_left
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from recipes.prices.rows import BAR, day_of, locations
from zoo.data.sources import Examples, Parts
from zoo.errors import UsageError, ZooError, quoted, suggest

if TYPE_CHECKING:
    import pandas as pd

    from zoo.data.reading import Reading

COLUMNS = {
    "ticker": "name of the series",
    "date": "list of days, in order, ISO 8601",
    "open": "list of opening prices, NaN where unknown; empty if there are none",
    "high": "likewise, highest prices",
    "low": "likewise, lowest prices",
    "close": "list of closing prices, adjusted for splits",
    "volume": "likewise, what was traded; it is not used",
    "begin": "index of the first day that this split forecasts; the days before it are known",
}
# Repairs by name, in the order of application. `--repair`, and the setting `repair` of a recipe,
# list these names.
REPAIRS = {
    "drop": "drops rows without a date or a price above 0",
    "sort": "sorts the days",
    "duplicates": "keeps the last row of a day",
    "bars": "drops open, high and low where they contradict each other",
    "gaps": "treats the days before and after a gap as neighbours",
    "splits": "divides the prices before what looks like a split",
    "jumps": "accepts all other jumps as real",
}
MIN_DAYS = 60  # minimum length of a training series
WARM_UP = 22  # days of a series before its first forecast
MAX_JUMP = 0.5  # absolute log return that counts as a jump: -39 %, +65 %
MAX_GAP = 10  # a longer gap, in calendar days, is a market closure or missing data
LONG_HOLIDAY = 14  # days for which a market may be closed without further evidence
SEASON = 35  # days by which a holiday of a lunar calendar moves from year to year
# 3:2 is omitted: news can have the same effect (Yahoo rose by 48 % on 1 February 2008).
SPLITS = (2, 3, 4, 5, 6, 7, 8, 10, 15, 20, 25, 30, 50, 100)


def parse_repairs(text: str) -> tuple[str, ...]:
    """Parses a list such as "sort,drop" to names of `REPAIRS`, in their order.

    Raises:
      UsageError: there is no repair with that name.
    """
    names = [name.strip() for name in text.split(",") if name.strip()]
    for name in names:
        if name not in REPAIRS:
            raise UsageError(f"Unknown repair {quoted(name)}.{suggest(name, REPAIRS)}")
    return tuple(name for name in REPAIRS if name in names)


def read_prices(
    path: Path,
    names: Mapping[str, str] | None = None,
    *,
    repairs: Collection[str] = (),
    min_days: int = MIN_DAYS,
    closes_only: bool = False,
    reading: Reading | None = None,
) -> tuple[Examples, list[str]]:
    """Reads a file of prices in long or wide format.

    Long: one row per day (and ticker), with a date and a close, and optionally a ticker, open,
    high, low and volume. Wide: a date, and one column of closes per ticker. Columns are recognised
    by their usual names, ignoring case; if there is an adjusted close, all prices are scaled to it.
    See `recipes.prices.table` for what is detected about a file.

    Args:
      path: the file, in a format of `zoo.data.formats`.
      names: our column name to the name in the file.
      repairs: names of `REPAIRS`; those of the options `repair` and `drop_bad` of `reading` are
        added.
      min_days: minimum number of days of a series.
      closes_only: whether to read only the closes.
      reading: the options; notes on the format of the file are added to it.

    Returns:
      The examples, one row per series, and notes on the repairs.

    Raises:
      UsageError: the file does not exist, is of another kind, or is ambiguous.
      ZooError: the table is invalid; one line with dates and line numbers.
    """
    from recipes.prices import table
    from zoo.data.reading import Reading

    if path.is_dir():
        raise UsageError(f"{path} is a folder, not a file.")
    if not path.is_file():
        raise UsageError(f"There is no file {path}.")
    reading = reading or Reading()
    repairs = {*repairs, *_asked(reading)}
    found = table.series_of_file(path, names or {}, reading, "drop" in repairs)
    return _examples(found, path.name, repairs, min_days, closes_only)


def parse_prices(
    text: str,
    where: str,
    names: Mapping[str, str] | None = None,
    *,
    repairs: Collection[str] = (),
    min_days: int = MIN_DAYS,
    reading: Reading | None = None,
) -> tuple[Examples, list[str]]:
    """Reads the text of a table as `read_prices` does; `where` is its name in messages."""
    from recipes.prices import table
    from zoo.data.reading import Reading

    reading = reading or Reading()
    repairs = {*repairs, *_asked(reading)}
    found = table.series_of_text(text, where, names or {}, reading, loose="drop" in repairs)
    return _examples(found, where, repairs, min_days, False)


def _asked(reading: Reading) -> set[str]:
    """Returns the repairs requested by the reading options."""
    dropping = {"drop"} if reading.options.drop_bad else set()
    return {*parse_repairs(reading.options.repair), *dropping}


def _examples(
    found: Sequence[tuple[str, pd.DataFrame]],
    where: str,
    repairs: Collection[str],
    min_days: int,
    closes_only: bool,
) -> tuple[Examples, list[str]]:
    examples: Examples = {column: [] for column in COLUMNS}
    notes: list[str] = []
    if closes_only:
        found = [(ticker, days[["line", "date", "close"]]) for ticker, days in found]
    dates = [days["date"].dropna().sort_values().drop_duplicates() for _, days in found]
    for place, (ticker, days) in enumerate(found):
        others = [*dates[:place], *dates[place + 1 :]]
        days, more = check(days, ticker, where, repairs, min_days, others)
        notes += more
        add(examples, ticker, days)
    return examples, notes


def add(examples: Examples, ticker: str, days: pd.DataFrame) -> None:
    """Adds one checked series to the examples."""
    examples["ticker"].append(ticker)
    midnight = (days["date"] == days["date"].dt.normalize()).all()
    form = "%Y-%m-%d" if midnight else "%Y-%m-%dT%H:%M:%S"
    examples["date"].append(days["date"].dt.strftime(form).tolist())
    for column in (*BAR, "close", "volume"):
        known = column in days and days[column].notna().any()
        examples[column].append(days[column].astype(float).tolist() if known else [])
    examples["begin"].append(min(WARM_UP, len(days) - 1))


def check(
    days: pd.DataFrame,
    ticker: str,
    where: str,
    repairs: Collection[str] = (),
    min_days: int = MIN_DAYS,
    others: Sequence[pd.Series] = (),
) -> tuple[pd.DataFrame, list[str]]:
    """Checks the days of one series and applies the given repairs.

    Unambiguous cases are corrected without a repair, and noted: rows in reverse order, rows without
    a price at the beginning and the end, duplicate rows.

    Args:
      days: columns `line`, `date` (timestamps), `close`, and any of the others.
      ticker, where: names of the series and its file, for messages.
      repairs: names of `REPAIRS`.
      min_days: minimum number of days.
      others: the dates of the other series of the file, in order.

    Returns:
      The days in order, and notes on the repairs.

    Raises:
      ZooError: the series is invalid, and the repair is not among `repairs`.
    """
    import numpy as np

    from recipes.prices.frequency import frequency_of

    notes: list[str] = []
    title = f"{where}: {ticker}" if ticker else where

    def needs_repair(rows: pd.Series, what: str, *ways: str) -> bool:
        """Returns whether there are such rows, to be repaired in one of the `ways`."""
        if not rows.any():
            return False
        bad_rows = days[rows]
        how = next((way for way in ways if way in repairs), None)
        if how is None:
            options = []
            for way in ways:  # in addition to the repairs already given
                names = ",".join(name for name in REPAIRS if name in (*repairs, way))
                options.append(f"`--repair {names}` ({way!r} {REPAIRS[way]})")
            raise ZooError(
                f"{title} {what} ({locations(bad_rows)}). Correct the file, or use "
                f"{' or '.join(options)}."
            )
        notes.append(f"{ticker or where} {what} ({locations(bad_rows)}); repaired by {how!r}")
        return True

    known = np.flatnonzero(np.isfinite(days["close"]))
    if len(known) and known[-1] - known[0] + 1 < len(days):
        empty = days.drop(days.index[known[0] : known[-1] + 1])
        notes.append(
            f"{title} begins or ends with rows without a price ({locations(empty)}), which are "
            "omitted"
        )
        days = days.iloc[known[0] : known[-1] + 1]
    rows = days["date"].isna()
    if needs_repair(rows, "has rows whose date cannot be read", "drop"):
        days = days[~rows]
    rows = ~np.isfinite(days["close"])
    if needs_repair(rows, "has days without a price", "drop"):
        days = days[~rows]
    rows = days["close"] <= 0
    if needs_repair(rows, "has prices that are 0 or negative", "drop"):
        days = days[~rows]
    if len(days) > 1 and days["date"].is_monotonic_decreasing:
        notes.append(f"{title} stands newest first; it is read from its end")
        days = days.iloc[::-1]
    rows = days["date"].diff().dt.total_seconds() < 0
    if needs_repair(rows, "is not sorted by date", "sort"):
        days = days.sort_values("date", kind="stable")
    rows = days.drop(columns="line").duplicated(keep="last") & days["date"].duplicated(keep="last")
    if rows.any():
        notes.append(f"{title} has the same row twice ({locations(days[rows])}); it counts once")
        days = days[~rows]
    rows = days["date"].duplicated(keep="last")
    if needs_repair(rows, "has a date more than once", "duplicates"):
        days = days[~rows]
    frequency = frequency_of([day.isoformat() for day in days["date"].tail(1000)])
    if len(days) < min_days:
        where_they_are = f" ({locations(days)})" if len(days) else ""
        raise ZooError(
            f"{title} has {frequency.steps(len(days))}{where_they_are}; at least {min_days} are "
            "needed. Give a longer series."
        )
    if days["close"].nunique() == 1 and len(days) > 1:
        first, last = day_of(days.iloc[0]), day_of(days.iloc[-1])
        raise ZooError(
            f"{title} is constant: every close from {first} to {last} is "
            f"{days['close'].iloc[0]:g}. There is nothing to forecast; omit it."
        )
    if set(BAR) <= set(days):
        opened, high, low, close = (days[name] for name in (*BAR, "close"))
        rows = (
            (high < np.maximum(opened, close) * 0.995)
            | (low > np.minimum(opened, close) * 1.005)
            | (low <= 0)
            | (low < 0.6 * np.minimum(opened, close))
            | (0.6 * high > np.maximum(opened, close))
        )
        if needs_repair(rows, "has bars that contradict themselves", "bars"):
            days = days.copy()
            days.loc[rows, list(BAR)] = np.nan
    intervals = days["date"].diff().dt.total_seconds() / 86_400
    limit = max(MAX_GAP, 5 * float(intervals.median())) if len(days) > 2 else math.inf
    rows, closed = intervals > limit, []
    for place in np.flatnonzero(rows):
        if _is_closed(int(place), days["date"], limit, others):
            rows.iloc[place] = False
            closed.append(place)
    if closed:
        longest = max(closed, key=intervals.to_numpy().__getitem__)
        first, last = day_of(days.iloc[longest - 1]), day_of(days.iloc[longest])
        notes.append(
            f"{title}: the market was closed for up to {intervals.iloc[longest]:.0f} days, from "
            f"{first} to {last}; this does not count as a gap"
        )
    needs_repair(rows, f"has gaps of up to {intervals[rows].max():.0f} days", "gaps")
    ratio = days["close"] / days["close"].shift()
    jumped = np.abs(np.log(ratio)) > MAX_JUMP
    factor = ratio.map(_split_of).where(jumped, 0.0)
    rows = factor > 0
    like = "has jumps like those of a split that the prices are not adjusted for"
    if needs_repair(rows, like, "splits", "jumps") and "splits" in repairs:
        days = days.copy()
        prices = [name for name in (*BAR, "close") if name in days]
        for place in np.flatnonzero(rows):
            days.loc[np.arange(len(days)) < place, prices] *= float(factor.iloc[place])
    needs_repair(jumped & ~rows, f"has jumps of more than -39 % or 65 % {frequency.each}", "jumps")
    return days, notes


def _is_closed(place: int, dates: pd.Series, limit: float, others: Sequence[pd.Series]) -> bool:
    """Returns whether the market was closed on the days missing before a row.

    This is the case if another series of the file lacks the same days, or if the series itself
    lacks days in the same season of another year. If no other series covers these days, a holiday
    of two weeks is accepted.

    Args:
      place: index of the row, from 1.
      dates: of the series, in order.
      limit: days without a row that are always accepted.
      others: dates of the other series.
    """
    before, after = dates.iloc[place - 1], dates.iloc[place]
    inside = []
    for other in others:
        begin, end = other.searchsorted(before, "right"), other.searchsorted(after, "left")
        covers = begin > 0 and end < len(other)
        if covers:
            inside.append(end - begin)
    if inside and min(inside) == 0:
        return True
    lengths = dates.diff().dt.total_seconds() / 86_400
    for other_place in (lengths > max(0.6 * limit, 5)).to_numpy().nonzero()[0]:
        years = (dates.iloc[other_place] - after).days / 365.25
        if abs(years) > 0.5 and abs(years - round(years)) * 365.25 <= SEASON:
            return True
    return not inside and lengths.iloc[place] <= max(LONG_HOLIDAY, limit)


def _split_of(ratio: float) -> float:
    """Returns the factor by which a split with that ratio changes earlier prices; 0 for no split.

    It is the nearest split within 10 %: a price may also move by this much on the day of a split.
    """
    factors = [factor for parts in SPLITS for factor in (1 / parts, float(parts))]
    off, factor = min((abs(math.log(ratio / factor)), factor) for factor in factors)
    return factor if off < 0.1 else 0.0


@dataclasses.dataclass(frozen=True, eq=False)  # compared by identity, which imports faster
class TimeSplit:
    """Splits series in time: the past for training, the rest for validation and test.

    A row of a later split also contains the days before the split, as context for networks; `begin`
    is its first forecast day. A split ends `embargo` days before the next one begins, so that no
    target of one reaches into the next.

    Attributes:
      embargo: days, at least the longest horizon.
    """

    embargo: int

    def __call__(
        self, examples: Examples, fractions: Mapping[str, float]
    ) -> tuple[Parts, list[str]]:
        """Splits off fractions of the days at the end, in the order of `fractions`.

        All series are split on the same day, so that nothing is learnt from the future of another
        series.

        Returns:
          The splits, `"train"` among them, and notes.

        Raises:
          ZooError: all series are too short, or have no day in a split.
        """
        rest, begins = 1 - sum(fractions.values()), {}
        for name, fraction in fractions.items():
            begins[name] = begins_at(examples, rest)
            rest += fraction
        parts = self.at(examples, begins)
        notes = [f"{' and '.join(fractions)}: the last days of the training rows"]
        whole = len(examples["date"])
        for name, rows in parts.items():
            if len(rows["date"]) < whole:
                notes.append(
                    f"{name} has {len(rows['date'])} of {whole} series: the others "
                    "have too few days in it"
                )
        return parts, notes

    def at(self, examples: Examples, begins: Mapping[str, Sequence[int]]) -> Parts:
        """Splits at given days.

        A series with fewer than two days to forecast in a split is omitted from the split. Days
        are not forecast if their past is too short to fit a simple method.

        Args:
          examples: whole series.
          begins: name of a split, in the order of time, to its first day in each series.

        Raises:
          ZooError: a split would have no day to forecast.
        """
        names = ["train", *begins]
        firsts = [list(examples["begin"]), *map(list, begins.values())]
        sizes = [len(dates) for dates in examples["date"]]
        ends = [  # a series that ends before the next split has no targets in it
            [
                begin - self.embargo if begin < size else size
                for begin, size in zip(following, sizes, strict=True)
            ]
            for following in firsts[1:]
        ]
        ends.append(sizes)
        needed = past_of(self.embargo)
        parts = {}
        for name, first, end in zip(names, firsts, ends, strict=True):
            if name != "train":
                first = [max(begin, needed) for begin in first]
            days = [max(stop - begin, 0) for begin, stop in zip(first, end, strict=True)]
            rows = [row for row, left in enumerate(days) if left >= 2]
            if not rows:
                longest = max(range(len(days)), key=days.__getitem__)
                raise ZooError(
                    f"{examples['ticker'][longest] or 'The series'} is too short to be split: "
                    f"{name} would have {days[longest]} days to forecast; {self.embargo} days "
                    "before the next split are omitted. Give a longer series."
                )
            parts[name] = {
                column: [examples[column][row][: end[row]] for row in rows]
                for column in COLUMNS
                if column not in ("ticker", "begin")
            }
            more = {
                "ticker": [examples["ticker"][row] for row in rows],
                "begin": [first[row] for row in rows],
            }
            parts[name] = {column: {**parts[name], **more}[column] for column in COLUMNS}
        return parts


def begins_at(examples: Examples, share: float) -> list[int]:
    """Returns, per series, the index of the day after a share of the days of all series.

    For a series that ends before that day, it is the length of the series.
    """
    every = sorted(set().union(*examples["date"]))
    day = every[min(round(share * len(every)), len(every) - 1)]
    return [bisect_left(dates, day) for dates in examples["date"]]


def past_of(horizon: int) -> int:
    """Returns how many days a series needs before its first scored day.

    Simple methods are fitted on those days whose targets, `horizon` days later, are known.
    """
    return max(WARM_UP + horizon, 3 * horizon)
