"""Sentences in people's files: columns that count, rows of tags, exports of labelling tools."""

import json

import pytest

from recipes.tagging import conll
from zoo.data.reading import Reading, ReadOptions
from zoo.errors import UsageError, ZooError


@pytest.fixture
def read(tmp_path):
    """Writes a file and reads it; returns tokens, tags, and what is said."""

    def read(name, content, columns=None, **options):
        path = tmp_path / name
        if isinstance(content, list) and name.endswith("l"):
            content = "\n".join(map(json.dumps, content))
        path.write_text(content if isinstance(content, str) else json.dumps(content))
        reading = Reading(ReadOptions(**options))
        rows = conll.read(path, columns, reading=reading)
        return rows["tokens"], rows["tags"], reading.notes

    return read


TOKENS = [["Ann", "Lee", "ran"], ["Oslo"]]
TAGS = [["B-PER", "I-PER", "O"], ["B-LOC"]]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_line_ends(read, end):
    lines = ["Ann B-PER", "Lee I-PER", "ran O", "", "Oslo B-LOC", ""]
    assert read("x.conll", end.join(lines)) == (TOKENS, TAGS, [])


COUNTED = "1\tAnn\tB-PER\tO\n2\tLee\tI-PER\tO\n3\tran\tO\tO\n\n1\tOslo\tB-LOC\tO\n"
SECOND = "tokens in the second column, which the first counts"


def test_a_column_that_counts_is_no_token(read):
    lines = "\n".join(line.rpartition("\t")[0] for line in COUNTED.split("\n"))
    assert read("x.conll", lines) == (TOKENS, TAGS, [f"x.conll: {SECOND}"])
    # GermEval: two columns of tags, and where a sentence is from.
    tokens, tags, notes = read("x.tsv", "#\thttp://x\n" + COUNTED)
    assert (tokens, tags) == (TOKENS, [["O"] * 3, ["O"]])
    assert notes[1].endswith("those of column 4 are taken (--column tags=3 takes the others)")
    assert read("x.tsv", COUNTED, {"tags": "3"}) == (TOKENS, TAGS, [f"x.tsv: {SECOND}"])
    # CoNLL-U: a range is no word.
    text = "# text = x\n1-2\tAnnLee\t_\tO\n1\tAnn\t_\tB-PER\n2\tLee\t_\tI-PER\n3\tran\t_\tO\n"
    assert read("x.conllu", text)[:2] == (TOKENS[:1], TAGS[:1])
    # Numbers that do not count are tokens.
    assert read("x.conll", "1 CD O\n3 CD O\n")[0] == [["1", "3"]]
    assert read("x.conll", "1 O\n2 O\n")[0] == [["1", "2"]]


def test_columns_by_number(read):
    text = "B-PER Ann\nI-PER Lee\nO ran\n\nB-LOC Oslo\n"
    assert read("x.txt", text, {"tokens": "2", "tags": "1"})[:2] == (TOKENS, TAGS)
    with pytest.raises(UsageError, match="by its number, such as --column tags=2; got 'ner'"):
        read("x.txt", text, {"tags": "ner"})
    with pytest.raises(ZooError, match="should have"):
        read("x.txt", text, {"tokens": "9", "tags": "1"})


@pytest.mark.parametrize(
    ("text", "note"),
    [
        ("Ann B-PER\nLee\n\nOslo B-LOC\n", "line 2 should have 2 columns"),
        ("Ann B-PER\nLee PER\n\nOslo B-LOC\n", "the last column of line 2 is not a tag"),
        ("Ann B-PER\nran O\nLee I-PER\n\nOslo B-LOC\n", "on line 3 a tag continues an entity"),
    ],
)
def test_sentences_that_cannot_be_used_are_left_out_on_request(read, text, note):
    with pytest.raises(ZooError, match=rf"{note}.*--drop-bad\.$"):
        read("x.conll", text)
    tokens, _, notes = read("x.conll", text, drop_bad=True)
    assert tokens == [["Oslo"]]
    assert note in notes[0]
    assert notes[0].endswith("such sentences omitted")


ROWS = [{"tokens": t, "tags": g} for t, g in zip(TOKENS, TAGS, strict=True)]


