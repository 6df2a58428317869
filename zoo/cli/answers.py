"""Answers with their rows, as files hold them."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TextIO

from zoo.cli import options
from zoo.data.formats import value_of
from zoo.utf8 import plain

Row = dict[str, Any]


def merged(rows: Sequence[Row], answers: Sequence[Row], flat: bool) -> list[Row]:
    """Puts answers beside what was given; a given column whose name is taken is `given_NAME`.

    Args:
      rows: what was given.
      answers: as many.
      flat: whether an object becomes a column for each of its parts: `meta.a`.
    """

    def cells(row: Row) -> dict[tuple[str, ...], Any]:
        return dict(_cells(row)) if flat else {(name,): value for name, value in row.items()}

    given, answered = [cells(row) for row in rows], [cells(answer) for answer in answers]
    output = {".".join(path) for answer in answered for path in answer}
    paths = dict.fromkeys(path for row in given for path in row)
    names: dict[tuple[str, ...], str] = {}
    for clashing in (False, True):  # names that are free are given first
        for path in paths:
            name = ".".join(path)
            if path not in names and (clashing or name not in {*output, *names.values()}):
                while name in output or name in names.values():
                    name = f"given_{name}"
                names[path] = name
    return [
        {
            **{names[path]: value for path, value in row.items()},
            **{".".join(path): value for path, value in answer.items()},
        }
        for row, answer in zip(given, answered, strict=True)
    ]


def cell_of(row: Row, column: str) -> Any:
    """Returns what a row has in a column, or below a path such as `data.text`; "" for nothing."""
    value = value_of(row, column)
    missing = value is None or (isinstance(value, float) and math.isnan(value))
    return "" if missing else value


def rounded(value: Any) -> Any:
    """Returns numbers with as few digits as tell them apart: those of float32, as models answer."""
    if isinstance(value, float) and math.isfinite(value):
        import numpy as np

        return float(str(np.float32(value)))
    if isinstance(value, dict):
        return {name: rounded(part) for name, part in value.items()}
    return [rounded(part) for part in value] if isinstance(value, list) else value


def write(file: TextIO, rows: list[Row], kind: str) -> None:
    if kind == ".jsonl":
        for row in rows:
            file.write(options.json_text(row, encoding=file.encoding) + "\n")
        return
    writer = csv.DictWriter(
        file,
        list(dict.fromkeys(name for row in rows for name in row)),
        delimiter="\t" if kind == ".tsv" else ",",
        lineterminator="\n",
    )
    writer.writeheader()
    writer.writerows(rows)


def _cells(
    row: Mapping[str, Any], before: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Yields path and cell: a dict of probabilities becomes `("probabilities", "positive")`, …"""
    for name, value in row.items():
        path = (*before, str(name))
        if isinstance(value, dict):
            yield from _cells(value, path)
        elif isinstance(value, str):
            yield path, plain(value)
        else:
            value = options.finite(value)
            yield path, json.dumps(value) if isinstance(value, list) else value
