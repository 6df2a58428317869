"""Detects how a text table is written: the separator of its columns, and its quoting.

Light: importing this module imports neither TensorFlow nor pandas nor NumPy.
"""

from __future__ import annotations

import csv
import dataclasses
import io
import itertools
import re
import sys
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import TypeAlias

from zoo.data.contents import split_lines
from zoo.data.reading import SEPARATORS, ReadOptions, numbers
from zoo.errors import UsageError, ZooError

NAMES = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "pipes"}
MOST = 0.9  # of the rows
NOWHERE = "\U0010ffff"  # a noncharacter, in no text. Python 3.10 does not accept NUL as a separator
Rows: TypeAlias = list[tuple[int, list[str]]]
"""Number of its first line, and cells, of each row that is not blank."""


@dataclasses.dataclass(frozen=True)
class Dialect:
    """How a table is written.

    Attributes:
      separator: one character; `""`: each line is a single cell.
      quoting: whether cells may be enclosed in quotation marks.
      escape: character that escapes a quotation mark inside a quoted cell; `""`: it is doubled.
    """

    separator: str = ","
    quoting: bool = True
    escape: str = ""


def sniff(
    text: str,
    path: Path | str,
    suffix: str,
    options: ReadOptions,
    wanted: Collection[str] = (),
) -> tuple[Dialect, Rows, list[str]]:
    """Detects how a table is written, and parses it.

    Args:
      text: of the file.
      path: of the file, for messages.
      suffix: of the file name; `.tsv` and `.csv` decide unless the table contradicts them.
      options: settings that need not be detected.
      wanted: names of expected columns, by which a header is recognised.

    Returns:
      The dialect; the rows, the header first; and notes about them.

    Raises:
      UsageError: the table is ambiguous; the message names the option that decides.
      ZooError: the table cannot be parsed, or has no rows.
    """
    said: list[str] = []
    first, *rest = text.split("\n", 1)
    skipped = 0
    if (hint := re.fullmatch(r"sep=(.)\s*", first)) and rest:  # written by Excel
        text, skipped = rest[0], 1
    usual = "\t" if suffix in (".tsv", ".tab") else ","
    if options.separator is not None:
        separator = options.separator
    elif hint:
        separator = hint[1]
    else:
        separator = _separator(text, path, usual, wanted)
    if separator != usual:
        said.append(f"separated by {NAMES.get(separator, repr(separator))}" if separator else
                    "a column without a separator")  # fmt: skip
    dialect, rows, more = _quoted(text, path, separator, options)
    if not rows:
        raise ZooError(f"{path} is empty.")
    if skipped:
        rows = [(line + skipped, cells) for line, cells in rows]
    return dialect, rows, [*said, *more]


def parse(text: str, dialect: Dialect) -> Iterator[tuple[int, list[str]]]:
    """Yields (number of the first line, cells) for each row that is not blank.

    Raises:
      csv.Error: quotation marks are unbalanced.
    """
    if not dialect.quoting:
        for number, line in enumerate(split_lines(text), 1):
            if line.strip():
                yield number, line.split(dialect.separator) if dialect.separator else [line]
        return
    csv.field_size_limit(min(sys.maxsize, 2**31 - 1))  # 131,072 characters by default
    reader = csv.reader(
        io.StringIO(text, newline=""),
        delimiter=dialect.separator or NOWHERE,
        strict=True,
        doublequote=not dialect.escape,
        escapechar=dialect.escape or None,
    )
    start = 1
    for row in reader:
        if row and not (len(row) == 1 and not row[0].strip()):
            yield start, row
        start = reader.line_num + 1


def _separator(text: str, path: Path | str, usual: str, wanted: Collection[str]) -> str:
    """Returns the separator that divides the header and the rows into equally many cells."""
    header = split_lines(text[:100_000])
    line = next((each for each in header if each.strip()), "")
    parting = [sign for sign in NAMES if sign in _without_quoted(line)]
    if not parting:
        return usual
    if len(parting) == 1:
        return parting[0]
    named = [sign for sign in parting if wanted and set(wanted) <= set(_cells(line, sign))]
    if len(named) == 1:
        return named[0]
    # The header contains several candidates: the rows decide.
    even = [sign for sign in parting if _evenness(_first_rows(text, sign)) > MOST]
    if len(even) == 1:
        return even[0]
    signs = " or ".join(NAMES[sign] for sign in even or parting)
    names = " or ".join(
        f"--sep {name}" for name, sign in SEPARATORS.items() if sign in (even or parting) and sign
    )
    raise UsageError(f"{path}: its columns may be separated by {signs}. Say which: {names}.")


