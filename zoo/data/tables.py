"""Reading user-provided tables: CSV, TSV and JSONL. Error messages name the line numbers.

Texts are not changed. Labels are stripped of surrounding spaces, and integer labels become
strings. Files are UTF-8, with or without a byte-order mark, and may be gzipped (`.csv.gz`).
`ZOO_MAX_UNPACKED` is the maximum number of unpacked bytes of a gzipped file (1e9).
"""

from __future__ import annotations

import csv
import dataclasses
import gzip
import io
import json
import os
import sys
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from zoo import files
from zoo.errors import UsageError, ZooError, quoted, shortened, suggest

SUFFIXES = (".csv", ".tsv", ".jsonl")
MAX_QUOTED = 40  # characters of each name in a list of names
MAX_UNPACKED = 1e9  # unpacked bytes of a gzipped file
MAX_SHOWN = 5  # line numbers in a message before "and N more"


@dataclasses.dataclass(frozen=True)
class Table:
    """A file's rows as columns of equal length.

    Attributes:
      columns: by name; in the order of the file.
      lines: the line on which each row starts, from 1.
      path: the file.
    """

    columns: dict[str, list]
    lines: list[int]
    path: Path

    def __len__(self) -> int:
        return len(self.lines)


def read(
    path: Path,
    texts: Iterable[str],
    label: str = "",
    names: Mapping[str, str] | None = None,
    optional: Iterable[str] = (),
) -> Table:
    """Reads the columns that are needed from a CSV, TSV or JSONL file.

    Args:
      path: the file; its suffix tells the format.
      texts: columns of text.
      label: the column of class names; `""` for none.
      names: our column to the file's name of it, where they differ.
      optional: further columns of text, `""` where the file lacks a value.

    Returns:
      The columns under our names.

    Raises:
      UsageError: no such file, or another format.
      ZooError: the file is empty, lacks a column, or has invalid rows; one line with their line
        numbers.
    """
    wanted = {column: (names or {}).get(column, column) for column in [*texts, label] if column}
    lines, records = _records(path, [(name, column) for column, name in wanted.items()])
    columns = {column: [row[name] for row in records] for column, name in wanted.items()}
    for column, name in wanted.items():
        if column == label:
            columns[label] = _labels(path, name, columns[label], lines)
        else:
            _refuse_not_text(path, name, columns[column], lines)
            empty = [n for n, text in zip(lines, columns[column], strict=True) if not text.strip()]
            _refuse(path, f"has an empty {quoted(name)}", empty)
    for column in optional:
        name = (names or {}).get(column, column)
        columns[column] = [str(row.get(name) or "") for row in records]
    return Table(columns, lines, path)


def read_rows(path: Path, texts: Iterable[str]) -> list[dict[str, Any]]:
    """Reads every row of a CSV, TSV or JSONL file as a dict, with all of its columns.

    Args:
      path: the file; its suffix tells the format.
      texts: required columns of text, which may be empty, or of lists (JSONL only), which are not
        checked here.

    Raises:
      UsageError, ZooError: as `read`.
    """
    texts = list(texts)
    lines, records = _records(path, [(name, "") for name in texts])
    for name in texts:
        values = [row[name] for row in records]
        _refuse_not_text(path, name, ["" if isinstance(v, list) else v for v in values], lines)
    return records


def json_lines(path: Path) -> Iterator[tuple[int, Any]]:
    """Yields (line number, value) for each line of a JSONL file that is not blank.

    The value is None where the line is not JSON; the caller reports it with other errors.

    Raises:
      UsageError: no such file.
      ZooError: it is empty or not UTF-8.
    """
    if not os.path.isfile(path):
        raise UsageError(f"There is no file {shortened(str(path))}.")
    yield from _json_lines(content(path))


def check_labels(table: Table, label: str, known: Sequence[str]) -> None:
    """Checks that every label is one of `known`.

    Raises:
      ZooError: some are not; with their lines and the unknown labels.
    """
    wrong = [n for n, x in zip(table.lines, table.columns[label], strict=True) if x not in known]
    if wrong:
        unknown = sorted(set(table.columns[label]) - set(known))
        _refuse(
            table.path,
            f"has a label that is not one of {_some(list(known))} ({_some(unknown)})",
            wrong,
        )


