"""Running text for character models.

Tiny Shakespeare: 40,000 lines of the plays, selected by A. Karpathy for char-rnn (2015). TFDS
keeps his split: the last tenth is divided equally into validation and test. The Bible in Basic
English (S. H. Hooke, 1949) needs pip only.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from recipes.corpora.bible import bible, read_bible
from zoo.data import Dataset, Examples, Tfds

if TYPE_CHECKING:
    from collections import Counter

    from zoo.data import Splits
    from zoo.data.reading import Reading

PASSAGE = 1_000  # characters: a passage ends after the line that reaches this length
URL = "https://raw.githubusercontent.com/karpathy/char-rnn/master/data/tinyshakespeare/input.txt"


def passages(text: str) -> list[str]:
    """Splits a text into passages of whole lines; lines that are too long are split, too."""
    result, lines, size = [], [], 0
    for line in text.splitlines(keepends=True):
        for start in range(0, len(line), PASSAGE):
            part = line[start : start + PASSAGE]
            lines.append(part)
            size += len(part)
            if size >= PASSAGE:
                result.append("".join(lines))
                lines, size = [], 0
    return [*result, "".join(lines)] if lines else result


def read_text(
    path: Path, columns: Mapping[str, str] | None = None, *, reading: Reading | None = None
) -> Examples:
    """Reads a custom text file, compressed or not, and converts its line endings to LF.

    Raises:
      UsageError: no such file, columns or their options are given, or an encoding that cannot be
        detected.
      ZooError: it cannot be read, or is empty.
    """
    from zoo.data import contents
    from zoo.data.reading import Reading, refuse_table_options

    reading = reading or Reading()
    refuse_table_options(path, columns, reading.options)
    text = contents.unix_lines(contents.read_text(path, reading))
    return {"text": [row for row in passages(text) if row.strip()]}


def cut(examples: Examples) -> Examples:
    return {"text": [row for text in examples["text"] for row in passages(text)]}


def read_english_bible(members: Mapping[str, bytes]) -> tuple[dict[str, Examples], list[str]]:
    parts, notes = read_bible(members, "en", "en")
    return {"train": {"text": passages("\n".join(parts["train"]["text"]))}}, notes


def seed(given: Mapping[str, str]) -> dict[str, str]:
    """Returns the input of generation: the text of the `prime` file, if any, then the prompt."""
    rest = dict(given)
    prompt = rest.pop("prompt", "")
    if "prime" in rest:
        prompt = "".join(read_text(Path(rest.pop("prime")))["text"]) + prompt
    return {"text": prompt, **rest}


def unread(unknown: Counter[str], what: str) -> str:
    """Returns a message on the unknown words or characters of a prompt, `""` if there are none."""
    shown = " ".join(sorted(unknown)[:20])
    return f"{unknown.total():,} {what} that the model does not know: {shown}" * bool(unknown)


def sample() -> Examples:
    speakers = ["ANNA", "THE MILLER", "JON"]
    lines = [
        "The wind is cold, and all the doors are shut;",
        "Bring in the lamp, and let the table be set.",
        "I heard a bell, or was it but the sea?",
        "No bell has rung here since the winter came.",
    ]
    return {"text": [f"{name}:\n{line}\n" for name in speakers for line in lines]}


def facts(splits: Splits) -> list[str]:
    from recipes.writing.facts import of_books

    return of_books(splits)


ENGLISH_BIBLE = dataclasses.replace(
    bible("en", "en"), title="the Bible in Basic English", read=read_english_bible
)
BOOKS = Dataset(
    name="tiny-shakespeare",
    title="Running text: Tiny Shakespeare",
    homepage="https://github.com/karpathy/char-rnn",
    licence="public domain",
    columns={"text": "a passage of running text"},
    sources=(
        Tfds(
            "tiny_shakespeare",
            title="Tiny Shakespeare",
            url=URL,
            sha256="86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed",
            size=1_115_394,
            columns={"text": "text"},
            splits={name: name for name in ("train", "validation", "test")},
            rows=cut,
        ),
        ENGLISH_BIBLE,
    ),
    sample=sample,
    label="",
    deduplicate_by="",
    facts=facts,
    reader=read_text,
    suffixes=(".txt",),
)
