"""Converts price tables to series, with headers, dates and numbers in any common format.

Cells are text until their column is known, so that tickers such as `000001` and `NA` are preserved.

Light: importing this module imports neither pandas nor NumPy.
"""

from __future__ import annotations

import dataclasses
import io
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from recipes.prices.rows import BAR, locations
from zoo.data import contents, dialects, formats
from zoo.data.numerals import EMPTY, day_first, number, numerals
from zoo.data.reading import Reading
from zoo.errors import ZooError, quoted, suggest

if TYPE_CHECKING:
    import pandas as pd

NAMES = {  # names of our columns in files, lower case, without punctuation around them
    "date": (
        *("date", "datetime", "timestamp", "day", "trade date", "datum", "tag", "fecha", "data"),
        *("time", "zeit", "year", "quarter", "month", "week", "period", "jahr", "monat"),
    ),
    "time": ("time", "zeit", "uhrzeit", "heure", "hora"),
    "ticker": ("ticker", "symbol", "name", "isin", "instrument", "security"),
    "close": (
        *("close", "price", "last", "close/last", "last price", "closing price", "close price"),
        *("schluss", "schlusskurs", "zuletzt", "kurs", "clôture", "cloture", "dernier", "cierre"),
        *("último", "ultimo", "chiusura", "zamkniecie", "zamknięcie"),
    ),
    "adjusted": ("adj close", "adjclose", "adjusted close", "adj. close"),
    "open": (
        *(
            "open",
            "opening price",
            "eröffnung",
            "eröffnungskurs",
            "eröffn",
            "erster",
            "ouverture",
            "ouv",
        ),
        *("apertura", "otwarcie"),
    ),
    "high": (
        *("high", "hoch", "höchst", "tageshoch", "plus haut", "+ haut", "máximo", "máx"),
        *("massimo", "najwyzszy", "najwyższy"),
    ),
    "low": (
        *("low", "tief", "tiefst", "tagestief", "plus bas", "+ bas", "mínimo", "mín", "minimo"),
        *("najnizszy", "najniższy"),
    ),
    "volume": ("volume", "vol", "volumen", "umsatz", "stücke", "wolumen"),
}
# Columns of a two-row header that are not prices.
OTHERS = ("dividends", "stock splits", "capital gains", "repaired?")
PRICES = ("adjusted", "close", *BAR, "volume")
FIELDS = {*OTHERS, *(name for ours in PRICES for name in NAMES[ours])}
# Z, UTC or +01:00 after a time of day or a date.
ZONE = r"(:\d\d(?:\.\d+)?|^\d{4}-\d\d-\d\d)\s*(?:Z|UTC|GMT|[+-]\d\d(?::?\d\d)?)$"
PREAMBLE = 40  # maximum number of lines before a header
SIGNS = ("\t", ";", ",", "|")
CENTURY = 70  # 23 is 2023, 70 is 1970


@dataclasses.dataclass(frozen=True)
class Cells:
    """A table of text.

    Attributes:
      header: names of the columns.
      tickers: ticker of each column if the header has two rows; otherwise empty.
      lines: line number of each row, from 1.
      rows: cells of each row, one per column.
    """

    header: list[str]
    tickers: list[str]
    lines: list[int]
    rows: list[list[str]]

    def column(self, place: int) -> list[str]:
        return [row[place] for row in self.rows]


def series_of_file(
    path: Path, names: Mapping[str, str], reading: Reading, loose: bool = False
) -> list[tuple[str, pd.DataFrame]]:
    """Reads the series of a file in any format of `zoo.data.formats`; see `series_of_text`."""
    suffix = Path(contents.inner_name(path)).suffix
    if suffix in (".csv", ".tsv", ".tab", ".txt", ".prn", ""):
        text = contents.read_text(path, reading)
        return series_of_text(text, path.name, names, reading, suffix, loose)
    records = formats.read_records(path, reading)
    rows = [
        ["" if row.get(name) is None else str(row.get(name)) for name in records.present]
        for row in records.rows
    ]
    cells = Cells(records.present, [], records.numbers, rows)
    return _series(cells, path.name, names, reading, loose)


