"""Answers with their rows, as files hold them."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Mapping
from typing import Any, TextIO

from zoo.cli import options
from zoo.utf8 import plain

Row = dict[str, Any]


def merged(row: Row, answer: Row) -> Row:
    """Returns an answer with its row; what has the name of an output is `given_NAME`."""
    given = {f"given_{name}" if name in answer else name: value for name, value in row.items()}
    return {**given, **answer}


def write(file: TextIO, rows: list[Row], kind: str) -> None:
    """Writes rows as `.jsonl`, `.csv` or `.tsv`."""
    if kind == ".jsonl":
        for row in rows:
            file.write(options.json_text(row, encoding=file.encoding) + "\n")
        return
    flat = [dict(_cells(row)) for row in rows]
    writer = csv.DictWriter(
        file,
        list(dict.fromkeys(name for row in flat for name in row)),
        delimiter="\t" if kind == ".tsv" else ",",
        lineterminator="\n",
    )
    writer.writeheader()
    writer.writerows(flat)


def _cells(row: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, Any]]:
    """Yields cells: a dict of probabilities becomes `probabilities.positive`, …"""
    for name, value in row.items():
        if isinstance(value, dict):
            yield from _cells(value, f"{before}{name}.")
        elif isinstance(value, str):
            yield f"{before}{name}", plain(value)
        else:
            value = options.finite(value)
            yield f"{before}{name}", json.dumps(value) if isinstance(value, list) else value