def test_rows_of_tokens_and_tags(read):
    assert read("x.jsonl", ROWS) == (TOKENS, TAGS, [])
    assert read("x.json", ROWS) == (TOKENS, TAGS, [])
    assert read("x.csv", "tokens,tags\nAnn Lee ran,B-PER I-PER O\nOslo,B-LOC\n") == (
        TOKENS,
        TAGS,
        [],
    )
    rows = [{"words": row["tokens"], "ner_tags": row["tags"]} for row in ROWS]
    assert read("x.jsonl", rows) == (TOKENS, TAGS, ["x.jsonl: tags of the column 'ner_tags'"])
    rows = [{"t": row["tokens"], "y": row["tags"]} for row in ROWS]
    assert read("x.jsonl", rows, {"tokens": "t", "tags": "y"})[:2] == (TOKENS, TAGS)
    with pytest.raises(ZooError, match=r"There is: 't', 'y'\..*--column tokens=NAME"):
        read("x.jsonl", rows)


def test_rows_of_tokens_that_cannot_be_used(read):
    rows = [*ROWS, {"tokens": ["a"], "tags": []}, {"tokens": ["a"], "tags": [3]}, {"tokens": ["a"]}]
    with pytest.raises(ZooError, match="line 3 has a different number of tags than tokens"):
        read("x.jsonl", rows)
    tokens, tags, notes = read("x.jsonl", rows, drop_bad=True)
    assert (tokens, tags) == (TOKENS, TAGS)
    assert notes == [
        "x.jsonl: line 3 has a different number of tags than tokens; omitted",
        "x.jsonl: lines 4, 5 have tags that are not a list of O, B-X, I-X; omitted",
    ]


def test_classes_of_hugging_face_have_their_names(tmp_path):
    import pyarrow as pa
    from pyarrow import parquet

    names = ["O", "B-PER", "I-PER", "B-LOC"]
    feature = {"feature": {"names": names, "_type": "ClassLabel"}, "_type": "Sequence"}
    info = {"info": {"features": {"ner_tags": feature}}}
    table = pa.table(
        {"tokens": TOKENS, "ner_tags": [[names.index(tag) for tag in row] for row in TAGS]}
    ).replace_schema_metadata({"huggingface": json.dumps(info)})
    parquet.write_table(table, tmp_path / "x.parquet")
    rows = conll.read(tmp_path / "x.parquet")
    assert (rows["tokens"], rows["tags"]) == (TOKENS, TAGS)


TEXT = "🎉 Ann Lee ran to Oslo."
SPANS = [(2, 9, "PER"), (17, 21, "LOC")]  # in characters
FOUND = (
    [["🎉", "Ann", "Lee", "ran", "to", "Oslo", "."]],
    [["O", "B-PER", "I-PER", "O", "O", "B-LOC", "O"]],
)


def label_studio(shift=0):
    return [
        {
            "from_name": "ner",
            "to_name": "text",
            "type": "labels",
            "value": {"start": s + shift, "end": e + shift, "text": TEXT[s:e], "labels": [label]},
        }
        for s, e, label in SPANS
    ]


@pytest.mark.parametrize(
    ("tool", "name", "rows"),
    [
        ("doccano", "x.jsonl", [{"id": 1, "text": TEXT, "label": [list(span) for span in SPANS]}]),
        (
            "doccano",
            "x.jsonl",
            [{
                "text": TEXT,
                "entities": [
                    {"id": 1, "label": label, "start_offset": s, "end_offset": e}
                    for s, e, label in SPANS
                ],
                "relations": [],
            }],
        ),
        (
            "Prodigy",
            "x.jsonl",
            [{
                "text": TEXT,
                "_task_hash": 3,
                "spans": [{"start": s, "end": e, "label": label} for s, e, label in SPANS],
                "answer": "accept",
            }],
        ),
        # A browser counts the first character as two.
        *(
            (
                "Label Studio",
                "x.json",
                [{"id": 1, "data": {"text": TEXT}, "annotations": [{"result": label_studio(n)}]}],
            )
            for n in (0, 1)
        ),
        (
            "Label Studio",
            "x.json",
            [{"text": TEXT, "annotation_id": 4, "ner": [v["value"] for v in label_studio(1)]}],
        ),
    ],
)  # fmt: skip
def test_spans_of_labelling_tools(read, tool, name, rows):
    tokens, tags, notes = read(name, rows)
    assert (tokens, tags) == FOUND
    assert notes == [f"{name}: an export of {tool}"]


