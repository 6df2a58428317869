"""Pairs of sentences in people's files: tables, aligned files, TMX, lines without a header."""

import gzip
import json

import pytest

from recipes.translating.pairs import pairs
from zoo.data.reading import Reading, ReadOptions
from zoo.errors import UsageError, ZooError

PAIRS = pairs("en", "fr")
FOUND = {"text": ["A dog.", "Two cats"], "translation": ["Un chien.", "Deux chats"]}
ROWS = list(zip(*FOUND.values(), strict=True))
TMX = """<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE tmx SYSTEM "tmx14.dtd">
<tmx version="1.4"><header/><body>
<tu><tuv xml:lang="en-GB">
<seg>A <bpt i="1">&lt;b&gt;</bpt>dog<ept i="1">&lt;/b&gt;</ept>.</seg></tuv>
<tuv xml:lang="de"><seg>Ein Hund.</seg></tuv>
<tuv xml:lang="FR"><seg>Un <hi>chien</hi>.</seg></tuv></tu>
<tu><tuv lang="fr"><seg>Deux chats</seg></tuv><tuv lang="en"><seg>Two cats</seg></tuv></tu>
</body></tmx>
"""


@pytest.fixture
def read(tmp_path):
    """Writes a file and reads it; returns the pairs, and what is said."""

    def read(name, content, columns=None, **options):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        reading = Reading(ReadOptions(**options))
        return PAIRS.reader(path, columns, reading=reading), reading.notes

    return read


def lines(*rows, sign="\t"):
    return "".join(sign.join(row) + "\n" for row in rows)


@pytest.mark.parametrize("name", ["x.csv", "x.tsv", "x.txt"])
@pytest.mark.parametrize("content", ['""\n', "sep=;\n\n"])
def test_a_table_without_a_row_is_empty(read, name, content):
    with pytest.raises(ZooError, match=rf"{name} is empty\."):
        read(name, content)


@pytest.mark.parametrize(
    ("header", "said"),
    [
        (("text", "translation"), ""),
        (("en", "fr"), "text from 'en', translation from 'fr'"),
        (("eng", "fra"), "text from 'eng', translation from 'fra'"),
        (("source", "target"), "text from 'source', translation from 'target'"),
        (
            ("English words/sentences", "French words/sentences"),
            "text from 'English words/sentences', translation from 'French words/sentences'",
        ),
    ],
)
@pytest.mark.parametrize(("name", "sign"), [("x.csv", ","), ("x.tsv", "\t")])
def test_tables(read, header, said, name, sign):
    rows, notes = read(name, lines(header, *ROWS, sign=sign))
    assert rows == FOUND
    assert notes == ([f"{name}: {said}"] if said else [])
    # By the languages, wherever they stand.
    turned = lines(header[::-1], *(row[::-1] for row in ROWS), sign=sign)
    assert read(name, turned)[0] == FOUND


def test_columns_that_nothing_tells_are_asked_for(read):
    content = lines(("a", "b"), *ROWS, sign=",")
    remedy = "`--column text=NAME --column translation=NAME`"
    with pytest.raises(ZooError, match=rf"There is: .*{remedy}"):
        read("x.csv", content)
    assert read("x.csv", content, {"text": "a", "translation": "b"}) == (FOUND, [])


def test_objects_of_languages(read):
    rows = [{"id": n, "translation": {"fr": fr, "en": en}} for n, (en, fr) in enumerate(ROWS)]
    said = "text from 'translation.en', translation from 'translation.fr'"
    for name, content in (
        ("x.json", json.dumps(rows)),
        ("x.jsonl", "\n".join(map(json.dumps, rows))),
    ):
        assert read(name, content) == (FOUND, [f"{name}: {said}"])


def test_lines_without_a_header(read):
    licence = "CC-BY 2.0 (France) Attribution: tatoeba.org #1 (x) & #2 (y)"
    content = lines(*((*row, licence) for row in ROWS))
    rows, notes = read("fra.txt", content)
    assert rows == FOUND
    assert "no header, en in column 1 and fr in column 2" in notes[0]
    assert "--column text=2 --column translation=1" in notes[0]
    turned = {"text": FOUND["translation"], "translation": FOUND["text"]}
    assert read("fra.txt", content, {"text": "2", "translation": "1"}) == (turned, [])
    # Tatoeba's own exports have the numbers of the sentences.
    content = lines(*(("12", en, "77", fr) for en, fr in ROWS))
    assert read("x.tsv", content)[0] == FOUND
    with pytest.raises(UsageError, match="has 4 columns"):
        read("x.tsv", content, {"text": "2", "translation": "9"})


