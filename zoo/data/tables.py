"""Reads user-provided tables of any format. Error messages name the line numbers.

Texts are not changed. Labels are stripped of surrounding spaces, and integer labels become
strings.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from zoo.data import contents, formats
from zoo.data.formats import Record, Records
from zoo.data.reading import Reading, complaint, some
from zoo.errors import ZooError, quoted, suggest
from zoo.utf8 import plain

__all__ = ["Table", "json_lines", "read", "read_rows", "to_label"]


@dataclasses.dataclass(frozen=True)
class Table:
    """The rows of a file as columns of equal length.

    Attributes:
      columns: by name, in the order of the file.
      lines: the line on which each row starts, from 1; for formats without lines, the row number.
      path: the file.
      unit: what `lines` count: `"line"` or `"row"`.
      rows: each row with all columns of the file, under the file's names.
    """

    columns: dict[str, list]
    lines: list[int]
    path: Path
    unit: str = "line"
    rows: list[Record] = dataclasses.field(default_factory=list)

    def __len__(self) -> int:
        return len(self.lines)


def read(
    path: Path,
    texts: Iterable[str],
    label: str = "",
    names: Mapping[str, str] | None = None,
    optional: Iterable[str] = (),
    reading: Reading | None = None,
    records: Records | None = None,
) -> Table:
    """Reads the required columns from a file of rows; see `zoo.data.formats`.

    Args:
      path: the file.
      texts: columns of text.
      label: the column of class names; `""` for none.
      names: maps our column names to those in the file, where they differ; `data.text` is `text`
        in the object `data`.
      optional: further columns of text, `""` if the file lacks a value.
      reading: the options; receives notes.
      records: of the file, if already read.

    Returns:
      The columns under our names.

    Raises:
      UsageError: no such file, an unsupported format, or an ambiguous one.
      ZooError: the file is empty, lacks a column, or has invalid rows; one line with their line
        numbers.
    """
    reading = reading or Reading()
    wanted = {column: (names or {}).get(column, column) for column in [*texts, label] if column}
    rows = _Rows(path, _records(path, wanted, reading, records))
    columns: dict[str, list] = {}
    for column, name in wanted.items():
        values = rows.values(name)
        if column == label:
            checked = [to_label(value) for value in values]
            rows.refuse(
                f"has a {quoted(name)} that is neither text nor a whole number",
                [each is None for each in checked],
            )
            rows.refuse(f"has an empty {quoted(name)}", [each == "" for each in checked])
            values = checked
        else:
            rows.refuse(
                f"has a {quoted(name)} that is not text",
                [not isinstance(value, str) and value is not None for value in values],
            )
            rows.refuse(
                f"has an empty {quoted(name)}",
                [value is None or (isinstance(value, str) and not value.strip())
                 for value in values],
            )  # fmt: skip
        columns[column] = values
    for column in optional:
        name = (names or {}).get(column, column)
        columns[column] = [str(row.get(name) or "") for row in rows.rows]
    kept = rows.kept(reading)
    columns = {name: [values[row] for row in kept] for name, values in columns.items()}
    lines = [rows.numbers[row] for row in kept]
    return Table(columns, lines, path, rows.unit, [rows.rows[row] for row in kept])


def read_rows(
    path: Path, texts: Iterable[str] | Mapping[str, str], reading: Reading | None = None
) -> list[dict[str, Any]]:
    """Reads every row of a file as a dict with all of its columns.

    Args:
      path: the file.
      texts: required columns of texts, which may be empty or None, or of lists (not in CSV), which
        are not checked here; paths as for `zoo.data.formats.value_of`. Or a mapping of our names,
        for messages, to those in the file.
      reading: the options; receives notes.

    Raises:
      UsageError, ZooError: as `read`.
    """
    reading = reading or Reading()
    names = dict(texts) if isinstance(texts, Mapping) else {name: name for name in texts}
    rows = _Rows(path, _records(path, names, reading))
    for name in names.values():
        values = rows.values(name)
        rows.refuse(
            f"has a {quoted(name)} that is not text",
            [not isinstance(value, str | list | None) for value in values],
        )
    return [rows.rows[row] for row in rows.kept(reading)]


def json_lines(path: Path, reading: Reading | None = None) -> Iterator[tuple[int, Any]]:
    """Yields (line number, value) for each line of a JSONL file that is not blank.

    The value is None if the line is not JSON; the caller reports it with other errors.

    Raises:
      UsageError: no such file.
      ZooError: it is empty or not text.
    """
    yield from formats.json_lines(contents.read_text(path, reading))


class _Rows:
    """The rows of a file, and which of them are invalid."""

    def __init__(self, path: Path, records: Records) -> None:
        self.path, self.unit = path, records.unit
        self.numbers, self.rows = records.numbers, records.rows
        self.bad = {what: list(lines) for what, lines in records.bad.items() if lines}

    def values(self, name: str) -> list[Any]:
        """Returns a column; rows without it are marked as bad."""
        values, lacking = [], []
        for row in self.rows:
            try:
                value = formats.value_of(row, name)
                values.append(None if isinstance(value, float) and value != value else value)
                lacking.append(False)
            except KeyError:
                values.append("")
                lacking.append(True)
        self.refuse(f"lacks {quoted(name)}", lacking)
        return values

    def refuse(self, what: str, wrong: Sequence[bool]) -> None:
        """Marks rows as bad, unless another reason is already known."""
        known = {number for lines in self.bad.values() for number in lines}
        lines = [n for n, bad in zip(self.numbers, wrong, strict=True) if bad and n not in known]
        if lines:
            self.bad[what] = lines

    def kept(self, reading: Reading) -> list[int]:
        """Returns the indices of the valid rows.

        Raises:
          ZooError: some rows are invalid and `drop_bad` is not set, or no row is valid.
        """
        for what, lines in self.bad.items():
            reading.omit(self.path, what, lines, self.unit)
        bad = {number for lines in self.bad.values() for number in lines}
        kept = [row for row, number in enumerate(self.numbers) if number not in bad]
        if bad and not kept:
            what, lines = next(iter(self.bad.items()))
            raise ZooError(f"{self.path}: {complaint(what, lines, self.unit)}. No row can be used.")
        return kept


def _records(
    path: Path, wanted: Mapping[str, str], reading: Reading, records: Records | None = None
) -> Records:
    """Reads a file of rows with the columns `wanted`, which maps our names to the file's."""
    from zoo.data import annotated

    if records is None:
        records = formats.read_records(path, reading, wanted.values())
    records = annotated.plain_records(records, path, reading)
    missing = {
        column: name
        for column, name in wanted.items()
        if name not in records.present and not any(_has(row, name) for row in records.rows)
    }
    if missing and (records.rows or (records.present and records.bad)):
        raise ZooError(_missing(path, missing, records))
    if not records.rows:
        for what, lines in records.bad.items():
            raise ZooError(f"{path}: {complaint(what, lines, records.unit)}. No row can be used.")
        raise ZooError(f"{path} has a header but no rows.")
    return records