def series_of_text(
    text: str,
    where: str,
    names: Mapping[str, str],
    reading: Reading,
    suffix: str = ".csv",
    loose: bool = False,
) -> list[tuple[str, pd.DataFrame]]:
    """Returns ticker and rows of each series of a long or wide table.

    Args:
      text: of the file.
      where: name of the file, for messages.
      names: our column name to the name in the file.
      reading: the options; notes on unusual formats are added to it.
      suffix: of the file name.
      loose: whether cells that are not numbers are read as empty.

    Returns:
      Frames with the columns `line`, `date` (timestamps, NaT if a date cannot be read), `close`,
      and `open`, `high`, `low` and `volume` if the file has them; float64, NaN if empty. The rows
      of a wide table are the days of all its series; those with an empty cell are omitted.

    Raises:
      UsageError: the table is ambiguous; the message names the option.
      ZooError: a column is missing, or a cell is not a number.
    """
    return _series(_cells(text, where, names, reading, suffix), where, names, reading, loose)


def _cells(text: str, where: str, names: Mapping[str, str], reading: Reading, suffix: str) -> Cells:
    """Parses a table; its header may follow a preamble, or have two rows and an index."""
    text, skipped = _without_preamble(text, names, reading)
    if skipped:
        reading.found(where, f"a table that begins on line {skipped + 1}")
    _, parsed, said = dialects.sniff(text, where, suffix, reading.options, names.values())
    for what in said:
        reading.found(where, what)
    lines = [line + skipped for line, _ in parsed]
    rows = [[cell.strip() for cell in cells] for _, cells in parsed]
    kept = [place for place, cells in enumerate(rows) if any(cells)]
    lines, rows = [lines[place] for place in kept], [rows[place] for place in kept]
    if not rows:
        raise ZooError(f"{where} is empty.")
    head, levels = _header(rows, names)
    header, tickers = _levels(rows[:levels], rows[head])
    width = len(header)
    while width > 1 and not header[width - 1] and not any(
        len(row) >= width and row[width - 1] for row in rows[levels:]
    ):  # fmt: skip
        width -= 1
    body = []
    for line, row in zip(lines[levels:], rows[levels:], strict=True):
        if any(row[width:]):
            raise ZooError(
                f"{where} has {len(row)} cells on line {line}, but {width} columns. Correct the "
                "file, or say how it is written with --sep, --decimal or --quoting."
            )
        body.append((row + [""] * width)[:width])
    if levels > 1:
        reading.found(where, f"a header of {levels} rows")
    if not body:
        raise ZooError(f"{where} has a header but no rows.")
    return Cells(header[:width], tickers[:width], lines[levels:], body)


def _without_preamble(text: str, names: Mapping[str, str], reading: Reading) -> tuple[str, int]:
    """Removes the lines before the header; returns the rest and the number of removed lines."""
    said = reading.options.separator
    lines = re.split(r"(?<=\n)|(?<=\r)(?!\n)", text, maxsplit=PREAMBLE)
    for place, line in enumerate(lines[:PREAMBLE]):
        for sign in SIGNS if said is None else [said or "\0"]:
            cells = [_name(cell) for cell in line.split(sign)]
            if len(cells) > 1 and any(_is_date_name(cell, names) for cell in cells):
                # Header rows before the row with the date have the same width.
                first = place
                while first and lines[first - 1].count(sign) == line.count(sign):
                    first -= 1
                return "".join(lines[first:]), first
    return text, 0


def _header(rows: Sequence[Sequence[str]], names: Mapping[str, str]) -> tuple[int, int]:
    """Returns the row with the column names, and the number of header rows."""
    for place, row in enumerate(rows[:3]):
        if any(_is_date_name(_name(cell), names) for cell in row):
            if place and not any(row[1:]):  # the name of an index, below one or two levels
                fields = [number for number in range(place) if _are_fields(rows[number])]
                return (fields or [place - 1])[0], place + 1
            return place, place + 1
    return 0, 1


