"""Input of `predict`: converts tables, rows and file names to the inputs of a model."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from zoo import files
from zoo.data import objects
from zoo.data.custom import read_table
from zoo.data.reading import (
    Reading,
    check_column_names,
    refuse_file_options,
    refuse_min_count,
    refuse_table_options,
)
from zoo.errors import UsageError, quoted, shortened, suggest
from zoo.recipe import Answers, Recipe

Columns = dict[str, list]


def read_request(
    predictor: Answers,
    examples: Any,
    ranks: Mapping[str, int],
    texts: bool,
    columns: Mapping[str, str] | None,
    reading: Reading,
) -> tuple[Any, Columns]:
    """Returns the inputs of a signature, and other columns of the rows, such as their dates.

    Args:
      predictor: the model.
      examples: as for `Predictor.predict`.
      ranks: input name to the number of axes of one value.
      texts: whether the signature takes texts; strings are then not names of files.
      columns: input name to column name in a table.
      reading: how a file is read; receives notes.

    Raises:
      UsageError: a table lacks an input, a collection has no order, there is no such file, or
        `columns` or `reading` do not apply to the examples.
    """
    names = list(ranks)
    refuse_min_count(reading.options)
    if reading.options.repair:
        predictor.recipe.data(predictor.config).check_repair(reading.options)
    if isinstance(examples, set | frozenset):
        raise UsageError("A set has no order, so answers could not be told apart. Give a list.")
    if isinstance(examples, os.PathLike) or (isinstance(examples, str) and not texts):
        return _of_file(predictor, examples, names, columns, reading)
    if objects.is_stream(examples):
        if isinstance(examples.element_spec, tuple):  # the target is not used
            examples = examples.map(lambda inputs, *_: inputs)
        examples = objects.columns_of(examples, names, ranks)
    elif objects.is_rows(examples) and (
        isinstance(examples[0], Mapping) or len(names) == len(examples[0]) > 1
    ):
        examples = objects.columns_of(examples, names)
    elif objects.is_frame(examples):
        table = examples
        examples = objects.columns_of(table, names)
        if _is_of_file(predictor, examples, ranks, columns):
            refuse_file_options(reading.options, "the table is")
            return read_table(
                table, lambda path, how: _named(predictor, [path], names, columns, how), reading
            )
    elif isinstance(examples, Mapping):
        if not columns:
            return _with_files(predictor, examples, texts, names, None, reading)
        examples = {str(name): values for name, values in examples.items()}
    else:
        return _with_files(predictor, examples, texts, names, columns, reading)
    return _with_files(predictor, _chosen(examples, names, columns), texts, names, None, reading)


def read_named(recipe: Recipe, config: Any, name: str, names: Sequence[str], **how: Any) -> Columns:
    """Reads a named input, such as the path of a recording, with the recipe's `read_input`.

    Args:
      recipe, config: recipe and config of the model.
      name: the given name or path.
      names: names of the model's inputs.
      **how: `columns` and `reading` of `read_input`.

    Raises:
      UsageError: it does not contain the inputs of the model.
      UsageError, ZooError: as `read_input`.
    """
    found = recipe.read_input(config, name, **how)
    if missing := [each for each in names if each not in found]:
        raise UsageError(
            f"{recipe.name} takes {missing[0]!r}, which {name} does not hold: it was trained on "
            "other data. Train it on data of that kind, or call zoo.load(...).predict."
        )
    return found


def _chosen(
    table: Mapping[str, Any], names: Sequence[str], columns: Mapping[str, str] | None
) -> Columns:
    """Returns the columns of a table that are inputs; other columns are omitted."""
    columns = columns or {}
    _check_known(columns, names)
    found = {}
    for name in names:
        theirs = columns.get(name, name)
        if theirs not in table:
            first = next((each for each in table if _holds_text(table[each])), next(iter(table)))
            raise UsageError(
                f"The table has no column {quoted(theirs)}, which the model reads."
                f"{suggest(theirs, table)} Say which it is: columns={{{name!r}: {first!r}}}."
            )
        found[name] = objects.to_list(table[theirs])
    return found


def _check_known(columns: Mapping[str, str], known: Collection[str]) -> None:
    if unknown := sorted(set(columns) - set(known)):
        raise UsageError(f"Unknown column {quoted(unknown[0])}.{suggest(unknown[0], known)}")


def _holds_text(values: Any) -> bool:
    return bool(len(values)) and isinstance(objects.to_list(values[:1])[0], str)


def _is_of_file(
    predictor: Answers,
    table: Mapping[str, Any],
    ranks: Mapping[str, int],
    columns: Mapping[str, str] | None,
) -> bool:
    """Whether a table has the layout of a file that the recipe reads: one value per row."""
    for name, rank in ranks.items():
        values = table.get((columns or {}).get(name, name))
        if rank and values is not None and len(values):
            first = objects.to_list(values[:1])[0]
            if hasattr(first, "__len__"):  # a series or a file name
                return False
    return bool(any(ranks.values())) and predictor.recipe.reads_input


def _with_files(
    predictor: Answers,
    examples: Any,
    texts: bool,
    names: Sequence[str],
    columns: Mapping[str, str] | None,
    reading: Reading,
) -> tuple[Any, Columns]:
    """Reads the files that are named instead of values, for an input that is not text."""
    values = examples
    if isinstance(examples, Mapping) and len(names) == 1 and names[0] in examples:
        values = examples[names[0]]
    if texts or not _are_names(values):
        if columns:
            raise UsageError("columns names the columns of a table, but the examples are no table.")
        if reading.options.to_json():
            raise UsageError(
                "reading says how a file is read, but the examples name no file. Omit it."
            )
        return examples, {}
    for row, value in enumerate(values):
        if not isinstance(value, str | os.PathLike):
            raise UsageError(f"Example {row} names no file, as the first does: it is {value!r:.50}")
    return _named(predictor, values, names, columns, reading)


def _are_names(values: Any) -> bool:
    """Whether values are the names of files: a sequence whose first value is a name."""
    if isinstance(values, str | bytes | Mapping) or not hasattr(values, "__getitem__"):
        return False
    return bool(len(values)) and isinstance(values[0], str | os.PathLike)


def _named(
    predictor: Answers,
    paths: Sequence[Any],
    names: Sequence[str],
    columns: Mapping[str, str] | None,
    reading: Reading,
) -> tuple[Columns, Columns]:
    recipe = predictor.recipe
    if not recipe.reads_input:
        raise UsageError(
            f"{predictor.name} takes numbers, not the name of a file; got {quoted(str(paths[0]))}."
        )
    if columns and not recipe.reads_tables:
        raise UsageError(f"columns names the columns of a table, but {recipe.name} reads none.")
    if reading.options.to_json() and not recipe.reads_tables:
        raise UsageError(
            f"reading says how a table is read, but {recipe.name} reads none. Omit it."
        )
    _check_known(columns or {}, recipe.data(predictor.config).columns)
    check_column_names(columns)
    every: Columns = {}
    for path in paths:
        found = read_named(
            recipe, predictor.config, os.fspath(path), names, columns=columns, reading=reading
        )
        for name, values in found.items():
            every.setdefault(name, []).extend(values)
    inputs = {name: every[name] for name in names}
    return inputs, {name: values for name, values in every.items() if name not in inputs}


def _of_file(
    predictor: Answers,
    path: Any,
    names: Sequence[str],
    columns: Mapping[str, str] | None,
    reading: Reading,
) -> tuple[Columns, Columns]:
    """Reads one file, with the recipe's reader or as a table of texts."""
    if predictor.recipe.reads_input:
        return _named(predictor, [path], names, columns, reading)
    columns = columns or {}
    _check_known(columns, names)
    check_column_names(columns)
    from zoo.data.contents import inner_name, read_lines
    from zoo.data.declaration import TABLES
    from zoo.data.formats import value_of
    from zoo.data.tables import read_rows

    file = files.expanded(path)
    if inner_name(file).endswith(".txt") and len(names) == 1:
        lines = read_lines(file, reading)
        if lines is not None:
            refuse_table_options(file, columns, reading.options)
            return {names[0]: lines}, {}
    elif not inner_name(file).endswith(TABLES):
        raise UsageError(
            f"{shortened(str(file))}: a file of examples ends in {', '.join(TABLES)}, or in .txt "
            "with a text a line. Give the examples themselves as a list, or name such a file."
        )
    theirs = {name: columns.get(name, name) for name in names}
    rows = read_rows(file, theirs, reading)
    found = {name: [value_of(row, each) for row in rows] for name, each in theirs.items()}
    others = {key: [row.get(key) for row in rows] for key in (rows[0] if rows else {})}
    return found, {key: values for key, values in others.items() if key not in theirs.values()}
