"""`zoo predict`."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO

import click

from zoo.cli import options
from zoo.errors import UsageError


@click.command()
@options.model
@click.argument("texts", metavar="[TEXT]...", nargs=-1)
@click.option("-i", "--input", "source", metavar="FILE", help="CSV/TSV/JSONL, else a text a line.")
@click.option("-o", "--output", "target", metavar="FILE", help="CSV/TSV/JSONL by its ending.")
@options.column
@options.json_output
def predict(
    model: str,
    texts: tuple[str, ...],
    source: str | None,
    target: str | None,
    columns: dict[str, str],
    as_json: bool,
) -> None:
    """Answer each TEXT, or each row of FILE, with MODEL (recipe name, run folder or export).

    `-` is standard input or output. Rows of a file keep their other columns.
    """
    if bool(texts) == bool(source):
        raise click.UsageError("Give texts, or a file with -i (`-` is standard input).")
    if texts == ("-",):
        source, texts = "-", ()
    suffix = _suffix(target)
    options.import_tensorflow()
    from zoo.serving import load

    predictor = load(model)
    names = predictor.input_names
    rows = _read(source, names, columns) if source else [{names[0]: text} for text in texts]
    requests = {name: [row[columns.get(name, name)] for row in rows] for name in names}
    answers = predictor.predict(requests)
    if target in (None, "-") and not as_json and suffix is None:
        for row, answer in zip(rows, answers, strict=True):
            click.echo(predictor.recipe.show(row, answer))
        return
    lines = [{**row, **answer} for row, answer in zip(rows, answers, strict=True)]
    if target in (None, "-"):
        _write(sys.stdout, lines, suffix or ".jsonl")
        return
    from zoo.files import writing

    with (
        writing(Path(str(target))) as temporary,
        open(temporary, "w", encoding="utf-8", newline="") as file,
    ):
        _write(file, lines, suffix or ".jsonl")


def _suffix(target: str | None) -> str | None:
    """Returns the format of the output file, None where people read it.

    Raises:
      UsageError: an ending that says nothing.
    """
    if target in (None, "-"):
        return None
    suffix = Path(str(target)).suffix.lower()
    if suffix not in (".csv", ".tsv", ".jsonl"):
        raise UsageError(f"{target}: name the output .csv, .tsv or .jsonl.")
    return suffix


def _read(source: str, names: list[str], columns: dict[str, str]) -> list[dict[str, Any]]:
    """Reads rows with at least the columns that the model takes."""
    if source != "-" and Path(source).suffixes[-1:] not in ([".txt"], []):
        from zoo.data.tables import read_rows

        return read_rows(Path(source), [columns.get(name, name) for name in names])
    if len(names) != 1:
        raise UsageError(f"This model takes {', '.join(names)}: give a CSV or JSONL file.")
    if source != "-" and not Path(source).is_file():
        raise UsageError(f"There is no file {source}.")
    data = sys.stdin.buffer.read() if source == "-" else Path(source).read_bytes()
    # Bytes that are not UTF-8 are the model's to answer, as in serving.
    lines = data.decode("utf-8", errors="surrogateescape").splitlines()
    return [{columns.get(names[0], names[0]): line} for line in lines]


def _write(file: TextIO, rows: list[dict[str, Any]], suffix: str) -> None:
    if suffix == ".jsonl":
        for row in rows:
            text = json.dumps(row, ensure_ascii=False)
            file.write(text.encode("utf-8", "replace").decode("utf-8") + "\n")
        return
    flat = [dict(_flat(row)) for row in rows]
    writer = csv.DictWriter(
        file,
        list(flat[0]) if flat else [],
        delimiter="\t" if suffix == ".tsv" else ",",
        lineterminator="\n",
    )
    writer.writeheader()
    writer.writerows(flat)


def _flat(row: dict[str, Any], before: str = "") -> Iterator[tuple[str, Any]]:
    """Yields cells: a dict of probabilities becomes `probabilities.positive`, …"""
    for name, value in row.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{before}{name}.")
        else:
            text = value.encode("utf-8", "replace").decode() if isinstance(value, str) else value
            yield f"{before}{name}", text