def _levels(levels: Sequence[Sequence[str]], header: Sequence[str]) -> tuple[list[str], list[str]]:
    """Returns names and tickers of the columns from a header of one or more rows."""
    index = levels[-1]
    names = list(header)
    if len(levels) > 1 and not any(index[1:]):
        names[0] = index[0]
    others = [row for row in levels if row is not header and any(row[1:])]
    if not others or not _are_fields(header):
        return names, []
    tickers: list[str] = []
    for cell in (list(others[0]) + [""] * len(names))[: len(names)]:
        tickers.append(cell or (tickers[-1] if tickers else ""))  # empty: a merged cell
    return names, ["", *tickers[1:]]


def _are_fields(row: Sequence[str]) -> bool:
    cells = [_name(cell) for cell in row[1:] if cell]
    return bool(cells) and all(cell in FIELDS for cell in cells)


def _name(cell: str) -> str:
    """Returns the name of a column in the form of `NAMES`: `"Close*"` is close, `"<VOL>"` vol."""
    name = cell.strip().strip('"').strip().lower().replace("_", " ").strip("<>*.: \ufeff")
    return re.sub(r"\s*[(\[].*[)\]]$", "", name)


def _is_date_name(name: str, names: Mapping[str, str]) -> bool:
    return name in NAMES["date"] or ("date" in names and name == _name(names["date"]))


def _series(
    cells: Cells, where: str, names: Mapping[str, str], reading: Reading, loose: bool
) -> list[tuple[str, pd.DataFrame]]:
    import pandas as pd

    if not cells.rows:
        raise ZooError(f"{where} has a header but no rows.")
    found = _Columns(cells, where, names)
    date = found.date()
    table = pd.DataFrame({"line": cells.lines})
    texts = cells.column(date)
    clock = found.find("time")
    if clock is not None and clock != date:
        clocks = cells.column(clock)
        texts = [f"{day} {_clock(time)}".strip() for day, time in zip(texts, clocks, strict=True)]
    table["date"] = timestamps(texts, where, reading)
    if cells.tickers:
        by_ticker: dict[str, dict[str, int]] = {}
        for place, name in enumerate(cells.tickers):
            if place != date and (ours := _ours(_name(cells.header[place]))):
                by_ticker.setdefault(name, {})[ours] = place
        columns = [place for fields in by_ticker.values() for place in fields.values()]
        values = _numbers(cells, columns, table, where, reading, loose)
        return [
            (name, _adjusted(table, {ours: values[place] for ours, place in fields.items()}))
            for name, fields in by_ticker.items()
            if {"close", "adjusted"} & set(fields)
        ]
    places = {ours: found.find(ours) for ours in PRICES}
    fields = {ours: place for ours, place in places.items() if place is not None}
    ticker = found.find("ticker")
    if {"close", "adjusted"} & set(fields):
        values = _numbers(cells, [*fields.values()], table, where, reading, loose)
        table = _adjusted(table, {ours: values[place] for ours, place in fields.items()})
        if ticker is None:
            return [("", table)]
        labels = pd.Series(cells.column(ticker))
        return [(name, table[labels == name]) for name in dict.fromkeys(labels)]
    if fields:
        raise ZooError(
            f"{where} has no column of closing prices: there is {_list(cells.header)}. Name it "
            "with --column close=NAME."
        )
    wide = [
        place
        for place, name in enumerate(cells.header)
        if place not in (date, ticker, clock) and name
    ]
    texts_only = [
        place
        for place in wide
        if not any(map(_has_digit, cells.column(place))) and any(cells.column(place))
    ]
    for place in texts_only:
        reading.note(f"{where}: column {quoted(cells.header[place])} has no number; it is omitted")
    wide = [place for place in wide if place not in texts_only]
    if not wide:
        raise ZooError(f"{where} has no column of prices beside {quoted(cells.header[date])}.")
    values = _numbers(cells, wide, table, where, reading, loose)
    found_series = []
    for place in wide:
        own = table.assign(close=values[place])
        found_series.append((cells.header[place], own[own["close"].notna()]))
    empty = sum(len(table) - len(own) for _, own in found_series)
    if empty:
        reading.note(f"{where}: {empty:,} empty cells: days on which a series has no price")
    return found_series


