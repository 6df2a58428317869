"""Reading user-provided data: a file, a folder, or columns in memory.

Light: importing this module imports neither TensorFlow nor pandas nor NumPy.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from zoo.data import objects
from zoo.data.declaration import Declaration
from zoo.data.origin import Custom, CustomFile, CustomFolder, InMemory, InMemorySplits, Unsplit
from zoo.data.sources import Examples, Parts
from zoo.data.splits import SPLITS
from zoo.errors import UsageError, ZooError, suggest


def load_custom(
    dataset: Declaration, origin: Custom, columns: Mapping[str, str] | None = None
) -> tuple[Parts, list[str], str, str]:
    """Reads custom data, with their splits if they have any.

    Args:
      dataset: declares the required columns.
      origin: where the data are.
      columns: our column to the name that it has in the data.

    Returns:
      Splits, notes, title and licence.

    Raises:
      UsageError: there are no training rows, or two files of one split.
      ZooError: the data are invalid; one line.
    """
    title = f"{origin.name} (custom data)"
    if isinstance(origin, CustomFolder):
        if dataset.folder and not list(origin.path.glob("train.*")):
            return dataset.folder(origin.path)
        sources: dict[str, Unsplit] = dict(_split_files(dataset, origin.path))
    elif isinstance(origin, InMemorySplits):
        if "train" not in origin.splits:
            raise UsageError("The data have no split 'train'.")
        sources = {name: InMemory(origin.splits[name]) for name in SPLITS if name in origin.splits}
    else:
        sources = {"train": origin}
    parts: Parts = {}
    known = None
    for name, part in sources.items():
        parts[name] = load_rows(dataset, part, columns, labels=known)
        if name == "train" and dataset.label:
            known = sorted(set(parts[name][dataset.label]))
    parts, notes = dataset.hold_out(parts) if dataset.hold_out else (parts, [])
    if not isinstance(origin, Unsplit):
        notes = [*notes, *_overlaps(parts, dataset.deduplicate_by or dataset.group)]
    return parts, notes, title, ""


def load_rows(
    dataset: Declaration,
    origin: Unsplit,
    columns: Mapping[str, str] | None = None,
    *,
    labels: Sequence[str] | None = None,
) -> Examples:
    """Reads all rows of custom data without splits; arguments and errors as `load_examples`."""
    if isinstance(origin, CustomFile):
        return load_examples(dataset, origin.path, columns, labels=labels)
    examples = _from_memory(dataset, origin.rows, columns or {})
    if labels is not None and dataset.label:
        _check_labels("The data in memory", examples, dataset.label, labels)
    return examples


def load_examples(
    dataset: Declaration,
    path: str | Path,
    columns: Mapping[str, str] | None = None,
    *,
    labels: Sequence[str] | None = None,
) -> Examples:
    """Reads all rows of a user-provided file, without splitting it.

    Args:
      dataset: declares the required columns.
      path: CSV, TSV or JSONL file, or a file that the dataset's own reader takes.
      columns: our column to the file's name of it.
      labels: the allowed class names; `None` allows any.

    Raises:
      UsageError: no such file.
      ZooError: the file is invalid; one line with the line numbers.
    """
    from zoo.data import tables

    if dataset.reader:
        examples = dataset.reader(Path(path).expanduser(), columns)
        if labels is not None and dataset.label:
            _check_labels(str(path), examples, dataset.label, labels)
        return examples
    texts = [column for column in dataset.columns if column != dataset.label]
    table = tables.read(Path(path).expanduser(), texts, dataset.label, columns)
    if labels is not None and dataset.label:
        tables.check_labels(table, dataset.label, labels)
    return table.columns


def _check_labels(where: str, examples: Examples, label: str, known: Sequence[str]) -> None:
    unknown = sorted(set(examples[label]) - set(known))
    if unknown:
        raise ZooError(
            f"{where} has the {label} {unknown[0]!r}, which is not one of "
            f"{', '.join(map(repr, known[:10]))}{' …' * (len(known) > 10)}. Correct or "
            "remove such rows."
        )


def _split_files(dataset: Declaration, folder: Path) -> dict[str, CustomFile]:
    """Returns the file of each split in a folder, `"train"` first."""
    from zoo.data import tables

    suffixes = dataset.suffixes or tables.SUFFIXES
    files_by_split = {}
    for name in SPLITS:
        files = [
            file
            for file in sorted(folder.glob(f"{name}.*"))
            if file.name.lower().removesuffix(".gz").endswith(suffixes)
        ]
        if len(files) > 1:
            raise UsageError(f"{folder} has both {files[0].name} and {files[1].name}.")
        if files:
            files_by_split[name] = CustomFile(files[0])
    if "train" not in files_by_split:
        raise UsageError(
            f"{folder} has no train file: a folder needs train{' or '.join(suffixes)}, and "
            "may have validation.* and test.*."
        )
    return files_by_split


def _overlaps(parts: Parts, column: str) -> list[str]:
    """Returns a note on each split that has rows of the training split, by the column."""
    if not column:
        return []
    training_values, notes = set(parts["train"][column]), []
    for name in SPLITS[1:]:
        shared = sum(value in training_values for value in parts.get(name, {column: []})[column])
        if shared:
            notes.append(f"{shared:,} {column}s of {name} are also in train")
    return notes


def _from_memory(dataset: Declaration, rows: Any, names: Mapping[str, str]) -> Examples:
    """Returns the columns of a dataset as lists, checked; other columns are omitted.

    Args:
      dataset: declares the columns.
      rows: data without splits: see `zoo.data.objects`.
      names: our column to the name that it has in the data.

    Raises:
      ZooError: a column is missing, has a different length, or has values of a wrong type.
    """
    sample = dataset.sample()
    if dataset.reader and (table := _as_file(dataset, rows, sample, names)) is not None:
        with table_file(table) as path:
            return dataset.reader(path, dict(names) or None)
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
        if dataset.reader is None and column != dataset.label:
            for row, value in enumerate(values):
                if not isinstance(value, str) or not value.strip():
                    what = "empty" if isinstance(value, str) else _said(value, "text")
                    raise ZooError(f"Row {row} of the data: {column!r} is {what}.")
    return examples


def _as_file(
    dataset: Declaration, rows: Any, sample: Examples, names: Mapping[str, str]
) -> Any | None:
    """Returns a table that is laid out as a file which the dataset reads; None for other data.

    Such a table lacks a column of sequences, has a single value on each row, such as a price, or
    the path of a file, which is then seen from the working folder.
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
    """Returns how many axes a value has: 0 of a text or number, 1 of a list, …"""
    if hasattr(value, "ndim"):
        return value.ndim
    if isinstance(value, list | tuple):
        return 1 + (_rank(value[0]) if value else 0)
    return 0


