"""Reads files in CoNLL format: one token per line, with its tag in the last column.

    Peter      NNP  B-PER
    Blackburn  NNP  I-PER
                            (an empty line between sentences)
    BRUSSELS   NNP  B-LOC

Columns are separated by tabs or spaces. The token is in the first column, or in the second if the
first numbers the words of each sentence. The tags may have any classes, in the scheme IOB1
(CoNLL-2003 as published: `B-X` only directly after another entity of the same class), BIO (also
called IOB2) or BIOES (also BILOU); the scheme is detected, and the tags are converted to BIO. Lines
that begin with `-DOCSTART-` and comments (`# …`, unless they have the columns of a token) are
omitted.

Light: importing this module imports neither TensorFlow nor NumPy.
"""

from __future__ import annotations

import dataclasses
import os
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from recipes.tagging.tags import to_bio
from zoo.data import contents
from zoo.data.reading import Reading, numbers
from zoo.errors import UsageError, ZooError, quoted, shortened

if TYPE_CHECKING:
    from zoo.data.sources import Examples

TAG = re.compile(r"O|[BIESLU]-\S+")


@dataclasses.dataclass
class Sentence:
    """A sentence of a file.

    Attributes:
      lines: line number of each token, or number of the row.
      tokens, tags: one per line number; tags in the scheme of the file.
      text: the original text; `""`: the tokens, joined by spaces.
    """

    lines: list[int]
    tokens: list[str]
    tags: list[str]
    text: str = ""


def read(
    path: Path, columns: Mapping[str, str] | None = None, reading: Reading | None = None
) -> Examples:
    """Reads a plain or compressed file; the `reader` of a `Dataset` of tagged sentences.

    Args:
      path: the file.
      columns: column numbers, from 1, of `tokens` and `tags`, if these are not the first and the
        last.
      reading: the options; notes are added to it.

    Returns:
      `text` (the tokens, joined by spaces), `tokens` and `tags` (BIO), one row per sentence.

    Raises:
      UsageError: the file does not exist, or a column number is invalid.
      ZooError: the file is empty, not text, or has invalid lines; the message gives their
        numbers.
    """
    if not os.path.isfile(path):
        raise UsageError(f"There is no file {shortened(str(path))}.")
    reading = reading or Reading()
    text = contents.read_text(path, reading)
    return parse(text, str(path), columns, reading)


def parse(
    text: str,
    name: str,
    columns: Mapping[str, str] | None = None,
    reading: Reading | None = None,
) -> Examples:
    """Parses the content of a file; see `read`.

    Args:
      text: the content.
      name: name of the file, for messages.
      columns, reading: as for `read`.
    """
    reading = reading or Reading()
    sentences = _sentences(text, name, columns or {}, reading)
    return to_examples(sentences, name, reading)


def to_examples(
    sentences: Sequence[Sentence], name: str, reading: Reading, unit: str = "line"
) -> Examples:
    """Converts the tags of sentences to BIO.

    Args:
      sentences: sentences of one file, with tags of one scheme.
      name: name of the file, for messages.
      reading: says whether to drop sentences with inconsistent tags; notes are added to it.
      unit: unit of the sentences' line numbers.

    Raises:
      ZooError: tags are inconsistent, or there is no sentence.
    """
    scheme, wrong, complaint = find_scheme(sentences, unit)
    if wrong:
        if not reading.options.drop_bad:
            raise ZooError(f"{name}: {complaint} Or drop such sentences with --drop-bad.")
        sentences = [each for each in sentences if not wrong & {*each.lines}]
        reading.note(f"{Path(name).name}: {complaint.rstrip('.')}; such sentences omitted")
        scheme, wrong, complaint = find_scheme(sentences, unit)
    if not sentences:
        raise ZooError(f"{name} has no line with a token and a tag.")
    return {
        "text": [each.text or " ".join(each.tokens) for each in sentences],
        "tokens": [each.tokens for each in sentences],
        "tags": [scheme(each.tags) for each in sentences],
    }