class _Columns:
    """Finds the columns of a table."""

    def __init__(self, cells: Cells, where: str, names: Mapping[str, str]) -> None:
        self.cells, self.where, self.names = cells, where, names
        self.places: dict[str, int] = {}
        for place, cell in enumerate(cells.header):
            self.places.setdefault(_name(cell), place)

    def find(self, ours: str) -> int | None:
        """Returns the index of one of our columns.

        Raises:
          ZooError: the file lacks the column named for it.
        """
        if ours in self.names:
            named = self.names[ours]
            if named not in self.cells.header:
                hint = suggest(named, self.cells.header)
                raise ZooError(f"{self.where} has no column {quoted(named)}.{hint}")
            if self.cells.header.count(named) > 1:
                raise ZooError(
                    f"{self.where} has the column {quoted(named)} twice. Rename one of them."
                )
            return self.cells.header.index(named)
        name = next((name for name in NAMES[ours] if name in self.places), None)
        if name is None:
            return None
        same = [cell for cell in self.cells.header if _name(cell) == name]
        if len(same) > 1:
            listed = " and ".join(quoted(cell) for cell in same)
            remedy = f"Name one with --column {ours}=NAME."
            if len(set(same)) < len(same):
                remedy = "Rename all but one of them in the file."
            raise ZooError(f"{self.where} has several columns for {ours}: {listed}. {remedy}")
        return self.places[name]

    def date(self) -> int:
        """Returns the index of the date column, which may be an unnamed index."""
        place = self.find("date")
        if place is not None:
            return place
        first = self.cells.header[0]
        unnamed = not first or first.lower().startswith(("unnamed", "index"))
        if unnamed and all(re.match(r"\d{4}-\d\d-\d\d", cell) for cell in self.cells.column(0)):
            return 0
        if any(re.match(r"\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}", cell) for cell in self.cells.header):
            raise ZooError(
                f"{self.where} has no header: it begins with {_list(self.cells.header)}. Add a "
                "first line with names, such as Date,Close."
            )
        raise ZooError(
            f"{self.where} has no column of dates: there is {_list(self.cells.header)}. Name it "
            "with --column date=NAME."
        )


def _has_digit(cell: str) -> bool:
    return any(sign.isdigit() for sign in cell)


def _ours(name: str) -> str | None:
    return next((ours for ours in PRICES if name in NAMES[ours]), None)


def _adjusted(table: pd.DataFrame, values: Mapping[str, pd.Series]) -> pd.DataFrame:
    """Returns the table with prices; if there is an adjusted close, all are scaled to it."""
    known = dict(values)
    adjusted = known.pop("adjusted", None)
    if "close" not in known and adjusted is not None:
        known["close"], adjusted = adjusted, None
    order = ("close", *BAR, "volume")
    table = table.assign(**{ours: known[ours] for ours in order if ours in known})
    if adjusted is not None:
        factor = adjusted / table["close"]
        for ours in (*BAR, "close"):
            if ours in table:
                table[ours] = table[ours] * factor
    return table


def _numbers(
    cells: Cells,
    places: Sequence[int],
    table: pd.DataFrame,
    where: str,
    reading: Reading,
    loose: bool,
) -> dict[int, pd.Series]:
    """Returns the numbers in columns, float64, NaN if a cell is empty.

    Raises:
      UsageError: a comma may be a decimal or a thousands separator.
      ZooError: a cell is not a number.
    """
    import pandas as pd

    columns = {place: cells.column(place) for place in places}
    known = {
        place: [cell if cell.lower() not in EMPTY else "" for cell in column]
        for place, column in columns.items()
    }
    if all(_are_plain(column) for column in known.values()) and not reading.options.decimal:
        return {place: _plain(column) for place, column in known.items()}
    style = numerals(known.values(), where, reading.options)
    for what in style.says():
        reading.found(where, what)
    found = {}
    for place, column in columns.items():
        numbers = [number(cell, style) for cell in column]
        wrong = pd.Series([each is None for each in numbers])
        if wrong.any() and not loose:
            first = column[int(wrong.to_numpy().argmax())]
            raise ZooError(
                f"{where}: column {quoted(cells.header[place])} holds {quoted(first)}, which is "
                "not "
                f"a number ({locations(table[wrong])}). Correct the file, name another column "
                "with --column, or drop such rows with --repair drop."
            )
        found[place] = pd.Series([float("nan") if each is None else each for each in numbers])
    return found


