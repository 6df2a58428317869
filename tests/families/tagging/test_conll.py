"""CoNLL-style files: schemes, columns, and the numbers of lines that are wrong."""

import gzip

import pytest

from recipes.tagging import reader as conll
from zoo.errors import UsageError, ZooError

BIO = ["O", "B-PER", "I-PER", "B-PER", "O", "B-LOC", "B-ORG", "I-ORG", "I-ORG"]
IOB1 = ["O", "I-PER", "I-PER", "B-PER", "O", "I-LOC", "I-ORG", "I-ORG", "I-ORG"]
BIOES = ["O", "B-PER", "E-PER", "S-PER", "O", "S-LOC", "B-ORG", "I-ORG", "E-ORG"]
BILOU = ["O", "B-PER", "L-PER", "U-PER", "O", "U-LOC", "B-ORG", "I-ORG", "L-ORG"]


def lines(tags, joint="\t"):
    return "\n".join(f"t{number}{joint}{tag}" for number, tag in enumerate(tags)) + "\n"


@pytest.mark.parametrize("tags", [BIO, IOB1, BIOES, BILOU], ids=["bio", "iob1", "bioes", "bilou"])
@pytest.mark.parametrize("joint", ["\t", " ", " NNP  I-NP "])
def test_every_scheme_becomes_bio(tags, joint):
    rows = conll.parse(lines(tags, joint), "x")
    assert rows["tags"] == [BIO]
    assert rows["tokens"] == [[f"t{number}" for number in range(9)]]
    assert rows["text"] == ["t0 t1 t2 t3 t4 t5 t6 t7 t8"]


def test_sentences_documents_comments_and_ends_of_lines():
    text = (
        "-DOCSTART- -X- -X- O\r\n\r\nAnn NNP B-NP B-PER\r\n# CD I-NP O\r\n\r\n \t \r\n"
        "-DOCSTART- -X- O O\r\n# id 7 of a file\r\nBrighton NNP I-NP B-LOC"
    )
    rows = conll.parse(text, "x")
    assert rows["tokens"] == [["Ann", "#"], ["Brighton"]]
    assert rows["tags"] == [["B-PER", "O"], ["B-LOC"]]


def test_the_scheme_is_that_of_the_whole_file():
    # Seen alone, the second sentence could be IOB1 too.
    rows = conll.parse("a B-X\nb I-X\n\nc B-X\nd B-X\n", "x")
    assert rows["tags"] == [["B-X", "I-X"], ["B-X", "B-X"]]
    rows = conll.parse("a I-X\nb I-Y\n\nc I-X\nd B-X\n", "x")
    assert rows["tags"] == [["B-X", "B-Y"], ["B-X", "B-X"]]


def test_unusual_spaces_belong_to_a_token():
    rows = conll.parse("a\u2028b\u00a0c\tO\nd\x85e\tB-creative-work\n", "x")
    assert rows["tokens"] == [["a\u2028b\u00a0c", "d\x85e"]]
    assert rows["tags"] == [["O", "B-creative-work"]]


def test_comments_are_left_out_whatever_they_end_in():
    text = "# text = take Vitamin O\n# newdoc id = B-12\na O\n# B-X\n"
    assert conll.parse(text, "x")["tokens"] == [["a", "#"]]  # two columns: a token that is "#"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a O\nb\nc O\nd x O\n", r"x: lines 2, 4 should have 2 columns, as most lines have"),
        ("a\nb\n", r"x: lines 1, 2 should have a token and a tag"),
        ("a O\nb PER\n\nc B_PER\n", r"the last column of lines 2, 4 is not a tag"),
        ("a O\nb B-\n", r"the last column of line 2 is not a tag"),
        ("a B-X\nb O\nc I-X\n", r"its tags are BIO, but on line 3 .* begin with B-\."),
        ("a B-X\nb E-X\nc I-X\n", r"its tags are BIOES, but on line 3 .* B- or S-\."),
        ("a B-X\nb O\nc S-Y\n", r"its tags are BIOES, but the entity on line 1 does not end"),
        ("a B-X\nb B-X\nc E-X\n", r"the entity on line 1 does not end; .* E- or S-\."),
        ("Title\na O\nb O\nc B-X\n", r"line 1 should have 2 columns, as most lines have"),
        ("a NNP O\nb O\nc B-X\n", r"line 1 should have 2 columns"),
        ("\n\n-DOCSTART- O\n", r"x has no line with a token and a tag"),
    ],
)
def test_what_is_wrong_is_named_by_line(text, message):
    with pytest.raises(ZooError, match=message):
        conll.parse(text, "x")


def test_read(tmp_path):
    plain, packed = tmp_path / "a.conll", tmp_path / "a.bio.gz"
    plain.write_text("\ufeffÉmile B-PER\n", encoding="utf-8")
    packed.write_bytes(gzip.compress("Émile B-PER\n".encode()))
    expected = {"text": ["Émile"], "tokens": [["Émile"]], "tags": [["B-PER"]]}
    assert conll.read(plain) == conll.read(packed) == expected


def test_files_that_cannot_be_read(tmp_path):
    with pytest.raises(UsageError, match="There is no file"):
        conll.read(tmp_path / "none.conll")
    wrong = tmp_path / "latin.conll"
    wrong.write_bytes(b"")
    with pytest.raises(ZooError, match="is empty"):
        conll.read(wrong)
    wrong.write_text("a O\n")
    with pytest.raises(UsageError, match="no names of columns"):
        conll.read(wrong, {"tokens": "words"})
