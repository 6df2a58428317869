"""Tables of prices: read, checked, repaired on request, and split in time.

Light: importing this module imports neither pandas nor NumPy.
"""

from __future__ import annotations

import dataclasses
import io
import math
from bisect import bisect_left
from collections.abc import Collection, Hashable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from zoo.data.sources import Examples, Parts
from zoo.errors import UsageError, ZooError, quoted, suggest

if TYPE_CHECKING:
    import pandas as pd

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
# Repairs by name, in the order in which they are made. The setting `mend` of a recipe lists names
# of these; saved runs have it under that name.
REPAIRS = {
    "drop": "drops rows without a date or a price above 0",
    "sort": "sorts the days",
    "duplicates": "keeps the last row of a day",
    "bars": "drops open, high and low where they contradict each other",
    "gaps": "treats the days before and after a gap as neighbours",
    "splits": "divides the prices before what looks like a split",
    "jumps": "accepts all other jumps as real",
}
NAMES = {  # what files call our columns, lower case
    "date": ("date", "datetime", "timestamp", "time", "day"),
    "ticker": ("ticker", "symbol", "name"),
    "close": ("close", "price", "last"),
    "adjusted": ("adj close", "adj_close", "adjclose", "adjusted close"),
}
# Z, UTC or +01:00 behind a time of day, or behind a day.
ZONE = r"(:\d\d(?:\.\d+)?|^\d{4}-\d\d-\d\d)\s*(?:Z|UTC|GMT|[+-]\d\d(?::?\d\d)?)$"
BAR = ("open", "high", "low")
MIN_DAYS = 60  # days that a training series needs
WARM_UP = 22  # days of a series that are read before the first one is forecast
MAX_SHOWN = 3  # dates in a message before "and N more"
MAX_JUMP = 0.5  # log return beyond which a price has jumped: -39 %, +65 %
MAX_GAP = 10  # calendar days between two days beyond which some are missing
# 3:2 is not among them: on news, prices do that too (Yahoo rose by 48 % on 1 February 2008).
SPLITS = (2, 3, 4, 5, 6, 7, 8, 10, 15, 20, 25, 30, 50, 100)