def _are_plain(column: Sequence[str]) -> bool:
    for cell in column:
        if cell:
            try:
                float(cell)
            except ValueError:
                return False
            if "_" in cell or cell.strip("+-").lower()[:1] in "in":  # inf, nan: Python's own
                return False
    return True


def _plain(column: Sequence[str]) -> pd.Series:
    """Returns the numbers as parsed by pandas."""
    import pandas as pd

    frame = pd.read_csv(
        io.StringIO("x\n" + "\n".join(column) + "\n"), skip_blank_lines=False, na_values=[""]
    )
    return frame["x"].astype(float)


def timestamps(cells: Sequence[str], where: str, reading: Reading) -> pd.Series:
    """Returns timestamps as written, without their time zone; NaT if one cannot be read.

    Days are those of the exchange: in another time zone, midnight could be on the previous day.

    Raises:
      UsageError: it is ambiguous whether dates begin with the day or the month.
    """
    import pandas as pd

    first = day_first([cell for cell in cells if cell], where, reading.options)
    if first is not None:
        reading.found(where, f"dates that begin with the {'day' if first else 'month'}")
    if all(re.fullmatch(r"\d{10}|\d{13}", cell) for cell in cells):
        size = 1 if len(cells[0]) == 10 else 1000  # seconds or milliseconds since 1970
        return pd.to_datetime(pd.Series([int(cell) / size for cell in cells]), unit="s")
    texts = pd.Series([_iso(cell, first) for cell in cells], dtype=object)
    texts = texts.str.replace(ZONE, r"\1", regex=True)
    found = pd.to_datetime(texts, errors="coerce", format="ISO8601", utc=True)
    # Month names, and times of day with AM and PM.
    rest = found.isna() & texts.str.contains(r"\d{4}-\d\d?-\d\d? |[A-Za-z]{3}.*\d", regex=True)
    if rest.any():
        mixed = pd.to_datetime(texts[rest], errors="coerce", format="mixed", utc=True)
        found = found.where(~rest, mixed.reindex(found.index))
    return found.dt.tz_localize(None)


def _iso(cell: str, first: bool | None) -> str:
    """Returns a date of three numbers with the year first; other dates are unchanged."""
    if quarter := re.fullmatch(r"(\d{4})[- ]?Q([1-4])", cell):
        return f"{quarter[1]}-{3 * int(quarter[2]) - 2:02}-01"
    found = re.match(r"(\d{1,4})([/.\-])\s?(\d{1,2})\2\s?(\d{1,4})(?!\d)", cell)
    if found is None:
        return cell
    one, two, three = found[1], found[3], found[4]
    rest = cell[found.end() :]
    if len(one) == 4:
        year, month, day = one, two, three
    else:
        day, month = (one, two) if first else (two, one)
        year = three
        if len(year) == 2:
            year = f"{19 if int(year) >= CENTURY else 20}{year}"
    return f"{year}-{int(month):02}-{int(day):02}{rest}" if len(year) == 4 else cell


def _clock(cell: str) -> str:
    """Returns a time of day: `093000` is 09:30:00."""
    if re.fullmatch(r"\d{6}|\d{4}", cell):
        return ":".join(re.findall(r"\d\d", cell))
    return cell


def _list(names: Sequence[str]) -> str:
    return ", ".join(names[:8]) + (" …" if len(names) > 8 else "")
