"""Reads tables as records: CSV and variants, JSON, Parquet, Arrow, Excel, fastText.

Light: importing this module imports neither TensorFlow nor pandas nor NumPy.
"""

from __future__ import annotations

import dataclasses
import itertools
import json
import math
import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

from zoo.data import contents, dialects
from zoo.data.contents import FASTTEXT
from zoo.data.declaration import TABLES
from zoo.data.reading import Reading
from zoo.errors import UsageError, ZooError, quoted, suggest

TEXT = TABLES[: TABLES.index(".parquet")]
OLD = {
    ".xls": "Save it as .xlsx or .csv.",
    ".ods": "Save it as .xlsx or .csv.",
    ".pkl": "Save it as .parquet or .csv.",
    ".pickle": "Save it as .parquet or .csv.",
    ".sav": "Save it as .csv.",
    ".dta": "Save it as .csv.",
}

Record: TypeAlias = dict[str, Any]


@dataclasses.dataclass(frozen=True)
class Records:
    """The rows of a file, before validation.

    Attributes:
      present: names of the columns, in the order of the file.
      numbers: for each row, its first line or its row number, from 1.
      rows: mappings of column to value.
      unit: what `numbers` count: `"line"` or `"row"`.
      bad: maps each problem of rows that are not records to the numbers of these rows.
    """

    present: list[str]
    numbers: list[int]
    rows: list[Record]
    unit: str = "line"
    bad: Mapping[str, list[int]] = dataclasses.field(default_factory=dict)


def read_records(path: Path, reading: Reading, wanted: Collection[str] = ()) -> Records:
    """Reads the rows of a file of any format.

    Args:
      path: the file.
      reading: the options; receives a note if the file is not the plain case.
      wanted: names of the required columns, which help to recognise a header.

    Raises:
      UsageError: no such file, an unknown format, or an ambiguous one.
      ZooError: the file is damaged or empty.
    """
    data = contents.read_bytes(path)
    suffix = Path(contents.inner_name(path)).suffix
    if data.startswith(b"PAR1") or suffix == ".parquet":
        return _of_table(path, _parquet(path, data))
    if data.startswith(b"ARROW1") or suffix in (".arrow", ".feather"):
        return _of_table(path, _arrow(path, data))
    if data.startswith(b"PK\x03\x04") or suffix in (".xlsx", ".xlsm"):
        return _excel(path, data, reading, wanted)
    if suffix in OLD:
        raise UsageError(f"{path} has a format that is not supported. {OLD[suffix]}")
    if suffix not in TEXT:
        raise UsageError(
            f"{path} has an unknown format: its name must end in {', '.join(TABLES)}; each may be "
            "packed as .gz or .zip."
        )
    text = contents.text_of(path, data, reading)
    if suffix in (".json", ".jsonl", ".ndjson"):
        return _json(path, text, suffix, reading)
    if suffix == ".txt" and text.lstrip().startswith(FASTTEXT):
        return _fasttext(text)
    return _table(path, text, suffix, reading, wanted)


def value_of(record: Mapping[str, Any], name: str) -> Any:
    """Returns the value of a column; `data.text` is the value of `text` in the object `data`.

    Raises:
      KeyError: the record has no such column.
    """
    if name in record:
        return record[name]
    value: Any = record
    rest = name
    while rest:
        if isinstance(value, Mapping) and rest in value:
            return value[rest]
        first, dot, rest = rest.partition(".")
        if isinstance(value, Mapping) and first in value:
            value = value[first]
        elif isinstance(value, list) and first.isdigit() and int(first) < len(value):
            value = value[int(first)]
        else:
            raise KeyError(name)
        if not dot:
            return value
    raise KeyError(name)


def paths_of(record: Mapping[str, Any], before: str = "") -> Iterator[str]:
    """Yields the names of a record's columns; those inside objects are paths."""
    for name, value in record.items():
        if isinstance(value, Mapping) and value:
            yield from paths_of(value, f"{before}{name}.")
        else:
            yield f"{before}{name}"


def json_lines(text: str) -> Iterator[tuple[int, Any]]:
    """Yields (line number, value) for each line that is not blank; None if it is not JSON."""
    for number, line in enumerate(contents.split_lines(text), 1):
        if line.strip():
            try:
                value = json.loads(line)
            except (ValueError, RecursionError):
                value = None
            yield number, value