def parse_repairs(text: str) -> tuple[str, ...]:
    """Parses "sort,drop" to names of `REPAIRS`, in their order.

    Raises:
      UsageError: there is no repair of that name.
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
) -> tuple[Examples, list[str]]:
    """Reads a CSV or TSV file of prices, long or wide.

    Long: a row for each day (and ticker), with a date and a close, perhaps a ticker, open, high,
    low and volume. Wide: a column of closes for each ticker, and the date. Columns are known by
    their usual names in any case; where there is an adjusted close, all prices are scaled to it.

    Args:
      path: the file, perhaps gzipped.
      names: our column to the file's name of it.
      repairs: names of `REPAIRS`.
      min_days: the least number of days of a series.

    Returns:
      The examples, a row for each series, and notes on what was repaired.

    Raises:
      UsageError: no such file, or another kind of file.
      ZooError: the table is not right; one line with dates and line numbers.
    """
    from zoo.data import contents

    if path.is_dir():
        raise UsageError(f"{path} is a folder, not a file.")
    if not path.is_file():
        raise UsageError(f"There is no file {path}.")
    if not path.name.lower().removesuffix(".gz").endswith((".csv", ".tsv", ".txt")):
        raise UsageError(f"{path} is of no known kind: prices are read from .csv and .tsv (.gz).")
    text = contents.read_text(path)
    return parse_prices(text, path.name, names, repairs=repairs, min_days=min_days)


def parse_prices(
    text: str,
    where: str,
    names: Mapping[str, str] | None = None,
    *,
    repairs: Collection[str] = (),
    min_days: int = MIN_DAYS,
) -> tuple[Examples, list[str]]:
    """Reads the text of a table; `where` names it in messages. Else as `read_prices`."""
    import pandas as pd

    header = text.split("\n", 1)[0]
    separator = "\t" if "\t" in header else ";" if ";" in header else ","
    try:
        frame = pd.read_csv(io.StringIO(text), sep=separator, skipinitialspace=True)
    except (ValueError, pd.errors.ParserError) as error:
        reason = str(error).strip().split("\n")[0]
        raise ZooError(f"{where} is no table that pandas reads ({reason}).") from None
    if frame.empty:
        raise ZooError(f"{where} has a header but no rows.")
    series = _series(frame, where, dict(names or {}))
    examples: Examples = {column: [] for column in COLUMNS}
    notes: list[str] = []
    for ticker, days in series:
        days, more = check(days, ticker, where, repairs, min_days)
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
) -> tuple[pd.DataFrame, list[str]]:
    """Checks the days of one series, and makes the given repairs.

    Args:
      days: columns `line`, `date` (timestamps), `close`, and any of the others.
      ticker, where: names of the series and its file, for messages.
      repairs: names of `REPAIRS`.
      min_days: the least number of days.

    Returns:
      The days in order, and notes on what was repaired.

    Raises:
      ZooError: something is wrong, and its repair is not among `repairs`.
    """
    import numpy as np

    notes: list[str] = []
    title = f"{where}: {ticker}" if ticker else where

    def needs_repair(rows: pd.Series, what: str, *ways: str) -> bool:
        """Whether there are such rows, to be repaired in one of the `ways`."""
        if not rows.any():
            return False
        bad_rows = days[rows]
        how = next((way for way in ways if way in repairs), None)
        if how is None:
            options = []
            for way in ways:  # together with the repairs that are set already
                names = ",".join(name for name in REPAIRS if name in (*repairs, way))
                options.append(f"`zoo train … --set mend={names}` ({way!r} {REPAIRS[way]})")
            raise ZooError(
                f"{title} {what} ({_locations(bad_rows)}). Correct the file, or use "
                f"{' or '.join(options)}."
            )
        notes.append(f"{ticker or where} {what} ({_locations(bad_rows)}); repaired by {how!r}")
        return True

    rows = days["date"].isna()
    if needs_repair(rows, "has rows whose date cannot be read", "drop"):
        days = days[~rows]
    rows = ~np.isfinite(days["close"])
    if needs_repair(rows, "has days without a price", "drop"):
        days = days[~rows]
    rows = days["close"] <= 0
    if needs_repair(rows, "has prices that are 0 or negative", "drop"):
        days = days[~rows]
    rows = days["date"].diff().dt.total_seconds() < 0
    if needs_repair(rows, "is not sorted by date", "sort"):
        days = days.sort_values("date", kind="stable")
    rows = days["date"].duplicated(keep="last")
    if needs_repair(rows, "has a date more than once", "duplicates"):
        days = days[~rows]
    if len(days) < min_days:
        raise ZooError(
            f"{title} has {len(days)} day{'s' * (len(days) != 1)} ({_locations(days)}); at least "
            f"{min_days} are needed. Give a longer series."
        )
    if days["close"].nunique() == 1 and len(days) > 1:
        raise ZooError(
            f"{title} is constant: every close from {_day(days.iloc[0])} to {_day(days.iloc[-1])} "
            f"is {days['close'].iloc[0]:g}. There is nothing to forecast; omit it."
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
    rows = intervals > limit
    needs_repair(rows, f"has gaps of up to {intervals.max():.0f} days", "gaps")
    ratio = days["close"] / days["close"].shift()
    jumped = np.abs(np.log(ratio)) > MAX_JUMP
    factor = ratio.map(_split_of).where(jumped, 0.0)
    rows = factor > 0
    like = "jumps as at a split that prices are not adjusted for"
    if needs_repair(rows, like, "splits", "jumps") and "splits" in repairs:
        days = days.copy()
        prices = [name for name in (*BAR, "close") if name in days]
        for place in np.flatnonzero(rows):
            days.loc[np.arange(len(days)) < place, prices] *= float(factor.iloc[place])
    needs_repair(jumped & ~rows, "jumps by more than -39 % or 65 % in a day", "jumps")
    return days, notes


def _split_of(ratio: float) -> float:
    """Returns the factor by which a split of that ratio changes earlier prices; 0 for none.

    It is the nearest one, if that is within 10 %: a price may move so much on the day of a split.
    """
    factors = [factor for parts in SPLITS for factor in (1 / parts, float(parts))]
    off, factor = min((abs(math.log(ratio / factor)), factor) for factor in factors)
    return factor if off < 0.1 else 0.0


def _series(
    frame: pd.DataFrame, where: str, names: Mapping[str, str]
) -> list[tuple[str, pd.DataFrame]]:
    """Returns ticker and days of each series of a table, long or wide."""
    import pandas as pd

    columns = {str(column).strip().lower(): column for column in frame.columns}

    def find(ours: str, *usual: str) -> Hashable | None:
        if ours in names:
            if names[ours] not in frame.columns:
                raise ZooError(
                    f"{where} has no column {quoted(names[ours])}."
                    f"{suggest(names[ours], map(str, frame.columns))}"
                )
            return names[ours]
        return next((columns[name] for name in usual if name in columns), None)

    date = find("date", *NAMES["date"])
    if date is None:
        first = frame.columns[0]
        if str(first).startswith("Unnamed") and _timestamps(frame[first]).notna().all():
            date = first  # an index that pandas has written
        else:
            raise ZooError(
                f"{where} has no column of dates: there is {_list(frame.columns)}. Name it with "
                "--column date=NAME."
            )
    close, adjusted = find("close", *NAMES["close"]), find("adjusted", *NAMES["adjusted"])
    ticker = find("ticker", *NAMES["ticker"])
    table = pd.DataFrame({"line": range(2, len(frame) + 2), "date": _timestamps(frame[date])})
    if close is None and adjusted is not None:
        close, adjusted = adjusted, None
    if close is not None:
        table["close"] = _numbers(frame[close], table, where, str(close))
        for name in (*BAR, "volume"):
            column = find(name, name)
            if column is not None:
                table[name] = _numbers(frame[column], table, where, str(column))
        if adjusted is not None:
            factor = _numbers(frame[adjusted], table, where, str(adjusted)) / table["close"]
            for name in (*BAR, "close"):
                if name in table:
                    table[name] *= factor
        if ticker is None:
            return [("", table)]
        groups = frame[ticker].fillna("").astype(str)
        return [(name, table[groups == name]) for name in dict.fromkeys(groups)]
    if set(columns) & {*BAR, "volume"}:
        raise ZooError(
            f"{where} has no column of closing prices: there is {_list(frame.columns)}. Name it "
            "with --column close=NAME."
        )
    wide = [column for column in frame.columns if column not in (date, ticker)]
    if not wide:
        raise ZooError(f"{where} has no column of prices beside {quoted(date)}.")
    return [
        (str(column), table.assign(close=_numbers(frame[column], table, where, str(column))))
        for column in wide
    ]


def _timestamps(column: pd.Series) -> pd.Series:
    """Returns timestamps as they are written, without their zone; NaT where one cannot be read.

    A day is that of the exchange: in another zone, midnight would be of the day before.
    """
    import warnings

    import pandas as pd

    text = column.astype(str).str.replace(ZONE, r"\1", regex=True)
    timestamps = pd.to_datetime(text, errors="coerce", format="ISO8601", utc=True)
    if timestamps.isna().any():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of a form that pandas has to guess
            other = pd.to_datetime(text, errors="coerce", utc=True)
        timestamps = other if other.notna().sum() > timestamps.notna().sum() else timestamps
    return timestamps.dt.tz_localize(None)


def _numbers(column: pd.Series, table: pd.DataFrame, where: str, name: str) -> pd.Series:
    """Returns floats, NaN where a cell is empty.

    Raises:
      ZooError: a cell holds something else.
    """
    import pandas as pd

    numbers = pd.to_numeric(column, errors="coerce").astype(float)
    text = column.astype(str).str.strip().str.lower()
    invalid = numbers.isna() & column.notna() & ~text.isin(["", "nan", "null", "none", "-", "n/a"])
    if invalid.any():
        raise ZooError(
            f"{where}: column {quoted(name)} holds {quoted(str(column[invalid].iloc[0]))}, which "
            f"is no number ({_locations(table[invalid])})."
        )
    return numbers


def _locations(rows: pd.DataFrame) -> str:
    """Returns the first few dates and lines of rows, and how many more there are."""
    locations = [f"{_day(row)} on line {row['line']}" for _, row in rows.head(MAX_SHOWN).iterrows()]
    more = f" and {len(rows) - MAX_SHOWN:,} more" if len(rows) > MAX_SHOWN else ""
    return ", ".join(locations) + more


def _day(row: pd.Series) -> str:
    return "no date" if row["date"] != row["date"] else row["date"].strftime("%Y-%m-%d")


def _list(names: pd.Index) -> str:
    listed = [str(name) for name in list(names)[:8]]
    return ", ".join(listed) + (" …" if len(names) > 8 else "")


@dataclasses.dataclass(frozen=True)
class TimeSplit:
    """Splits series in time: the past to train on, what follows to choose and to test.

    A row of a later split holds the days before it too, for networks to look back at; `begin` is
    the first day that it forecasts. A split ends `embargo` days before the next one begins, so
    that no target of one reaches into the next.

    Attributes:
      embargo: days, at least the longest horizon.
    """

    embargo: int

    def __call__(
        self, examples: Examples, fractions: Mapping[str, float]
    ) -> tuple[Parts, list[str]]:
        """Cuts fractions of the days off the end, in the order of `fractions`.

        All series are cut on the same day, so that nothing is learnt from the future of another
        series.

        Returns:
          The splits, `"train"` among them, and notes.

        Raises:
          ZooError: all series are too short, or have no day there.
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
        """Cuts at given days.

        A series that has fewer than two days to forecast in a split is omitted from it. Days are
        not forecast if their past is too short to fit a simple method.

        Args:
          examples: whole series.
          begins: name of a split, in the order of time, to its first day in each series.

        Raises:
          ZooError: a split would have no day to forecast.
        """
        names = ["train", *begins]
        firsts = [list(examples["begin"]), *map(list, begins.values())]
        sizes = [len(dates) for dates in examples["date"]]
        ends = [  # a series that ends before the next split has no target in it
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
    """Returns the index in each series of the day after a share of the days of all series.

    Of a series that ends before that day, it is its length.
    """
    every = sorted(set().union(*examples["date"]))
    day = every[min(round(share * len(every)), len(every) - 1)]
    return [bisect_left(dates, day) for dates in examples["date"]]


def past_of(horizon: int) -> int:
    """Returns how many days a series needs before the first one that is scored.

    Simple methods are fitted on those of them whose targets, `horizon` days later, are known.
    """
    return max(WARM_UP + horizon, 3 * horizon)
