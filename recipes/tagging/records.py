"""Reads rows with tags or spans, as in Hugging Face datasets and from annotation tools.

    {"tokens": ["Peter", "Blackburn"], "tags": ["B-PER", "I-PER"]}
    {"text": "Peter Blackburn", "spans": [{"start": 0, "end": 15, "label": "PER"}]}

Light: importing this module imports neither TensorFlow nor NumPy.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeGuard

from recipes.tagging.reader import TAG, Sentence, to_examples
from zoo.data import annotated, formats, tables
from zoo.data.reading import Reading, some
from zoo.errors import ZooError, quoted

if TYPE_CHECKING:
    from zoo.data.annotated import Span
    from zoo.data.sources import Examples

SUFFIXES = (".csv", ".json", ".jsonl", ".ndjson", ".parquet", ".arrow", ".feather", ".xlsx")
USUAL = {"tokens": ("tokens", "words"), "tags": ("tags", "ner_tags", "ner", "labels")}
CHUNK = 5_000  # texts tokenised at once


def read(path: Path, columns: Mapping[str, str] | None, reading: Reading) -> Examples:
    """Reads a file of rows with `tokens` and `tags`, or with `text` and spans.

    Args:
      path: the file.
      columns: column names of `tokens`, `tags` or `text`.
      reading: the options; notes are added to it.

    Returns:
      The columns `text`, `tokens` and `tags` (BIO).

    Raises:
      UsageError: as for `zoo.data.formats.read_records`.
      ZooError: the file is damaged, or has invalid rows; the message gives their numbers.
    """
    names = dict(columns or {})
    records = annotated.plain_records(formats.read_records(path, reading), path, reading)
    tokens, tags = (_find(records.present, names.get(each), each) for each in ("tokens", "tags"))
    bad = {what: list(lines) for what, lines in records.bad.items()}
    sentences: list[Sentence] = []
    if tags and (tokens or names.get("tags")):
        if tags != names.get("tags", "tags"):
            reading.found(path, f"tags of the column {quoted(tags, 40)}")
        tokens = tokens or _find(records.present, names.get("text"), "text")
        for number, row in zip(records.numbers, records.rows, strict=True):
            sentence = _tagged(number, row.get(tokens or ""), row.get(tags))
            if isinstance(sentence, str):
                bad.setdefault(sentence, []).append(number)
            elif sentence.tokens:
                sentences.append(sentence)
    else:
        text = names.get("text", "text")
        if text not in records.present or "spans" not in records.present:
            raise ZooError(
                f"{path} has neither columns of tokens and tags nor a text with spans. There is: "
                f"{some(records.present)}. Name them with --column tokens=NAME and --column "
                "tags=NAME."
            )
        found = [
            (number, row.get(text), _spans(row.get("spans")))
            for number, row in zip(records.numbers, records.rows, strict=True)
        ]
        sentences = _of_spans(found, path, reading, bad)
    for what, lines in bad.items():
        reading.omit(path, what, lines, records.unit)
    if not sentences:
        raise ZooError(f"{path} has no row with tokens and tags.")
    return to_examples(sentences, str(path), reading, records.unit)


def _find(present: Sequence[str], given: str | None, ours: str) -> str:
    """Returns the name of a column, or `""` if there is none."""
    usual = [given] if given else USUAL.get(ours, (ours,))
    return next((name for name in usual if name in present), "")


def _tagged(number: int, tokens: object, tags: object) -> Sentence | str:
    """Returns the sentence of a row, or a complaint about the row."""
    words = tokens.split(" ") if isinstance(tokens, str) else tokens
    marks = tags.split(" ") if isinstance(tags, str) else tags
    if not _strings(words):
        return "has tokens that are not a list of texts"
    if not _strings(marks) or not all(TAG.fullmatch(mark) for mark in marks):
        return "has tags that are not a list of O, B-X, I-X"
    if len(words) != len(marks):
        return "has a different number of tags than tokens"
    if not all(word.strip() for word in words):
        return "has an empty token"
    return Sentence([number] * len(words), list(words), list(marks))


def _strings(values: object) -> TypeGuard[list[str]]:
    return isinstance(values, list) and all(isinstance(value, str) for value in values)


def _spans(values: Any) -> list[Span] | None:
    """Returns sorted spans as `(start, end, label)`, or None if they are invalid.

    The label is `""` if a span has none.
    """
    values, spans = values or [], []
    if not isinstance(values, (list, tuple)):
        return None
    for value in values:
        if isinstance(value, Mapping):
            value = (value.get("start"), value.get("end"), value.get("label"))
        if not isinstance(value, (list, tuple)) or len(value) != 3:
            return None
        if not all(isinstance(each, int) for each in value[:2]):
            return None
        spans.append((value[0], value[1], tables.to_label(value[2]) or ""))
    return sorted(spans)


def _of_spans(
    rows: Sequence[tuple[int, object, list[Span] | None]],
    path: Path,
    reading: Reading,
    bad: dict[str, list[int]],
) -> list[Sentence]:
    """Converts texts with spans to tokens with BIO tags; adds invalid rows to `bad`."""
    good = []
    for number, text, spans in rows:
        what = _wrong(text, spans)
        if what:
            bad.setdefault(what, []).append(number)
        elif spans is not None and isinstance(text, str):
            good.append((number, text, spans))
    sentences, widened = [], 0
    for begin in range(0, len(good), CHUNK):
        chunk = good[begin : begin + CHUNK]
        tokenised = _tokenise([text for _, text, _ in chunk])
        for (number, text, spans), (tokens, starts, ends) in zip(chunk, tokenised, strict=True):
            tags = ["O"] * len(tokens)
            for start, end, label in spans:
                inside = [
                    index
                    for index, (first, last) in enumerate(zip(starts, ends, strict=True))
                    if first < end and last > start
                ]
                if not inside:
                    continue
                widened += starts[inside[0]] < start or ends[inside[-1]] > end
                for index in inside:
                    tags[index] = f"{'B' if index == inside[0] else 'I'}-{label}"
            if tokens:
                sentences.append(Sentence([number] * len(tokens), tokens, tags, text))
    if widened:
        reading.note(
            f"{path.name}: {widened:,} span(s) begin or end inside a word, which is taken whole"
        )
    return sentences


def _wrong(text: object, spans: list[Span] | None) -> str:
    """Returns a complaint about a text and its sorted spans, or `""` if they are valid."""
    if not isinstance(text, str) or not text.strip():
        return "has no text"
    if spans is None or not all(0 <= start < end <= len(text) for start, end, _ in spans):
        return "has a span that is not in the text"
    if not all(label for *_, label in spans):
        return "has a span without a label"
    if any(before[1] > after[0] for before, after in itertools.pairwise(spans)):
        return "has spans that overlap"
    return ""


def _tokenise(texts: Sequence[str]) -> list[tuple[list[str], list[int], list[int]]]:
    """Tokenises texts as the network does; returns the tokens, their starts and their ends."""
    import tensorflow as tf

    from recipes.tagging.tokens import tokenise
    from zoo.utf8 import utf8

    found = tokenise(tf.constant([utf8(text) for text in texts]))
    tokens, starts, ends = (each.to_list() for each in found)
    words = [[word.decode("utf-8") for word in row] for row in tokens]
    return list(zip(words, starts, ends, strict=True))