@contextlib.contextmanager
def table_file(frame: Any) -> Iterator[Path]:
    """Context with a table in memory as a CSV file, for readers of files.

    Args:
      frame: a table with named columns. The index of a pandas DataFrame is a column too, unless
        it merely numbers the rows.

    Raises:
      ZooError: as the reader does, without the name of the file.
    """
    import pandas as pd

    if not isinstance(frame, pd.DataFrame):
        columns = objects.columns_of(frame, ())
        frame = pd.DataFrame({name: objects.to_list(values) for name, values in columns.items()})
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "table.csv"
        frame.to_csv(path, index=not isinstance(frame.index, pd.RangeIndex))
        try:
            yield path
        except ZooError as error:
            said = (
                str(error).replace(str(path), path.name).replace(path.name, "The table in memory")
            )
            raise type(error)(said) from error


def _check_complete(
    dataset: Declaration, examples: Examples, columns: Mapping[str, Any], sample: Examples
) -> None:
    """Checks that no column of the dataset is missing; the dataset's sample shows which it has."""
    expected = dataset.positional or (dataset.columns if dataset.reader is None else sample)
    needed = [dataset.label, dataset.group, dataset.deduplicate_by]
    missing = [name for name in needed if name and name not in examples]
    # A column that the sample lacks may replace another one.
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
        value = int(value)  # pandas makes floats of integers beside missing ones
    if not isinstance(value, str | int):
        what = _said(value, "text nor a whole number").replace("not", "neither")
        raise ZooError(f"Row {row} of the data: {column!r} is {what}.")
    label = str(value).strip()
    if not label:
        raise ZooError(f"Row {row} of the data: {column!r} is empty.")
    return label


def _said(value: Any, due: str) -> str:
    """Says what is wrong with a value that is not what is due."""
    return "missing" if objects.is_missing(value) else f"not {due}"