def test_speech_in_tabs(read):
    speech = ('"Superb.', '"Superbe.'), ('"All of it."', "Tout.")
    rows, _ = read("x.tsv", lines(("text", "translation"), *speech))
    assert rows == {"text": ['"Superb.', '"All of it."'], "translation": ['"Superbe.', "Tout."]}


@pytest.mark.parametrize("packed", ["", ".gz"])
def test_aligned_files(tmp_path, read, packed):
    def write(name, side):
        content = "\r\n".join([*FOUND[side], "", ""]).encode()
        (tmp_path / name).write_bytes(gzip.compress(content) if packed else content)

    write(f"x.en{packed}", "text")
    write(f"x.fr{packed}", "translation")
    (tmp_path / "y.fr").write_text("autre")
    for named in ("en", "fr"):
        reading = Reading()
        path = tmp_path / f"x.{named}{packed}"
        assert PAIRS.reader(path, None, reading=reading) == FOUND
        other = "fr" if named == "en" else "en"
        assert reading.notes == [f"{path.name}: with x.{other}{packed}, line by line"]


def test_aligned_files_that_are_not(tmp_path, read):
    with pytest.raises(UsageError, match=r"needs the file of its translation beside it, x\.fr"):
        read("x.en", "A dog\n")
    (tmp_path / "x.fr").write_text("Un chien\n\n")
    with pytest.raises(ZooError, match=r"x\.en has 1 lines and x\.fr 2"):
        read("x.en", "A dog\n")
    with pytest.raises(ZooError, match=r"line 2 lacks a text or its translation.*--drop-bad"):
        read("x.en", "A dog\nA cat\n")
    rows, notes = read("x.en", "A dog\nA cat\n", drop_bad=True)
    assert rows == {"text": ["A dog"], "translation": ["Un chien"]}
    assert notes[1] == "x.en: line 2 lacks a text or its translation; omitted"


def test_a_folder_of_aligned_files(tmp_path):
    for split in ("train", "dev", "test_2016_flickr"):
        for side, code in (("text", "en"), ("translation", "fr")):
            sentences = [f"{split} {sentence}" for sentence in FOUND[side]]
            (tmp_path / f"{split}.en-fr.{code}").write_text("\n".join(sentences))
    (tmp_path / "README").write_text("about")
    splits = PAIRS.load(tmp_path)
    assert splits.train["text"] == ["train A dog.", "train Two cats"]
    assert splits.validation["translation"] == ["dev Un chien.", "dev Deux chats"]
    assert splits.test["text"] == ["test_2016_flickr A dog.", "test_2016_flickr Two cats"]
    assert "not read: README" in splits.notes
    (tmp_path / "more.en").write_text("x")
    assert "not read: README, more.en" in PAIRS.load(tmp_path).notes
    (tmp_path / "train.en-fr.en").rename(tmp_path / "other.en")
    with pytest.raises(UsageError, match=r"two aligned files, train\.en and train\.fr"):
        PAIRS.load(tmp_path)


@pytest.mark.parametrize("name", ["x.tmx", "x.tmx.gz"])
def test_tmx(read, name):
    content = gzip.compress(TMX.encode()) if name.endswith("gz") else TMX
    assert read(name, content) == (FOUND, [])


def test_tmx_that_cannot_be_read(read):
    with pytest.raises(ZooError, match="is not TMX, or is damaged"):
        read("x.tmx", TMX[:200])
    with pytest.raises(ZooError, match="no pair of en and fr; its languages are: 'de', 'it'"):
        read("x.tmx", "<tmx><tu><tuv lang='de'/><tuv lang='it'/></tu></tmx>")
    lacking = TMX.replace("</body>", "<tu><tuv lang='en'><seg>x</seg></tuv></tu></body>")
    with pytest.raises(ZooError, match="unit 3 lacks a text or its translation"):
        read("x.tmx", lacking)
    assert read("x.tmx", lacking, drop_bad=True)[0] == FOUND


@pytest.mark.parametrize("name", ["x.en", "x.fr", "x.tmx", "folder"])
def test_what_is_no_table_has_no_columns(tmp_path, name):
    (tmp_path / "folder").mkdir()
    for path in (tmp_path / "x", tmp_path / "folder" / "train"):
        for side, code in (("text", "en"), ("translation", "fr")):
            path.with_suffix(f".{code}").write_text("\n".join(FOUND[side]))
    (tmp_path / "x.tmx").write_text(TMX)
    for given in ({"columns": {"text": "2"}}, {"reading": {"sep": "tab"}}):
        with pytest.raises(UsageError, match=rf"is for tables, but .*{name} is none\. Omit it"):
            PAIRS.load(tmp_path / name, **given)


def test_columns_in_memory_are_still_checked():
    with pytest.raises(ZooError, match="Row 0 of the data: 'text' is empty"):
        PAIRS.load({"text": [" "], "translation": ["a"]})