def _has(row: Record, name: str) -> bool:
    try:
        formats.value_of(row, name)
    except KeyError:
        return False
    return True


def _missing(path: Path, missing: Mapping[str, str], records: Records) -> str:
    """Returns a message on all columns that a file lacks; maps our names to the file's."""
    names = list(missing.values())
    present = _paths(records.rows[:20]) or records.present
    hint = suggest(names[0], present).strip() if len(present) < 20 and len(names) == 1 else ""
    columns = "" if hint.startswith("There is") else f" There is: {some(present)}."
    lacking = f"no column{'s' * (len(names) > 1)} {' and '.join(map(quoted, names))}"
    option = " ".join(f"--column {column}=NAME" for column in missing)
    it, number = ("them", "their numbers") if len(names) > 1 else ("it", "its number")
    return (
        f"{path} has {lacking}.{columns}{' ' + hint if hint else ''} Name {it} with `{option}`"
        + ("." if records.unit == "row" else f", by {number} if the file has no names.")
    )


def _paths(rows: Sequence[Record]) -> list[str]:
    return list(dict.fromkeys(path for row in rows for path in formats.paths_of(row)))


def to_label(value: Any) -> str | None:
    """Returns a label as text, `""` if it is empty, None if it is not a label."""
    if value is None:
        return ""
    if value == []:
        return ""
    if isinstance(value, list) and len(value) == 1:  # a single choice of several options
        return to_label(value[0])
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, str | int):
        return plain(str(value)).strip()
    return None