def numbers(lines: Sequence[int]) -> str:
    """Returns `"line 3"`, `"lines 3, 7"`, or the first few and the number of further lines."""
    first = ", ".join(str(line) for line in lines[:MAX_SHOWN])
    more = f" and {len(lines) - MAX_SHOWN:,} more" if len(lines) > MAX_SHOWN else ""
    return f"line{'s' if len(lines) > 1 else ''} {first}{more}"


def parse_csv(text: str, delimiter: str = ",") -> Iterator[tuple[int, list[str]]]:
    """Yields (number of its first line, fields) for each row that is not blank.

    Raises:
      csv.Error: the quotes do not match.
    """
    csv.field_size_limit(min(sys.maxsize, 2**31 - 1))  # 131,072 characters by default
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    start = 1
    for row in reader:
        if row:
            yield start, row
        start = reader.line_num + 1


def _records(
    path: Path, wanted: Iterable[tuple[str, str]]
) -> tuple[list[int], list[dict[str, Any]]]:
    """Returns line numbers and rows.

    Each row has the columns of `wanted`: pairs of the file's column and our column, which
    `--column` can rename.
    """
    kind, text = _kind(path), content(path)
    if kind == ".jsonl":
        present, lines, records = _json_rows(path, text)
    else:
        present, lines, records = _csv_rows(path, text, "\t" if kind == ".tsv" else ",")
    for name, column in wanted:
        if name not in present:
            raise ZooError(_missing(path, name, column, present))
        lacking = [line for line, row in zip(lines, records, strict=True) if name not in row]
        _refuse(path, f"lacks {quoted(name)}", lacking)
    if not records:
        raise ZooError(f"{path} has a header but no rows.")
    return lines, records


def _kind(path: Path) -> str:
    if os.path.isdir(path):  # unlike `Path`, accepts names that are too long
        raise UsageError(f"{path} is a folder, not a file.")
    if not os.path.isfile(path):
        raise UsageError(f"There is no file {shortened(str(path))}.")
    name = path.name.lower().removesuffix(".gz")
    for suffix in SUFFIXES:
        if name.endswith(suffix):
            return suffix
    raise UsageError(
        f"{path} is of no known kind: its name must end in {', '.join(SUFFIXES)} or one of "
        "these with .gz."
    )


def content(path: Path) -> str:
    """Returns the file's text, decoded.

    Raises:
      UsageError: `ZOO_MAX_UNPACKED` is not a number.
      ZooError: the file cannot be read, is empty, is not UTF-8 text, or unpacks to more than
        `ZOO_MAX_UNPACKED` bytes.
    """
    try:
        data = _unpacked(path) if path.name.lower().endswith(".gz") else path.read_bytes()
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise ZooError(f"{path} is no complete gzip file ({error}).") from error
    except OSError as error:
        raise ZooError(f"{path} cannot be read: {error.strerror or error}.") from error
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise ZooError(f"{path} is UTF-16; save it as UTF-8.")
    data = data.removeprefix(b"\xef\xbb\xbf")
    if not data.strip():
        raise ZooError(f"{path} is empty.")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        wrong = [number for number, line in enumerate(data.split(b"\n"), 1) if not _decodes(line)]
        raise ZooError(
            f"{path} is not UTF-8: byte 0x{data[error.start]:02x} on line {wrong[0]}"
            + (f" (also {numbers(wrong[1:])})" if wrong[1:] else "")
            + "; save it as UTF-8."
        ) from None
    if "\0" in text:
        wrong = [number for number, line in enumerate(text.split("\n"), 1) if "\0" in line]
        raise ZooError(f"{path} has a NUL byte ({numbers(wrong)}); is it a text file in UTF-8?")
    return text


def _unpacked(path: Path) -> bytes:
    limit = files.number_setting("ZOO_MAX_UNPACKED", MAX_UNPACKED)
    blocks, size = [], 0
    with gzip.open(path) as file:
        while block := file.read(1 << 20):
            blocks.append(block)
            size += len(block)
            if size > limit:
                raise ZooError(
                    f"{path} unpacks to more than {limit:,.0f} bytes. If this size is correct, "
                    "set ZOO_MAX_UNPACKED to more bytes."
                )
    return b"".join(blocks)


