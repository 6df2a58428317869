"""Running text for character models.

Tiny Shakespeare: 40,000 lines of the plays, as A. Karpathy cut them for char-rnn (2015); TFDS
keeps his split, the last tenth in halves for validation and test. The Bible in Basic English (S.
H. Hooke, 1949) is available through pip alone.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from recipes.corpora.bible import bible, read_bible
from zoo.data import Dataset, Examples, Tfds
from zoo.errors import UsageError

if TYPE_CHECKING:
    from collections import Counter

    from zoo.data import Splits
    from zoo.data.reading import Reading

PASSAGE = 1_000  # characters: a text is cut after the line that reaches it
URL = "https://raw.githubusercontent.com/karpathy/char-rnn/master/data/tinyshakespeare/input.txt"


def passages(text: str) -> list[str]:
    """Cuts a text into passages of whole lines; lines that are too long are cut, too."""
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
    """Reads a custom text file, packed or not; its lines end with LF, whatever ends the file's."""
    from zoo.data import contents

    if columns:
        raise UsageError("A text file has no columns to be named.")
    text = contents.unix_lines(contents.read_text(path, reading))
    return {"text": [row for row in passages(text) if row.strip()]}


def cut(examples: Examples) -> Examples:
    return {"text": [row for text in examples["text"] for row in passages(text)]}


def read_english_bible(members: Mapping[str, bytes]) -> tuple[dict[str, Examples], list[str]]:
    parts, notes = read_bible(members, "en", "en")
    return {"train": {"text": passages("\n".join(parts["train"]["text"]))}}, notes


def seed(given: Mapping[str, str]) -> dict[str, str]:
    """Returns the input of generation: a prompt, behind the text of a file where one is named."""
    rest = dict(given)
    prompt = rest.pop("prompt", "")
    if "prime" in rest:
        prompt = "".join(read_text(Path(rest.pop("prime")))["text"]) + prompt
    return {"text": prompt, **rest}


def unread(unknown: Counter[str], what: str) -> str:
    """Says which words or characters of a prompt a model does not know; nothing if it knows all."""
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
