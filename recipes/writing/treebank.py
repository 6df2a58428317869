"""The Penn Treebank, preprocessed by T. Mikolov for word-level language models.

M. Marcus, B. Santorini, M. Marcinkiewicz: Building a Large Annotated Corpus of English, 1993:
news of the Wall Street Journal. T. Mikolov et al., Interspeech 2010: 10,000 words in lower case,
without punctuation marks. `N` is a number, `<unk>` is any other word; each line is a sentence.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from recipes.writing.books import ENGLISH_BIBLE, passages, read_text
from zoo.data import Dataset, Examples, File, Urls
from zoo.errors import ZooError

if TYPE_CHECKING:
    from zoo.data import Splits

SPLITS = {"train": "ptb.train.txt", "validation": "ptb.valid.txt", "test": "ptb.test.txt"}


def read_treebank(paths: Sequence[Path]) -> tuple[dict[str, Examples], list[str]]:
    """Reads the three files of the archive as passages of whole sentences."""
    import zipfile

    with zipfile.ZipFile(paths[0]) as archive:
        texts = {split: archive.read(name).decode("utf-8") for split, name in SPLITS.items()}
    return {split: {"text": passages(text)} for split, text in texts.items()}, []


def in_order(
    train: Examples, fractions: Mapping[str, float]
) -> tuple[dict[str, Examples], list[str]]:
    """Splits running text into consecutive parts: train, validation, test."""
    from zoo.data.splits import count, take

    total = count(train)
    sizes = {name: max(1, round(fraction * total)) for name, fraction in fractions.items()}
    end = total - sum(sizes.values())
    if end < 1:
        raise ZooError(f"{total} passages of text are too few to be split. Give more text.")
    parts, notes = {"train": take(train, range(end))}, []
    for name, size in sizes.items():
        parts[name] = take(train, range(end, end + size))
        notes.append(f"{size:,} {name} rows: the passages behind the others")
        end += size
    return parts, notes


def sample() -> Examples:
    people = ["the miller", "mr. berg", "a teacher", "the <unk> of the town"]
    things = ["the bridge", "his old boat", "N of the sheep"]
    lines = [
        "{0} said the river has n't been high",
        "the water fell on monday and {0} found {1}",
        "it was N miles from the mill 's wall",
    ]
    rows = ["".join(f" {line.format(a, b)} \n" for line in lines) for a in people for b in things]
    return {"text": rows}


def facts(splits: Splits) -> list[str]:
    from recipes.writing.facts import of_treebank

    return of_treebank(splits)


TREEBANK = Dataset(
    name="penn-treebank",
    title="Penn Treebank, words (Mikolov et al. 2010)",
    homepage="https://catalog.ldc.upenn.edu/LDC99T42",
    licence="of the Linguistic Data Consortium; the text may not be passed on",
    columns={"text": "a passage of running text, a sentence a line"},
    sources=(
        Urls(
            files=(
                File(
                    "https://raw.githubusercontent.com/timbmg/RNNLM/"
                    "e26dff5d8f4b5d07ee459f192ee2131923d7584f/data/ptb.zip",
                    "6957baa63e145820032f12d3f1e6f4ba71789c3f5dbf289902bc3f0a96beef7a",
                    1_983_463,
                ),
            ),
            title="Penn Treebank (Mikolov's split)",
            read=read_treebank,
            key="ptb",
        ),
        ENGLISH_BIBLE,
    ),
    sample=sample,
    label="",
    deduplicate_by="",
    splitter=in_order,
    facts=facts,
    reader=read_text,
    suffixes=(".txt",),
)
