"""Converts Python objects to columns: tables, rows, pairs and datasets in memory.

| object | becomes |
|---|---|
| a table: DataFrame, Arrow table, dict of lists, structured array | its columns |
| rows: a list of dicts, or of tuples | a column for each key, or for each place |
| a pair `(x, y)` of sequences; `x` may be a table | the columns that are read, and the target |
| a sequence of values, where the data have one column | that column |
| a `tf.data.Dataset` of dicts or tuples, in batches or not | as rows |
| a dict or a tuple of these | splits |

Objects are recognised by duck typing, so that no library has to be imported.
Light: importing this module imports neither TensorFlow nor pandas nor NumPy.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from zoo.errors import UsageError, quoted, suggest

FORMS = (
    "a DataFrame, a dict of lists, a list of dicts or tuples, a pair (x, y), a tf.data.Dataset, or "
    "a dict or tuple of splits of these"
)
TUPLES = {2: ("train", "test"), 3: ("train", "validation", "test")}


def is_frame(value: Any) -> bool:
    """Whether an object has named columns and is not a dict: a DataFrame, an Arrow table, …"""
    return _names(value) is not None


def is_table(value: Any) -> bool:
    """Whether an object has named columns."""
    return isinstance(value, Mapping) or is_frame(value)


def is_stream(value: Any) -> bool:
    """Whether an object is a `tf.data.Dataset`."""
    return hasattr(value, "as_numpy_iterator") and hasattr(value, "element_spec")


def is_rows(value: Any) -> bool:
    """Whether an object is a list of rows, dicts or tuples, or an array of rows."""
    if getattr(value, "ndim", 0) == 2:
        return getattr(getattr(value, "dtype", None), "kind", "-") in "OUS"
    return isinstance(value, list) and bool(value) and isinstance(value[0], Mapping | tuple)


def is_pair(value: Any) -> bool:
    """Whether an object is a pair `(x, y)`: y is a sequence, x is a sequence or a table."""
    if not isinstance(value, tuple) or len(value) != 2:
        return False
    x, y = value
    return (is_table(x) or is_sequence(x)) and is_sequence(y) and not is_rows(y)


def is_sequence(value: Any) -> bool:
    """Whether an object is a column: an ordered collection of values, not a text or table."""
    if isinstance(value, str | bytes | Mapping | tuple) or is_table(value):
        return False
    return hasattr(value, "__len__") and hasattr(value, "__getitem__")


def is_data(value: Any) -> bool:
    """Whether an object contains rows with their targets, without splits."""
    return is_table(value) or is_stream(value) or is_rows(value) or is_pair(value)


def splits_of(value: Any, known: Sequence[str]) -> dict[str, Any] | None:
    """Returns the splits of an object; None if it is a single table.

    Args:
      value: a dict by split name, or a tuple `(train, test)` or `(train, validation, test)`.
      known: names of splits.

    Raises:
      UsageError: a part is not data, or its name is not a split.
    """
    if isinstance(value, tuple) and not is_pair(value):
        if len(value) not in TUPLES or not all(map(is_data, value)):
            raise UsageError(
                "A tuple of data is a pair (x, y), or splits: (train, test) or (train, validation, "
                f"test). Each of these is {FORMS.partition(', or')[0]}."
            )
        return dict(zip(TUPLES[len(value)], value, strict=True))
    if not isinstance(value, Mapping):
        return None
    inner = [name for name, part in value.items() if is_data(part)]
    tables = [name for name in inner if is_table(value[name]) or is_stream(value[name])]
    if not tables and not (inner and set(value) & set(known)):
        return None  # columns, one of which may contain tuples
    for name in value:
        if name not in known:
            raise UsageError(f"Unknown split {quoted(name)}.{suggest(str(name), known)}")
        if name not in inner:
            raise UsageError(f"The split {name!r} must be {FORMS.partition(', or')[0]}.")
    return dict(value)


def columns_of(
    value: Any, fields: Sequence[str], ranks: Mapping[str, int] | None = None
) -> dict[str, Any]:
    """Returns the columns of data without splits by name; values are not checked.

    Args:
      value: data; see the table in the module's docstring.
      fields: column names of the positions in tuples, the target last.
      ranks: number of axes of a value of each column, to recognise batches of a `tf.data.Dataset`.

    Raises:
      UsageError: rows differ in their keys or length, or the number of fields does not match.
    """
    if isinstance(value, Mapping):
        return dict(value)
    names = _names(value)
    if names is not None:
        return {str(name): _column(value, name) for name in names}
    if is_pair(value):
        x, y = value
        if is_table(x):
            return {**columns_of(x, fields), fields[-1]: y}
        return dict(zip(_places(2, fields), (x, y), strict=True))
    if is_stream(value):
        return _of_stream(value, fields, ranks or {})
    if is_rows(value):
        return _of_rows(value.tolist() if hasattr(value, "tolist") else value, fields)
    if len(fields) != 1:
        raise UsageError(
            f"Values alone are one column; the data have {', '.join(fields)}. Give a dict of "
            "lists" + (" or a pair (x, y)." if len(fields) == 2 else ".")
        )
    return {fields[0]: value}


def to_list(values: Iterable) -> list:
    """Returns the values of a column as a list of Python objects; numeric arrays stay arrays."""
    if getattr(values, "ndim", 0) == 1 and hasattr(values, "tolist"):  # NumPy, pandas
        values = values.tolist()
    elif hasattr(values, "to_list"):  # Polars
        values = values.to_list()
    elif hasattr(values, "to_pylist"):  # Arrow
        values = values.to_pylist()
    elif hasattr(values, "numpy"):  # a tensor
        values = to_list(values.numpy())
    return [_plain(value) for value in values]


def is_missing(value: Any) -> bool:
    """Whether a value is missing: None, NaN, `pandas.NA` or `NaT`."""
    if value is None or type(value).__name__ in ("NAType", "NaTType"):
        return True
    return isinstance(value, float) and value != value


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.decode("utf-8", errors="replace")
    if isinstance(value, list):
        return [_plain(part) for part in value]
    if getattr(value, "ndim", None) == 0 and hasattr(value, "item"):
        return _plain(value.item())
    if getattr(value, "ndim", 0) and getattr(value.dtype, "kind", "") in "OSU":
        return _plain(value.tolist())
    return value


def _names(value: Any) -> list | None:
    """Returns the column names of a table that is not a dict; None if it is not a table."""
    if isinstance(value, Mapping | str | list | tuple | type):
        return None
    if hasattr(value, "column_names"):  # Arrow, Hugging Face
        return list(value.column_names)
    if hasattr(value, "columns") and hasattr(value, "__getitem__"):  # pandas, Polars
        return list(value.columns)
    fields = getattr(getattr(value, "dtype", None), "names", None)
    return list(fields) if fields else None


def _column(table: Any, name: Any) -> Any:
    values = table[name]
    if getattr(values, "ndim", 1) == 2 and hasattr(values, "columns"):
        raise UsageError(f"The table has several columns {quoted(name)}. Give each another name.")
    return values


def _places(count: int, fields: Sequence[str]) -> Sequence[str]:
    """Returns the column names of `count` values by position.

    Raises:
      UsageError: the data have a different number of columns.
    """
    if count != len(fields):
        raise UsageError(
            f"Rows of {count} values do not say which columns they are: the data have "
            f"{', '.join(fields)}. Give a dict of lists, or {len(fields)} values a row."
        )
    return fields


def _of_rows(rows: Sequence[Any], fields: Sequence[str]) -> dict[str, list]:
    first = rows[0] if rows else {}
    if isinstance(first, Mapping):
        keys = list(dict.fromkeys(key for row in rows if isinstance(row, Mapping) for key in row))
        for number, row in enumerate(rows):
            if not isinstance(row, Mapping):
                raise UsageError(f"Row {number} of the data is not a dict, as row 0 is.")
        return {str(key): [row.get(key) for row in rows] for key in keys}
    names = _places(len(first), fields)
    for number, row in enumerate(rows):
        if not hasattr(row, "__len__") or isinstance(row, str) or len(row) != len(first):
            raise UsageError(
                f"Row {number} of the data must have {len(first)} values, as row 0 has."
            )
    return {name: [row[place] for row in rows] for place, name in enumerate(names)}


def _of_stream(dataset: Any, fields: Sequence[str], ranks: Mapping[str, int]) -> dict[str, list]:
    """Reads a whole `tf.data.Dataset`; batches are split into rows.

    Raises:
      UsageError: it is infinite.
    """
    if int(dataset.cardinality()) == -1:
        raise UsageError(
            "The tf.data.Dataset has no end. Give `dataset.take(N)`, or omit `repeat()`."
        )

    def named(element: Any) -> dict[str, Any]:
        if isinstance(element, Mapping):
            return dict(element)
        if not isinstance(element, tuple):
            return {fields[0]: element}
        if len(element) == 2 and isinstance(element[0], Mapping):  # (inputs, target)
            return {**element[0], fields[-1]: element[1]}
        return dict(zip(_places(len(element), fields), element, strict=True))

    shapes = {name: spec.shape for name, spec in named(dataset.element_spec).items()}
    batched = all(
        shape.rank is not None and shape.rank == ranks.get(name, 0) + 1
        for name, shape in shapes.items()
    )
    columns: dict[str, list] = {name: [] for name in shapes}
    for element in dataset.unbatch() if batched else dataset:
        for name, value in named(element).items():
            columns[name].append(_plain(value.numpy()))
    return columns