def _table(
    path: Path, text: str, suffix: str, reading: Reading, wanted: Collection[str]
) -> Records:
    _, parsed, said = dialects.sniff(text, path, suffix, reading.options, wanted)
    for what in said:
        reading.found(path, what)
    header = [cell.strip() for cell in parsed[0][1]]
    # Some writers end lines with a separator, or write an index without a name.
    while len(header) > 1 and not header[-1] and all(
        len(row) < len(header) or not row[len(header) - 1].strip() for _, row in parsed[1:]
    ):  # fmt: skip
        header.pop()
    first = 1
    if wanted and all(name.isdigit() for name in wanted) and not set(wanted) & set(header):
        header, first = [str(number + 1) for number in range(len(header))], 0  # no names
    width = len(header)
    _check_distinct(path, header)
    good, ragged = [], []
    for number, row in parsed[first:]:
        while len(row) > width and not row[-1].strip():
            row.pop()
        if len(row) == width:
            good.append((number, row))
        else:
            ragged.append(number)
    what = f"has another number of fields than the header's {width}"
    if wanted and set(wanted) <= set(header[:1]):
        what += " (`--sep none` reads each line as one text)"
    bad = {what: ragged} if ragged else {}
    rows = [dict(zip(header, row, strict=True)) for _, row in good]
    return Records(header, [number for number, _ in good], rows, "line", bad)


def _check_distinct(path: Path, header: Sequence[str]) -> None:
    """Raises a `ZooError` if a header contains a column twice."""
    if duplicates := [name for name, times in Counter(header).items() if times > 1]:
        raise ZooError(f"{path} has the column {quoted(duplicates[0])} twice. Rename one of them.")


def _json(path: Path, text: str, suffix: str, reading: Reading) -> Records:
    """Reads JSON lines, or one JSON value that contains rows."""
    whole: Any = None
    start = text.lstrip()[:1]
    if suffix == ".json" or start == "[":
        try:
            whole = json.loads(text)
        except RecursionError:
            raise ZooError(f"{path} is nested too deeply.") from None
        except ValueError as error:
            lines = [value for _, value in itertools.islice(json_lines(text), 2)]
            if not lines or None in lines:  # not JSON lines either
                raise ZooError(f"{path} is not JSON ({error}).") from None
    if whole is not None and not (suffix != ".json" and _is_record_line(text)):
        rows, where = _rows_in(path, whole, reading.options.records)
        if where:
            reading.found(path, f"rows of {where}")
        numbers = list(range(1, len(rows) + 1))
        return _objects(numbers, rows, "row")
    if suffix == ".json":
        reading.found(path, "JSON lines")
    numbers, values = [], []
    for number, value in json_lines(text):
        numbers.append(number)
        values.append(value)
    return _objects(numbers, values, "line")


def _is_record_line(text: str) -> bool:
    """Whether the first line is a complete JSON value, so that the file is JSON lines."""
    first = next(json_lines(text), (0, None))[1]
    return isinstance(first, dict)


def _objects(numbers: Sequence[int], values: Sequence[Any], unit: str) -> Records:
    good = [(n, value) for n, value in zip(numbers, values, strict=True) if isinstance(value, dict)]
    wrong = [n for n, value in zip(numbers, values, strict=True) if not isinstance(value, dict)]
    rows = [value for _, value in good]
    _replace_nan(rows)
    present = list(dict.fromkeys(name for row in rows for name in row))
    bad = {"has no JSON object": wrong} if wrong else {}
    return Records(present, [number for number, _ in good], rows, unit, bad)


def _replace_nan(rows: Sequence[Record]) -> None:
    """Replaces NaN by None, in place, also in objects; series of numbers in lists keep theirs."""
    objects = [*rows]
    while objects:  # not by recursion, whose depth is limited
        each = objects.pop()
        for name, value in each.items():
            if isinstance(value, dict):
                objects.append(value)
            elif isinstance(value, float) and math.isnan(value):
                each[name] = None


