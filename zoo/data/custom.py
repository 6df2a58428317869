"""Reading user-provided data: a file, a folder, or columns in memory.

Light: importing this module imports neither TensorFlow nor pandas nor NumPy.
"""

from __future__ import annotations

import dataclasses
import os
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from zoo.data import objects
from zoo.data.declaration import Declaration
from zoo.data.labels import join
from zoo.data.origin import (
    Custom,
    CustomArchive,
    CustomFile,
    CustomFolder,
    InMemory,
    InMemorySplits,
    Unsplit,
)
from zoo.data.reading import (
    Reading,
    ReadingLike,
    check_column_names,
    complaint,
    reading_of,
    refuse_min_count,
    refuse_table_options,
    some,
)
from zoo.data.sources import Examples, Parts
from zoo.data.splits import SPLITS, count, take
from zoo.errors import UsageError, ZooError, suggest
from zoo.files import expanded

if TYPE_CHECKING:
    from zoo.data.folders import ClassFile

T = TypeVar("T")


def load_custom(
    dataset: Declaration,
    origin: Custom,
    columns: Mapping[str, str] | None = None,
    *,
    reading: ReadingLike = None,
) -> tuple[Parts, list[str], str, str]:
    """Reads custom data, with its splits if it has any.

    Args:
      dataset: declares the required columns.
      origin: where the data are.
      columns: maps our column names to those in the data.
      reading: how files are written.

    Returns:
      Splits, notes, title and licence of the data.

    Raises:
      UsageError: there are no training rows, or two files of one split.
      ZooError: the data are invalid; one line.
    """
    from zoo.data import contents

    reading = reading_of(reading)
    title, licence = f"{origin.name} (custom data)", ""
    if isinstance(origin, CustomArchive):
        with contents.unpacked_folder(origin.path) as folder:
            rows, title, licence = _folder(dataset, folder, columns, reading, title)
    elif isinstance(origin, CustomFolder):
        rows, title, licence = _folder(dataset, origin.path, columns, reading, title)
    elif isinstance(origin, InMemorySplits):
        if "train" not in origin.splits:
            raise UsageError("The data have no split 'train'.")
        rows = {
            name: _rows(dataset, InMemory(origin.splits[name]), columns, reading)
            for name in SPLITS
            if name in origin.splits
        }
    else:
        rows = {"train": _rows(dataset, origin, columns, reading)}
    parts = {name: each.examples for name, each in rows.items()}
    if dataset.label:
        for note in join(parts, dataset.label):
            reading.note(note)
    for column, classes in _classes(dataset).items():
        if column in parts["train"]:
            known = sorted({name for value in parts["train"][column] for name in classes(value)})
            for split in list(rows)[1:]:
                rows[split] = _known_only(rows[split], column, classes, known, reading)
    parts = {name: each.examples for name, each in rows.items()}
    parts, notes = dataset.hold_out(parts) if dataset.hold_out else (parts, [])
    notes = [*reading.notes, *notes]
    if not isinstance(origin, Unsplit):
        notes += _overlaps(parts, dataset.deduplicate_by or dataset.group)
    return parts, notes, title, licence


def load_rows(
    dataset: Declaration,
    origin: Unsplit,
    columns: Mapping[str, str] | None = None,
    *,
    labels: Sequence[str] | None = None,
    reading: ReadingLike = None,
) -> Examples:
    """Reads all rows of custom data without splits; arguments and errors as `load_examples`."""
    reading = reading_of(reading)
    refuse_min_count(reading.options)
    rows = _rows(dataset, origin, columns, reading)
    if labels is None or not dataset.label:
        return rows.examples
    for note in join({"train": rows.examples}, dataset.label, labels):
        reading.note(note)
    return _known_only(rows, dataset.label, _itself, labels, reading).examples


def of_known_classes(
    dataset: Declaration, examples: Examples, known: Sequence[str], where: str, reading: Reading
) -> Examples:
    """Returns the rows of a split of custom data whose class a model knows.

    Args:
      dataset: declares the column of classes.
      examples: the rows.
      known: the class names.
      where: names the split in messages.
      reading: the options; receives notes.

    Raises:
      ZooError: there are other rows, and `drop_bad` is not set, or all are.
    """
    rows = _Rows(examples, [(where, "row", row + 1) for row in range(count(examples))])
    return _known_only(rows, dataset.label, _itself, known, reading).examples