def _decodes(line: bytes) -> bool:
    try:
        line.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


Rows = tuple[list[str], list[int], list[dict[str, Any]]]


def _csv_rows(path: Path, text: str, delimiter: str) -> Rows:
    """Returns the names of the columns, the line numbers of the rows, and the rows."""
    parsed: list[tuple[int, list[str]]] = []
    try:
        parsed.extend(parse_csv(text, delimiter))
    except csv.Error as error:
        # The reader does not report the first line of the row that it cannot parse.
        line = parsed[-1][0] + _line_count(parsed[-1][1]) if parsed else 1
        raise ZooError(
            f"{path} cannot be parsed from line {line} on ({error}); a field with quotes or "
            'line breaks stands between " and ", and quotes inside it are doubled.'
        ) from None
    header = [name.strip() for name in parsed[0][1]]
    duplicates = [name for name in header if header.count(name) > 1]
    if duplicates:
        raise ZooError(f"{path} has the column {quoted(duplicates[0])} twice.")
    ragged = [line for line, row in parsed[1:] if len(row) != len(header)]
    _refuse(path, f"has another number of fields than the header's {len(header)}", ragged)
    records = [dict(zip(header, row, strict=True)) for _, row in parsed[1:]]
    return header, [line for line, _ in parsed[1:]], records


def _line_count(row: list[str]) -> int:
    """Returns the number of lines of a row of a CSV file."""
    return 1 + sum(len(io.StringIO(field, newline=None).read().split("\n")) - 1 for field in row)


def _json_rows(path: Path, text: str) -> Rows:
    lines, records, wrong = [], [], []
    for number, record in _json_lines(text):
        if isinstance(record, dict):
            lines.append(number)
            records.append(record)
        else:
            wrong.append(number)
    _refuse(path, "is no JSON object", wrong)
    return list(dict.fromkeys(name for record in records for name in record)), lines, records


def _json_lines(text: str) -> Iterator[tuple[int, Any]]:
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            try:
                value = json.loads(line)
            except (ValueError, RecursionError):
                value = None
            yield number, value


def _missing(path: Path, name: str, column: str, present: list[str]) -> str:
    message = f"{path} has no column {quoted(name)}"
    if len(present) == 1:
        for sign, what in [(";", "semicolons"), ("\t", "tabs"), (",", "commas")]:
            if sign in present[0]:
                return (
                    f"{message}: its columns seem to be separated by {what}; a .csv file uses "
                    "commas and a .tsv file tabs."
                )
    hint = suggest(name, present).strip() if len(present) < 20 else ""
    columns = "" if hint.startswith("There is") else f" There is: {_some(present)}."
    option = f" Name it with `--column {column}=NAME`." if column else ""
    return f"{message}.{columns}{' ' + hint if hint else ''}{option}"


def _refuse_not_text(path: Path, name: str, values: list, lines: list[int]) -> None:
    wrong = [n for n, value in zip(lines, values, strict=True) if not isinstance(value, str)]
    _refuse(path, f"has a {quoted(name)} that is not text", wrong)


def _labels(path: Path, name: str, values: list, lines: list[int]) -> list[str]:
    wrong = [
        line
        for line, value in zip(lines, values, strict=True)
        if not isinstance(value, (str, int)) or isinstance(value, bool)
    ]
    _refuse(path, f"has a {quoted(name)} that is neither text nor a whole number", wrong)
    labels = [str(value).strip() for value in values]
    empty = [line for line, label in zip(lines, labels, strict=True) if not label]
    _refuse(path, f"has an empty {quoted(name)}", empty)
    return labels


def _refuse(path: Path, what: str, lines: list[int]) -> None:
    """Raises an error if there are `lines` for which `what` is true."""
    if lines:
        what = what if len(lines) == 1 else _plural(what)
        raise ZooError(f"{path}: {numbers(lines)} {what}.")


def _plural(what: str) -> str:
    verb, _, rest = what.partition(" ")
    return f"{ {'has': 'have', 'is': 'are', 'lacks': 'lack'}[verb] } {rest}"


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - 10} more" if len(names) > 10 else ""
    return ", ".join(quoted(name, MAX_QUOTED) for name in names[:10]) + more