def _rows_in(path: Path, value: Any, where: str) -> tuple[list[Any], str]:
    """Returns the rows in a JSON value, and their path if they are only a part of it."""
    if where:
        try:
            rows = value_of(value, where) if isinstance(value, dict) else None
        except KeyError:
            rows = None
        if rows is None:
            known = list(paths_of(value)) if isinstance(value, dict) else []
            raise UsageError(f"{path} has nothing at {quoted(where)}.{suggest(where, known)}")
        return _rows_in(path, rows, "")[0], where
    if isinstance(value, list):
        return value, ""
    if isinstance(value, dict):
        if {"columns", "data"} <= set(value) <= {"columns", "data", "index"}:  # pandas' split
            rows, names = value["data"], value["columns"]
            if isinstance(rows, list) and all(isinstance(row, list) for row in rows):
                if not isinstance(names, list) or not all(isinstance(each, str) for each in names):
                    raise ZooError(
                        f"{path}: its 'columns' must be a list of texts, a name for each column of "
                        f"its 'data'; got {quoted(names, 40)}. Correct the file."
                    )
                _check_distinct(path, names)
                return [dict(zip(names, row, strict=False)) for row in rows], ""
        if columns := _columns(value):
            names = list(columns)
            return [
                dict(zip(names, row, strict=True)) for row in zip(*columns.values(), strict=True)
            ], ""
        lists = dict(_lists(value))
        if len(lists) == 1:
            return next((rows, name) for name, rows in lists.items())
        if lists:
            raise UsageError(
                f"{path} has rows at {' and '.join(map(quoted, list(lists)[:5]))}. Say which with "
                f"--records, such as --records {next(iter(lists))}."
            )
        return [value], ""
    raise ZooError(f"{path} holds no rows, but {quoted(value, 40)}.")


def _columns(value: Mapping[str, Any]) -> dict[str, list] | None:
    """Returns the columns of a JSON object that has one list, or one object, per column."""
    parts = list(value.values())
    if parts and all(isinstance(part, dict) and part for part in parts):  # pandas' default
        keys = list(parts[0])
        if all(list(part) == keys for part in parts) and all(key.isdigit() for key in keys):
            return {name: list(part.values()) for name, part in value.items()}
    if len(parts) > 1 and all(isinstance(part, list) and part for part in parts):
        plain = not all(isinstance(each, dict) for part in parts for each in part)
        if plain and len({len(part) for part in parts}) == 1:
            return dict(value)
    return None


def _lists(value: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, list]]:
    """Yields (path, value) for each list of objects in an object."""
    for name, part in value.items():
        if isinstance(part, list) and part and all(isinstance(each, dict) for each in part):
            yield f"{before}{name}", part
        elif isinstance(part, Mapping):
            yield from _lists(part, f"{before}{name}.")


def _fasttext(text: str) -> Records:
    """Reads fastText's lines: `__label__good A fine film`."""
    numbers, rows, wrong = [], [], []
    for number, line in enumerate(contents.split_lines(text), 1):
        if not line.strip():
            continue
        labels = re.match(rf"\s*((?:{FASTTEXT}\S+\s*)*)", line)
        names = labels[1].split() if labels else []
        if len(names) != 1 or labels is None:
            wrong.append(number)
            continue
        numbers.append(number)
        label = names[0].removeprefix(FASTTEXT)
        rows.append({"text": line[labels.end() :].strip(), "label": label})
    bad = {f"has not one {FASTTEXT}": wrong} if wrong else {}
    return Records(["text", "label"], numbers, rows, "line", bad)


def _parquet(path: Path, data: bytes) -> Any:
    import io

    import pyarrow as pa
    from pyarrow import parquet

    try:
        _check_distinct(path, parquet.read_schema(io.BytesIO(data)).names)
        return parquet.read_table(io.BytesIO(data))
    except (pa.ArrowException, OSError) as error:
        raise ZooError(f"{path} is not a Parquet file, or is damaged ({_first(error)}).") from None


def _arrow(path: Path, data: bytes) -> Any:
    import pyarrow as pa
    from pyarrow import ipc

    try:
        if data.startswith(b"ARROW1"):
            return ipc.open_file(data).read_all()
        return ipc.open_stream(data).read_all()
    except (pa.ArrowException, OSError) as error:
        raise ZooError(f"{path} is not an Arrow file, or is damaged ({_first(error)}).") from None


def _first(error: Exception) -> str:
    return str(error).strip().split("\n")[0].rstrip(".")


def _of_table(path: Path, table: Any) -> Records:
    """Returns the rows of an Arrow table; class numbers become names if the table has them.

    Raises:
      ZooError: a column is there twice, or a value has no counterpart in Python.
    """
    _check_distinct(path, table.column_names)
    names = _class_names(table.schema.metadata or {})
    try:
        values = table.to_pylist()
    except (ValueError, OverflowError) as error:
        raise ZooError(
            f"{path} holds a value that cannot be read ({_first(error)}). Omit or convert its "
            "column."
        ) from None
    rows = [
        {
            name: _named(_plain(value), names[name]) if name in names else _plain(value)
            for name, value in row.items()
        }
        for row in values
    ]
    return Records(list(table.column_names), list(range(1, len(rows) + 1)), rows, "row")


