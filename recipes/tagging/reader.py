"""Files in the style of the CoNLL shared tasks: one token a line, its tag in the last column.

    Peter      NNP  B-PER
    Blackburn  NNP  I-PER
                            (an empty line between sentences)
    BRUSSELS   NNP  B-LOC

Columns are separated by tabs or spaces; the token is the first. Tags of any set of classes in
the schemes IOB1 (CoNLL-2003 as published: `B-X` only where an entity touches one of its own
class), BIO (also called IOB2) and BIOES (also BILOU) are recognised and become BIO. Lines that
begin with `-DOCSTART-` and comments (`# …`, unless they have the columns of a token) are omitted.

Light: importing this module imports neither TensorFlow nor NumPy.
"""

from __future__ import annotations

import dataclasses
import os
import re
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from recipes.tagging.tags import to_bio
from zoo.data import tables
from zoo.errors import UsageError, ZooError, shortened

if TYPE_CHECKING:
    from zoo.data.sources import Examples

TAG = re.compile(r"O|[BIESLU]-\S+")


@dataclasses.dataclass
class Sentence:
    """Tokens with their tags, and the number of the line of each."""

    lines: list[int]
    tokens: list[str]
    tags: list[str]


def read(path: Path, columns: Mapping[str, str] | None = None) -> Examples:
    """Reads a file, plain or gzipped; the `reader` of a `Dataset` of tagged sentences.

    Returns:
      `text` (the tokens, joined by spaces), `tokens` and `tags` (BIO), a sentence a row.

    Raises:
      UsageError: no such file, or names of columns, which such a file does not have.
      ZooError: the file is empty, not UTF-8, or has invalid lines; the message names their
        numbers.
    """
    if columns:
        raise UsageError("Column names can be set for tables only; a CoNLL file has none.")
    if not os.path.isfile(path):
        raise UsageError(f"There is no file {shortened(str(path))}.")
    return parse(tables.content(path), str(path))


def parse(text: str, name: str) -> Examples:
    """Parses the content of a file; see `read`.

    Args:
      text: the content.
      name: of the file, for messages.
    """
    sentences = _sentences(text, name)
    scheme = find_scheme(sentences, name)
    for sentence in sentences:
        sentence.tags = scheme(sentence.tags)
    return {
        "text": [" ".join(sentence.tokens) for sentence in sentences],
        "tokens": [sentence.tokens for sentence in sentences],
        "tags": [sentence.tags for sentence in sentences],
    }


def _sentences(text: str, name: str) -> list[Sentence]:
    sentences = [Sentence([], [], [])]
    lines = [_fields(line) for line in text.split("\n")]
    widths = Counter(len(fields) for fields in lines if _tagged(fields))
    width = widths.most_common(1)[0][0] if widths else 2  # columns
    ragged, untagged = [], []
    for number, fields in enumerate(lines, 1):
        if not fields or fields[0] == "-DOCSTART-":
            if sentences[-1].tokens:
                sentences.append(Sentence([], [], []))
            continue
        if fields[0].startswith("#") and not (_tagged(fields) and len(fields) == width):
            continue
        if len(fields) != width:
            ragged.append(number)
        elif not _tagged(fields):
            untagged.append(number)
        sentences[-1].lines.append(number)
        sentences[-1].tokens.append(fields[0])
        sentences[-1].tags.append(fields[-1])
    if ragged:
        wanted = f"{width} columns, as most lines have" if widths else "a token and a tag"
        raise ZooError(f"{name}: {tables.numbers(ragged)} should have {wanted}.")
    if untagged:
        raise ZooError(
            f"{name}: the last column of {tables.numbers(untagged)} is no tag; tags are O, "
            "B-X and I-X (BIO or IOB1), or B-X, I-X, E-X and S-X (BIOES)."
        )
    if not sentences[-1].tokens:
        sentences.pop()
    if not sentences:
        raise ZooError(f"{name} has no line with a token and a tag.")
    return sentences


def _tagged(fields: list[str]) -> bool:
    return len(fields) > 1 and bool(TAG.fullmatch(fields[-1]))


def _fields(line: str) -> list[str]:
    line = line.strip(" \t\r")
    parts = re.split(r"\t+", line) if "\t" in line else re.split(r" +", line)
    return [part.strip(" ") for part in parts] if line else []


def find_scheme(sentences: list[Sentence], name: str) -> Callable[[list[str]], list[str]]:
    """Recognises the scheme of all tags of a file; returns a function that converts it to BIO."""
    prefixes = {tag[0] for sentence in sentences for tag in sentence.tags}
    bioes = bool(prefixes & set("ESLU"))
    orphans = []  # lines of an I-X (E-X) without an entity of that class before it
    open_ended = []  # BIOES: lines of an entity that should continue, but does not
    iob1 = True  # whether each B-X touches an entity of its class
    for sentence in sentences:
        before = "O"
        following = [*sentence.tags[1:], "O"]
        for line, tag, after in zip(sentence.lines, sentence.tags, following, strict=True):
            ended = bioes and before[0] in "ESLU"
            touches = tag[1:] == before[1:]
            if bioes and tag[0] in "BI" and (after[0] not in "IEL" or after[1:] != tag[1:]):
                open_ended.append(line)
            if tag[0] in "IEL" and (not touches or ended):
                orphans.append(line)
            elif tag[0] == "B" and not touches:
                iob1 = False
            before = tag
    if open_ended and not orphans:
        raise ZooError(
            f"{name}: its tags are BIOES, but the entity on {tables.numbers(open_ended)} does not "
            "end; let each entity end with E- or S-."
        )
    if not orphans:
        return to_bio if bioes else list
    if bioes or not iob1:
        kind, first = ("BIOES", "B- or S-") if bioes else ("BIO", "B-")
        raise ZooError(
            f"{name}: its tags are {kind}, but on {tables.numbers(orphans)} a tag continues "
            f"an entity that has not begun; let each entity begin with {first}."
        )
    return _from_iob1


def _from_iob1(tags: list[str]) -> list[str]:
    before = ["O", *tags]
    return [
        "B" + tag[1:] if tag[0] == "I" and tag[1:] != previous[1:] else tag
        for previous, tag in zip(before, tags, strict=False)
    ]