def _sentences(
    text: str, name: str, columns: Mapping[str, str], reading: Reading
) -> list[Sentence]:
    lines = [_fields(line) for line in contents.split_lines(text)]
    token, tag = _column(columns, "tokens", name), _column(columns, "tags", name)
    last = -1 if tag is None else tag
    widths = Counter(len(fields) for fields in lines if _tagged(fields, last))
    width = widths.most_common(1)[0][0] if widths else 2  # columns
    counted = token is None and width > 2 and _is_counted(lines, width)
    if counted:
        reading.found(name, "tokens in the second column, which the first counts")
        if tag is None and width > 3 and all(
            _tagged(fields, width - 2) for fields in lines if len(fields) == width
        ):  # fmt: skip
            reading.note(
                f"{Path(name).name}: its columns {width - 1} and {width} hold tags; those of "
                f"column {width} are taken (--column tags={width - 1} takes the others)"
            )
    at = token if token is not None else int(counted)
    sentences = [Sentence([], [], [])]
    ragged, untagged = [], []
    for number, fields in enumerate(lines, 1):
        if not fields or fields[0] == "-DOCSTART-":
            if sentences[-1].tokens:
                sentences.append(Sentence([], [], []))
            continue
        if fields[0].startswith("#") and not (_tagged(fields, last) and len(fields) == width):
            continue
        if counted and re.fullmatch(r"\d+[-.]\d+", fields[0]):  # CoNLL-U: not a separate word
            continue
        if len(fields) != width or at >= width:
            ragged.append(number)
        elif not _tagged(fields, last):
            untagged.append(number)
        sentences[-1].lines.append(number)
        sentences[-1].tokens.append(fields[min(at, len(fields) - 1)])
        sentences[-1].tags.append(fields[last] if len(fields) == width else "O")
    wanted = f"{width} columns, as most lines have" if widths else "a token and a tag"
    complaints = [
        (ragged, f"{numbers(ragged)} should have {wanted}."),
        (
            untagged,
            f"the {'last column' if tag is None else f'column {tag + 1}'} of {numbers(untagged)} "
            "is not a tag; tags are O, B-X and I-X (BIO or IOB1), or B-X, I-X, E-X and S-X "
            "(BIOES).",
        ),
    ]
    for wrong, complaint in complaints:
        if wrong and not (reading.options.drop_bad and widths):
            raise ZooError(f"{name}: {complaint} Or drop such sentences with --drop-bad.")
        if wrong:
            reading.note(f"{Path(name).name}: {complaint.rstrip('.')}; such sentences omitted")
    bad = {*ragged, *untagged}
    return [each for each in sentences if each.tokens and not bad & {*each.lines}]


def _column(columns: Mapping[str, str], name: str, where: str) -> int | None:
    """Returns the index of a column given by its number; None if it is not given."""
    given = columns.get(name, "")
    if not given:
        return None
    if not given.isdigit() or given == "0":
        raise UsageError(
            f"{where} has no names of columns: say which column has the {name} by its number, such "
            f"as --column {name}=2; got {quoted(given)}."
        )
    return int(given) - 1


def _is_counted(lines: Sequence[list[str]], width: int) -> bool:
    """Returns whether the first column counts 1, 2, 3 … in every sentence."""
    expected, counted = 1, 0
    for fields in lines:
        if not fields:
            expected = 1
        elif len(fields) == width and not re.fullmatch(r"\d+[-.]\d+", fields[0]):
            if fields[0] == "-DOCSTART-" or fields[0].startswith("#"):
                continue
            if fields[0] != str(expected):
                return False
            expected += 1
            counted += 1
    return counted > 1


def _tagged(fields: list[str], column: int = -1) -> bool:
    return len(fields) > max(1, column) and bool(TAG.fullmatch(fields[column]))


def _fields(line: str) -> list[str]:
    line = line.strip(" \t\r")
    parts = re.split(r"\t+", line) if "\t" in line else re.split(r" +", line)
    return [part.strip(" ") for part in parts] if line else []


def find_scheme(
    sentences: Sequence[Sentence], unit: str
) -> tuple[Callable[[list[str]], list[str]], set[int], str]:
    """Detects the tagging scheme of a file.

    Returns:
      A function that converts tags to BIO; the lines whose tags contradict the scheme; and a
      message about them.
    """
    prefixes = {tag[0] for sentence in sentences for tag in sentence.tags}
    bioes = bool(prefixes & set("ESLU"))
    orphans = []  # lines of an I-X (E-X) without an entity of that class before it
    open_ended = []  # BIOES: lines of an entity that should continue but does not
    iob1 = True  # whether each B-X directly follows an entity of its class
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
    convert = to_bio if bioes else list
    if open_ended and not orphans:
        return (
            convert,
            {*open_ended},
            f"its tags are BIOES, but the entity on {numbers(open_ended, unit)} does not end; let "
            "each entity end with E- or S-.",
        )
    if not orphans:
        return convert, set(), ""
    if bioes or not iob1:
        kind, first = ("BIOES", "B- or S-") if bioes else ("BIO", "B-")
        return (
            convert,
            {*orphans, *open_ended},
            f"its tags are {kind}, but on {numbers(orphans, unit)} a tag continues an entity that "
            f"has not begun; let each entity begin with {first}.",
        )
    return _from_iob1, set(), ""


def _from_iob1(tags: list[str]) -> list[str]:
    before = ["O", *tags]
    return [
        "B" + tag[1:] if tag[0] == "I" and tag[1:] != previous[1:] else tag
        for previous, tag in zip(before, tags, strict=False)
    ]