def load_examples(
    dataset: Declaration,
    path: str | Path,
    columns: Mapping[str, str] | None = None,
    *,
    labels: Sequence[str] | None = None,
    reading: ReadingLike = None,
) -> Examples:
    """Reads all rows of a user-provided file, without splitting it.

    Args:
      dataset: declares the required columns.
      path: a file of rows (see `zoo.data.formats`), or a file for the dataset's own reader.
      columns: maps our column names to those in the file.
      labels: the allowed class names; `None` allows any.
      reading: how the file is written; receives notes.

    Raises:
      UsageError: no such file, or an option that is for training rows or for other files.
      ZooError: the file is invalid; one line with the line numbers.
    """
    origin = CustomFile(expanded(path))
    return load_rows(dataset, origin, columns, labels=labels, reading=reading)


@dataclasses.dataclass(frozen=True)
class _Rows:
    """Rows and their origin.

    Attributes:
      examples: the columns.
      places: for each row, its file, unit and number, such as `("x.csv", "line", 3)`.
    """

    examples: Examples
    places: list[tuple[str, str, int]]


def _rows(
    dataset: Declaration,
    origin: Unsplit,
    columns: Mapping[str, str] | None,
    reading: Reading,
) -> _Rows:
    """Reads all rows of a file or of columns in memory."""
    from zoo.data import tables

    if isinstance(origin, CustomFile) and not dataset.reader:
        texts = [column for column in dataset.columns if column != dataset.label]
        table = tables.read(origin.path, texts, dataset.label, columns, reading=reading)
        where = str(origin.path)
        return _Rows(table.columns, [(where, table.unit, line) for line in table.lines])
    if isinstance(origin, InMemory):
        examples, where = (
            _from_memory(dataset, origin.rows, columns or {}, reading),
            "The data in memory",
        )
    else:
        assert dataset.reader is not None
        examples, where = dataset.reader(origin.path, columns, reading=reading), str(origin.path)
    return _Rows(examples, [(where, "row", row + 1) for row in range(count(examples))])


def _folder(
    dataset: Declaration,
    folder: Path,
    columns: Mapping[str, str] | None,
    reading: Reading,
    title: str,
) -> tuple[dict[str, _Rows], str, str]:
    """Reads a folder of splits, a folder of classes, or a format of the dataset's own reader."""
    from zoo.data import folders

    layout = folders.split_files(folder, dataset.suffixes)
    if "train" not in layout.splits and dataset.folder:
        parts, notes, title, licence = dataset.folder(folder, reading=reading)
        if parts:
            refuse_table_options(folder, columns, reading.options)
            for note in notes:
                reading.note(note)
            rows = {
                name: _Rows(part, [(str(folder), f"{name} row", n + 1) for n in range(count(part))])
                for name, part in parts.items()
            }
            return rows, title, licence
    texts = [column for column in dataset.columns if column != dataset.label]
    if "train" not in layout.splits and not dataset.reader and dataset.label and len(texts) == 1:
        found, unread = folders.class_files(folder, ("", ".txt"))
        if found:
            refuse_table_options(folder, columns, reading.options)
            for note in folders.Layout({}, unread).note():
                reading.note(note)
            return _texts_by_class(found, texts[0], dataset.label, reading), title, ""
    if "train" not in layout.splits:
        layout = folders.split_files(folder, dataset.suffixes, below=True)
    if "train" not in layout.splits:
        raise UsageError(
            f"{folder} has no train file: a folder needs a file with 'train' in its name "
            f"({', '.join(dataset.suffixes)}), and may have others with "
            "'validation' and 'test'."
            + " Or it has a folder of .txt files for each class."
            * bool(texts and dataset.label)
        )
    for note in layout.note():
        reading.note(note)
    rows = {}
    for split, paths in layout.splits.items():
        pieces = [_rows(dataset, CustomFile(path), columns, reading) for path in paths]
        names = list(pieces[0].examples)
        rows[split] = _Rows(
            {name: [x for piece in pieces for x in piece.examples[name]] for name in names},
            [place for piece in pieces for place in piece.places],
        )
    return rows, title, ""


def _texts_by_class(
    found: Sequence[ClassFile], text: str, label: str, reading: Reading
) -> dict[str, _Rows]:
    """Reads one text per file; the folder of a file is its class."""
    from zoo.data import contents

    texts = contents.read_texts([each.path for each in found], reading)
    parts: dict[str, _Rows] = {}
    empty = []
    for each, content in zip(found, texts, strict=True):
        if not content.strip():
            empty.append(f"{each.label}/{each.path.name}")
            continue
        part = parts.setdefault(each.split or "train", _Rows({text: [], label: []}, []))
        part.examples[text].append(content)
        part.examples[label].append(each.label)
        part.places.append((str(each.path), "line", 1))
    if empty and not reading.options.drop_bad:
        raise ZooError(
            f"{len(empty):,} files are empty, such as {empty[0]}. Remove them, or drop them "
            "with --drop-bad."
        )
    if empty:
        reading.note(f"{len(empty):,} empty files omitted, such as {empty[0]}")
    if "train" not in parts:
        raise UsageError("The folder has classes, but no training files: name a folder 'train'.")
    return {name: parts[name] for name in SPLITS if name in parts}


