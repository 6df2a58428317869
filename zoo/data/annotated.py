"""Reads exports of annotation tools: doccano, Label Studio, Prodigy.

Exports become rows with `text`; `label` if the text has a class; and `spans` if parts of it have
classes: a list of `(start, end, label)`, in characters, the end exclusive.

Light: importing this module imports neither TensorFlow nor pandas nor NumPy.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

from zoo.data.formats import Record, Records
from zoo.data.reading import Reading

Span: TypeAlias = tuple[int, int, str]
SHOWN = 100  # rows that are inspected to recognise a tool


def plain_records(records: Records, path: Path, reading: Reading) -> Records:
    """Converts an export to plain rows; returns other records unchanged.

    Rows that the annotator rejected, skipped or did not answer are omitted, with a note.

    Args:
      records: of the file.
      path: of the file, for notes.
      reading: gets the notes.
    """
    tool, convert = _tool(records.rows[:SHOWN])
    if convert is None:
        return records
    reading.found(path, f"an export of {tool}")
    numbers, rows, broken = [], [], []
    left: dict[str, int] = {}
    for number, record in zip(records.numbers, records.rows, strict=True):
        try:
            row = convert(record)
        except (AttributeError, LookupError, TypeError, ValueError):
            broken.append(number)
            continue
        if isinstance(row, str):
            left[row] = left.get(row, 0) + 1
        else:
            numbers.append(number)
            rows.append({**record, **row})
    for why, count in left.items():
        reading.note(f"{path.name}: {count:,} row(s) omitted that the annotator {why}")
    present = list(dict.fromkeys(name for row in rows for name in row))
    bad = {**records.bad, f"is not as {tool} exports rows": broken} if broken else records.bad
    return dataclasses.replace(records, present=present, numbers=numbers, rows=rows, bad=bad)


def _tool(rows: Sequence[Record]) -> tuple[str, Any]:
    """Returns the name of the tool that wrote the rows, and a function that converts a row."""
    if not rows:
        return "", None
    first = rows[0]
    if isinstance(first.get("data"), Mapping) and {"annotations", "completions"} & set(first):
        return "Label Studio", _label_studio
    if "text" in first and "annotation_id" in first:
        return "Label Studio", _label_studio_min
    answers = [row["answer"] for row in rows if row.get("answer") is not None]
    marked = bool(answers) and all(each in ("accept", "reject", "ignore") for each in answers)
    if "text" in first and ("_task_hash" in first or marked):
        return "Prodigy", _prodigy
    given = [row.get("labels", row.get("label")) for row in rows]
    lists = "text" in first and all(isinstance(each, list) for each in given)
    if (lists and any(given)) or any(_doccano_spans(row) for row in rows):
        return "doccano", _doccano
    return "", None


def _label_studio(record: Record) -> Record | str:
    data = record["data"]
    answers = [
        each
        for each in record.get("annotations") or record.get("completions") or []
        if isinstance(each, Mapping) and not each.get("was_cancelled")
    ]
    if not answers:
        return "skipped or did not reach"
    row: Record = {}
    strings = [name for name, value in data.items() if isinstance(value, str)]
    results = [each for each in answers[0].get("result") or [] if isinstance(each, Mapping)]
    source = next((each["to_name"] for each in results if each.get("to_name") in data), None)
    name = source or ("text" if "text" in data else strings[0] if len(strings) == 1 else None)
    if name is not None:
        row["text"] = data[name]
    choices: list[Any] = []
    spans: list[tuple[Any, Any, Any]] = []
    for result in results:
        value = result.get("value") or {}
        choices += value.get("choices") or []
        for label in value.get("labels") or value.get("hypertextlabels") or []:
            spans.append((*_characters(row.get("text"), value), label))
    if choices:
        row["label"] = choices if len(choices) > 1 else choices[0]
    return {**row, "spans": _sorted(spans)}


def _label_studio_min(record: Record) -> Record | str:
    spans: list = []
    row: Record = {}
    for name, value in record.items():
        if isinstance(value, list) and value and all(
            isinstance(each, Mapping) and "labels" in each for each in value
        ):  # fmt: skip
            text = record.get("text")
            spans += [(*_characters(text, each), each["labels"][0]) for each in value]
        elif isinstance(value, Mapping) and isinstance(value.get("choices"), list):
            row[name] = value["choices"]
    return {**row, "spans": _sorted(spans)}


def _characters(text: Any, value: Mapping[str, Any]) -> tuple[Any, Any]:
    """Returns start and end in characters; browsers count characters above U+FFFF as two."""
    start, end, said = value.get("start"), value.get("end"), value.get("text")
    if isinstance(text, str) and isinstance(start, int) and isinstance(end, int):
        wide = text.encode("utf-16-le", "surrogatepass")
        units = [wide[: 2 * place].decode("utf-16-le", "replace") for place in (start, end)]
        if said == text[len(units[0]) : len(units[1])] != text[start:end]:
            return len(units[0]), len(units[1])
    return start, end


def _prodigy(record: Record) -> Record | str:
    answer = record.get("answer", "accept")
    if answer == "ignore":
        return "ignored"
    if answer == "reject":
        return "rejected"
    row: Record = {}
    if isinstance(record.get("accept"), list):  # a choice of several options
        row["label"] = record["accept"] if len(record["accept"]) != 1 else record["accept"][0]
    spans = [
        (each.get("start"), each.get("end"), each.get("label"))
        for each in record.get("spans") or []
        if isinstance(each, Mapping)
    ]
    return {**row, "spans": _sorted(spans)}


def _doccano(record: Record) -> Record | str:
    row: Record = {"spans": _doccano_spans(record)}
    labels = record.get("labels", record.get("label"))
    if isinstance(labels, list) and all(isinstance(each, str | int) for each in labels):
        row["label"] = labels if len(labels) != 1 else labels[0]
    return row


def _doccano_spans(record: Record) -> list[Span]:
    entities = record.get("entities")
    if isinstance(entities, list) and all(
        isinstance(each, Mapping) and "start_offset" in each for each in entities
    ):
        return _sorted([(e["start_offset"], e.get("end_offset"), e.get("label")) for e in entities])
    for name in ("label", "labels", "entities"):
        value = record.get(name)
        if isinstance(value, list) and value and all(
            isinstance(each, list) and len(each) == 3 and isinstance(each[0], int) for each in value
        ):  # fmt: skip
            return _sorted([(first, end, label) for first, end, label in value])
    return []


def _sorted(spans: Sequence[tuple[Any, Any, Any]]) -> list[Span]:
    whole = [each for each in spans if isinstance(each[0], int) and isinstance(each[1], int)]
    return sorted(whole, key=lambda span: (span[0], span[1]))