def test_rows_without_an_answer_are_left_out(read):
    row = {"text": TEXT, "_task_hash": 1, "spans": []}
    rows = [{**row, "answer": answer} for answer in ("accept", "ignore", "reject", "reject")]
    tokens, _, notes = read("x.jsonl", rows)
    assert len(tokens) == 1
    assert notes[1:] == [
        "x.jsonl: 1 row(s) omitted that the annotator ignored",
        "x.jsonl: 2 row(s) omitted that the annotator rejected",
    ]


@pytest.mark.parametrize("wrong", [[1], {"labels": 3}, "x"])
def test_a_damaged_row_of_an_export_is_named(read, wrong):
    def row(value):
        result = [{"value": value, "to_name": "text"}]
        return {"data": {"text": "Annika ran"}, "annotations": [{"result": result}]}

    good = row({"start": 0, "end": 6, "labels": ["PER"]})
    with pytest.raises(ZooError, match=r"row 2 is not as Label Studio exports rows\..*--drop-bad"):
        read("x.json", [good, row(wrong)])
    assert read("x.json", [good, row(wrong)], drop_bad=True)[1] == [["B-PER", "O"]]


def test_spans_that_do_not_fit(read):
    def row(*spans):
        spans = [{"start": start, "end": end, "label": label} for start, end, label in spans]
        return {"text": "Annika ran", "spans": spans}

    tokens, tags, notes = read("x.jsonl", [row((0, 3, "PER"))])
    assert (tokens, tags) == ([["Annika", "ran"]], [["B-PER", "O"]])
    assert notes == ["x.jsonl: 1 span(s) begin or end inside a word, which is taken whole"]
    good = row((0, 6, "PER"))
    for wrong, message in (
        (row((0, 99, "PER")), "line 2 has a span that is not in the text"),
        (row((3, 3, "PER")), "line 2 has a span that is not in the text"),
        ({**row(), "spans": [3]}, "line 2 has a span that is not in the text"),
        ({**row(), "spans": [[0, 6]]}, "line 2 has a span that is not in the text"),
        ({**row(), "spans": [[0, None, "PER"]]}, "line 2 has a span that is not in the text"),
        ({**row(), "spans": 3}, "line 2 has a span that is not in the text"),
        ({**row(), "spans": "0-6"}, "line 2 has a span that is not in the text"),
        (row((0, 6, "PER"), (3, 10, "X")), "line 2 has spans that overlap"),
        (row((0, 6, None)), "line 2 has a span without a label"),
        (row((0, 6, " ")), "line 2 has a span without a label"),
        (row((0, 6, ["PER", "LOC"])), "line 2 has a span without a label"),
        ({**row(), "spans": [{"start": 0, "end": 6}]}, "line 2 has a span without a label"),
    ):
        with pytest.raises(ZooError, match=rf"{message}\..*--drop-bad"):
            read("x.jsonl", [good, wrong])
        assert read("x.jsonl", [good, wrong], drop_bad=True)[1] == [["B-PER", "O"]]


def test_a_class_that_only_validation_has(tmp_path):
    (tmp_path / "train.conll").write_text("Ann B-PER\nran O\n\nBob B-PER\n\nx O\n")
    (tmp_path / "dev.txt").write_text("x O\nLee B-PER\nX I-PER\n\nOslo B-LOC\n")
    with pytest.raises(
        ZooError, match=r"dev\.txt: row 2 has a tag that is not one of 'PER' \('LOC'\)"
    ):
        conll.CONLL.load(tmp_path)
    splits = conll.CONLL.load(tmp_path, reading={"drop_bad": True})
    assert splits.validation["tokens"] == [["x", "Lee", "X"]]
    assert "dev.txt: row 2 has a tag that is not one of 'PER' ('LOC'); omitted" in splits.notes