def _classes(dataset: Declaration) -> dict[str, Callable[[Any], Iterable[str]]]:
    """Returns the columns that hold classes, and for each a function from value to classes."""
    return {**({dataset.label: _itself} if dataset.label else {}), **dataset.classes}


def _itself(label: str) -> tuple[str]:
    return (label,)


def _known_only(
    rows: _Rows,
    column: str,
    classes: Callable[[Any], Iterable[str]],
    known: Sequence[str],
    reading: Reading,
) -> _Rows:
    """Returns the rows whose class is known.

    Raises:
      ZooError: there are other rows, and `drop_bad` is not set.
    """
    allowed, values = set(known), rows.examples[column]
    wrong = [row for row, value in enumerate(values) if not {*classes(value)} <= allowed]
    if not wrong:
        return rows
    unknown = sorted({name for row in wrong for name in classes(values[row])} - allowed)
    where, unit, _ = rows.places[wrong[0]]
    lines = [number for row in wrong for file, _, number in [rows.places[row]] if file == where]
    what = column if column == "label" else column.removesuffix("s")
    has = f"has a {what} that is not one of {some(known)} ({some(unknown)})"
    if len(wrong) == len(values):
        raise ZooError(
            f"{where}: {complaint(has, lines, unit)}. No row can be used: rename the classes, or "
            "name another column."
        )
    reading.omit(where, has, lines, unit)
    left = set(wrong)
    kept = [row for row in range(len(values)) if row not in left]
    return _Rows(take(rows.examples, kept), [rows.places[row] for row in kept])


def _overlaps(parts: Parts, column: str) -> list[str]:
    """Returns a note for each split that shares values of a column with the training split."""
    if not column:
        return []
    training_values, notes = set(parts["train"][column]), []
    for name in SPLITS[1:]:
        shared = sum(value in training_values for value in parts.get(name, {column: []})[column])
        if shared:
            notes.append(f"{shared:,} {column}s of {name} are also in train")
    return notes


def _from_memory(
    dataset: Declaration, rows: Any, names: Mapping[str, str], reading: Reading
) -> Examples:
    """Returns the columns of a dataset as checked lists; other columns are omitted.

    Args:
      dataset: declares the columns.
      rows: data without splits; see `zoo.data.objects`.
      names: maps our column names to those in the data.
      reading: receives notes.

    Raises:
      ZooError: a column is missing, has a different length, or has values of the wrong type.
    """
    sample = dataset.sample()
    if dataset.reader and (table := _as_file(dataset, rows, sample, names)) is not None:
        check_column_names(names)
        read, ours = dataset.reader, dict(names) or None
        return read_table(table, lambda path, how: read(path, ours, reading=how), reading)
    fields = [names.get(column, column) for column in dataset.positional or dataset.columns]
    ranks = {names.get(column, column): _rank(values[0]) for column, values in sample.items()}
    columns = objects.columns_of(rows, fields, ranks)
    examples: Examples = {}
    for column in dataset.columns:
        name = names.get(column, column)
        if name in columns:
            examples[column] = _values(column, columns[name])
        elif column in names:
            raise ZooError(f"The data have no column {name!r}.{suggest(name, map(str, columns))}")
    for column, values in examples.items():
        if _is_numeric(sample.get(column)):
            for row, value in enumerate(values):
                if not _are_numbers(value):
                    raise ZooError(
                        f"Row {row} of the data: {column!r} must be numbers, none of them missing "
                        "or infinite."
                    )
    if dataset.in_memory:
        examples = dataset.in_memory(examples)
    _check_complete(dataset, examples, columns, sample)
    sizes = {column: len(values) for column, values in examples.items()}
    if len(set(sizes.values())) > 1:
        lengths = ", ".join(f"{column!r} {size:,}" for column, size in sizes.items())
        raise ZooError(f"The columns of the data must have the same length; they have {lengths}.")
    if not any(sizes.values()):
        raise ZooError("The data have no rows.")
    if dataset.label:
        examples[dataset.label] = [
            _label(dataset.label, row, value) for row, value in enumerate(examples[dataset.label])
        ]
    for column, values in examples.items():
        if column != dataset.label and (dataset.reader is None or column in dataset.texts):
            for row, value in enumerate(values):
                if not isinstance(value, str) or not value.strip():
                    what = "empty" if isinstance(value, str) else _said(value, "text")
                    raise ZooError(f"Row {row} of the data: {column!r} is {what}.")
    return examples