def _class_names(metadata: Mapping[bytes, bytes]) -> dict[str, list[str]]:
    """Returns the class names by column from the metadata of Hugging Face `datasets`."""
    try:
        features = json.loads(metadata[b"huggingface"])["info"]["features"]
    except (KeyError, ValueError, TypeError):
        return {}
    return class_names(features)


def class_names(features: Mapping[str, Any]) -> dict[str, list[str]]:
    """Returns the class names by column from the `features` of a Hugging Face dataset."""
    found = {}
    for name, feature in features.items():
        while isinstance(feature, list) and feature:
            feature = feature[0]
        while isinstance(feature, Mapping) and isinstance(feature.get("feature"), Mapping):
            feature = feature["feature"]
        if isinstance(feature, Mapping) and isinstance(feature.get("names"), list):
            found[name] = feature["names"]
    return found


def _named(value: Any, names: Sequence[str]) -> Any:
    if isinstance(value, list):
        return [_named(part, names) for part in value]
    if isinstance(value, int) and not isinstance(value, bool):
        return names[value] if 0 <= value < len(names) else None  # -1: not labelled
    return value


def _plain(value: Any) -> Any:
    """Converts a cell of a table to a JSON value."""
    if isinstance(value, float) and math.isnan(value):
        return None
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return int(value)
    if hasattr(value, "isoformat"):
        return value.isoformat()
    return value


def _excel(path: Path, data: bytes, reading: Reading, wanted: Collection[str]) -> Records:
    """Reads a sheet of a workbook: the named one, the only one, or the one with these columns."""
    import io
    import warnings

    try:
        import openpyxl
    except ImportError:
        raise UsageError(
            f"{path} is an Excel workbook; `pip install '.[excel]'` installs what reads it. "
            "Or save it as .csv."
        ) from None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about styles, which are irrelevant here
            book = openpyxl.load_workbook(io.BytesIO(data), read_only=True, data_only=True)
            sheets = {
                sheet.title: _filled(list(sheet.iter_rows(values_only=True)))
                for sheet in book.worksheets
            }
    except Exception as error:  # of many types, depending on the problem
        raise ZooError(
            f"{path} is not an Excel workbook, or is damaged ({_first(error)})."
        ) from None
    name = _sheet(path, sheets, reading.options.sheet, wanted)
    if len(sheets) > 1:
        reading.found(path, f"sheet {quoted(name)}")
    rows = sheets[name]
    if not rows:
        raise ZooError(f"{path} is empty.")
    header = ["" if cell is None else str(_plain(cell)).strip() for cell in rows[0][1]]
    kept = [index for index, title in enumerate(header) if title]
    _check_distinct(path, [header[index] for index in kept])
    # Some writers end a row at its last cell that is not empty.
    records = [
        {header[i]: _plain(row[i]) if i < len(row) else None for i in kept} for _, row in rows[1:]
    ]
    return Records([header[i] for i in kept], [n for n, _ in rows[1:]], records, "row")


def _filled(rows: Sequence[Sequence[Any]]) -> list[tuple[int, Sequence[Any]]]:
    """Returns the rows of a sheet that are not empty, with their numbers in the sheet."""
    return [
        (number, row)
        for number, row in enumerate(rows, 1)
        if any(cell is not None and str(cell).strip() for cell in row)
    ]


def _sheet(path: Path, sheets: Mapping[str, list], chosen: str, wanted: Collection[str]) -> str:
    names = list(sheets)
    if chosen:
        if chosen in sheets:
            return chosen
        if chosen.isdigit() and 1 <= int(chosen) <= len(names):
            return names[int(chosen) - 1]
        raise UsageError(f"{path} has no sheet {quoted(chosen)}.{suggest(chosen, names)}")
    filled = [name for name in names if sheets[name]]
    fitting = [
        name
        for name in filled
        if wanted and {*wanted} <= {str(cell).strip() for cell in sheets[name][0][1]}
    ]
    found = fitting or filled or names
    if len(found) > 1:
        raise UsageError(
            f"{path} has the sheets {', '.join(quoted(name, 40) for name in found[:8])}. Say which "
            f"with --sheet."
        )
    return found[0]