def _without_quoted(line: str) -> str:
    return re.sub(r'"[^"]*"', "", line)


def _cells(line: str, sign: str) -> list[str]:
    return [cell.strip().strip('"') for cell in line.split(sign)]


def _first_rows(text: str, sign: str) -> Rows:
    try:
        return list(itertools.islice(parse(text, Dialect(sign)), 1000))
    except csv.Error:
        return list(itertools.islice(parse(text, Dialect(sign, quoting=False)), 1000))


def _evenness(rows: Rows) -> float:
    """Returns the fraction of rows that have as many cells as the header."""
    return sum(len(row) == len(rows[0][1]) for _, row in rows) / len(rows) if rows else 0.0


def _quoted(
    text: str, path: Path | str, separator: str, options: ReadOptions
) -> tuple[Dialect, Rows, list[str]]:
    """Parses a table with or without quoting, depending on its quotation marks."""
    literal, quoted = Dialect(separator, quoting=False), Dialect(separator)
    if options.quoting == "none":
        return literal, list(parse(text, literal)), []
    marked = re.search(rf'(?:^|[\r\n{re.escape(separator)}])"', text)
    if options.quoting == "csv" or not marked:
        # If no cell begins with a quotation mark, both dialects are equivalent.
        return quoted, _strictly(text, path, quoted), []
    try:
        rows = list(parse(text, quoted))
    except csv.Error:
        escaped = Dialect(separator, escape="\\")
        if '\\"' in text and _evenness(rows := _parsed(text, escaped)) == 1:
            return escaped, rows, ['quoted with \\"']
        lines = list(parse(text, literal))
        if _evenness(lines) > MOST:
            return literal, lines, ["cells without CSV quoting"]
        return quoted, _strictly(text, path, quoted), []
    if not separator or not rows or len(rows[0][1]) == 1:
        return quoted, rows, []
    header = any(cell.startswith('"') for cell in split_lines(text)[0].split(separator))
    swallowed = [] if header else _swallowed(rows, split_lines(text), separator)
    if header or not (swallowed or separator == "\t"):
        return quoted, rows, []
    lines = list(parse(text, literal))
    if _evenness(lines) < _evenness(rows):  # some cells hold parts of rows
        return quoted, rows, []
    if separator == "\t":
        # Writers of TSV quote only cells that need it.
        if swallowed or not re.search(r'[^"\t]""', text):
            return literal, lines, ["cells without CSV quoting"]
    elif swallowed:
        raise UsageError(
            f"{path} can be read in two ways: on {numbers(swallowed)} a cell between quotation "
            "marks holds whole rows. Use --quoting csv if it is one cell, or --quoting none if a "
            "quotation mark is a character like others."
        )
    return quoted, rows, []


def _swallowed(rows: Rows, lines: list[str], separator: str) -> list[int]:
    """Returns lines whose quoted cells hold whole rows; [] if some cells hold parts of rows."""
    width = len(rows[0][1])
    ends = [line for line, _ in rows[1:]] + [len(lines) + 1]
    found = []
    for (line, _), end in zip(rows, ends, strict=True):
        inner = [text for text in lines[line - 1 : end - 1] if text.strip()]
        if len(inner) > 1:
            if any(text.count(separator) != width - 1 for text in inner):
                return []
            found.append(line)
    return found


def _parsed(text: str, dialect: Dialect) -> Rows:
    try:
        return list(parse(text, dialect))
    except csv.Error:
        return []


def _strictly(text: str, path: Path | str, dialect: Dialect) -> Rows:
    parsed: Rows = []
    try:
        parsed.extend(parse(text, dialect))
    except csv.Error as error:
        # The csv reader does not report the first line of the row that it cannot parse.
        line = parsed[-1][0] + _line_count(parsed[-1][1]) if parsed else 1
        raise ZooError(
            f"{path} cannot be parsed from line {line} on ({error}); a field with quotes or "
            'line breaks stands between " and ", and quotes inside it are doubled. If quotation '
            "marks are characters like others, use --quoting none."
        ) from None
    return parsed


def _line_count(row: list[str]) -> int:
    """Returns the number of lines of a row of a CSV file."""
    return 1 + sum(len(io.StringIO(field, newline=None).read().split("\n")) - 1 for field in row)