def _as_file(
    dataset: Declaration, rows: Any, sample: Examples, names: Mapping[str, str]
) -> Any | None:
    """Returns a table laid out like a file that the dataset can read; None for other data.

    Such a table lacks a column of sequences; has a single value per row, such as a price; or has
    paths of files, which are relative to the working directory.
    """
    series = [names.get(name, name) for name, values in sample.items() if _rank(values[0])]
    if not series or not (objects.is_table(rows) or objects.is_rows(rows)):
        return None
    if objects.is_rows(rows) and not isinstance(rows[0], Mapping):
        return None
    columns = objects.columns_of(rows, ())
    known = {name: objects.to_list(columns[name]) for name in series if name in columns}
    for name, values in known.items():
        if values and isinstance(values[0], str | os.PathLike) and os.path.exists(values[0]):
            return {**columns, name: [os.path.abspath(value) for value in values]}
        if values and _rank(values[0]):
            return None
    return rows if objects.is_frame(rows) else None


def _rank(value: Any) -> int:
    """Returns the number of axes of a value: 0 for a text or number, 1 for a list, …"""
    if hasattr(value, "ndim"):
        return value.ndim
    if isinstance(value, list | tuple):
        return 1 + (_rank(value[0]) if value else 0)
    return 0


def _is_numeric(values: Any) -> bool:
    """Whether the first value of a column is a number, or lists of numbers."""
    while isinstance(values, list | tuple) and values:
        values = values[0]
    return isinstance(values, int | float)


def _are_numbers(value: Any) -> bool:
    """Whether a value is a finite number, or lists of such, which may differ in length."""
    import numpy as np

    if isinstance(value, list | tuple) and any(isinstance(part, list | tuple) for part in value):
        return all(map(_are_numbers, value))
    array = np.asarray(value)
    return not array.size or (array.dtype.kind in "biuf" and bool(np.isfinite(array).all()))


def read_table(frame: Any, read: Callable[[Path, Reading], T], reading: Reading) -> T:
    """Reads a table in memory by a reader of files.

    Args:
      frame: a table with named columns. The index of a pandas DataFrame becomes a column, unless
        it only numbers the rows.
      read: takes the path of a CSV file, and how it is read.
      reading: the options; receives the notes, which do not contain the name of the file.

    Raises:
      ZooError: raised by the reader; the message does not contain the name of the file.
    """
    import pandas as pd

    if not isinstance(frame, pd.DataFrame):
        columns = objects.columns_of(frame, ())
        frame = pd.DataFrame({name: objects.to_list(values) for name, values in columns.items()})
    how = Reading(reading.options)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "table.csv"
        frame.to_csv(path, index=not isinstance(frame.index, pd.RangeIndex))

        def renamed(text: str) -> str:
            return text.replace(str(path), path.name).replace(path.name, "The table in memory")

        try:
            found = read(path, how)
        except ZooError as error:
            raise type(error)(renamed(str(error))) from error
    for note in how.notes:
        reading.note(renamed(note))
    return found


def _check_complete(
    dataset: Declaration, examples: Examples, columns: Mapping[str, Any], sample: Examples
) -> None:
    """Checks that no column is missing, compared with the dataset's sample."""
    expected = dataset.positional or (dataset.columns if dataset.reader is None else sample)
    needed = [dataset.label, dataset.group, dataset.deduplicate_by]
    missing = [name for name in needed if name and name not in examples]
    # A column that is not in the sample may replace another one.
    if not set(examples) - set(expected):
        missing += [name for name in expected if name not in examples]
    if missing:
        hint = suggest(missing[0], map(str, columns))
        raise ZooError(
            f"The data have no column {missing[0]!r}; {dataset.name!r} needs "
            f"{', '.join(map(repr, expected))}.{hint}"
        )


def _values(column: str, values: Any) -> list:
    if isinstance(values, str | bytes | Mapping) or not hasattr(values, "__iter__"):
        raise ZooError(
            f"The column {column!r} must be a list of values, one per row; got "
            f"{type(values).__name__}."
        )
    return objects.to_list(values)


def _label(column: str, row: int, value: Any) -> str:
    if isinstance(value, float) and value.is_integer():
        value = int(value)  # pandas converts integers to floats if values are missing
    if not isinstance(value, str | int):
        what = _said(value, "text nor a whole number").replace("not", "neither")
        raise ZooError(f"Row {row} of the data: {column!r} is {what}.")
    label = str(value).strip()
    if not label:
        raise ZooError(f"Row {row} of the data: {column!r} is empty.")
    return label


def _said(value: Any, due: str) -> str:
    """Returns an error message for a value that is not of the expected kind `due`."""
    return "missing" if objects.is_missing(value) else f"not {due}"
