"""Files of rows in every format: JSON in its shapes, Parquet, Excel, fastText, labelling tools."""

import gzip
import io
import json
import re
import zipfile

import pytest

from zoo.data import tables
from zoo.data.reading import Reading, ReadOptions
from zoo.errors import UsageError, ZooError

ROWS = [{"text": "a film", "label": "good"}, {"text": "a mess", "label": "bad"}]
COLUMNS = {"text": ["a film", "a mess"], "label": ["good", "bad"]}


@pytest.fixture
def read(tmp_path):
    """Writes a file and reads it; returns the columns, and what is said."""

    def read(name, content, columns=None, **options):
        path = tmp_path / name
        if not isinstance(content, str | bytes):
            content = json.dumps(content)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        reading = Reading(ReadOptions(**options))
        table = tables.read(path, ["text"], "label", columns, reading=reading)
        return table.columns, reading.notes

    return read


def lines(rows):
    return "".join(json.dumps(row) + "\n" for row in rows)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (ROWS, []),
        ({"text": ["a film", "a mess"], "label": ["good", "bad"]}, []),
        # As pandas writes it.
        ({name: {str(n): v for n, v in enumerate(c)} for name, c in COLUMNS.items()}, []),
        ({"columns": ["text", "label"], "data": [["a film", "good"], ["a mess", "bad"]]}, []),
        ({"version": 1, "data": ROWS}, ["x.json: rows of data"]),
        ({"a": {"b": ROWS, "n": 3}}, ["x.json: rows of a.b"]),
        (lines(ROWS), ["x.json: JSON lines"]),
        (lines(ROWS[:1]) + "\n\n" + lines(ROWS[1:]), ["x.json: JSON lines"]),
        ("\ufeff" + json.dumps(ROWS, indent=2), []),
    ],
)
def test_shapes_of_json(read, content, said):
    assert read("x.json", content) == (COLUMNS, said)


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_json_lines(read, end):
    assert read("x.jsonl", lines(ROWS).replace("\n", end)) == (COLUMNS, [])
    assert read("x.ndjson", lines(ROWS)) == (COLUMNS, [])
    assert read("x.jsonl", ROWS) == (COLUMNS, [])  # a list in spite of its name


def test_rows_that_several_places_may_hold(read):
    content = {"train": ROWS, "test": ROWS[:1]}
    with pytest.raises(UsageError, match=r"rows at 'train' and 'test'.*--records train"):
        read("x.json", content)
    assert read("x.json", content, records="train") == (COLUMNS, ["x.json: rows of train"])
    with pytest.raises(UsageError, match=r"nothing at 'tran'\. Did you mean 'train'"):
        read("x.json", content, records="tran")


def test_columns_inside_of_objects(read):
    rows = [{"data": {"text": row["text"]}, "meta": [{"y": row["label"]}]} for row in ROWS]
    names = {"text": "data.text", "label": "meta.0.y"}
    assert read("x.json", rows, names)[0] == COLUMNS
    assert read("x.jsonl", lines(rows), names)[0] == COLUMNS
    with pytest.raises(ZooError, match=r"no columns 'text' and 'label'.*'data\.text'.*text=NAME"):
        read("x.json", rows)
    rows[1] = {"data": 3, "meta": []}
    with pytest.raises(ZooError, match=r"row 2 lacks 'data\.text'"):
        read("x.json", rows, names)
    assert read("x.json", rows, names, drop_bad=True)[0] == {"text": ["a film"], "label": ["good"]}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "x.json is not JSON"),
        ("[" * 100_000, "nested too deeply"),
        ("3", "holds no rows, but 3"),
        ("[]", "has a header but no rows"),
        ([1, 2], "rows 1, 2 have no JSON object"),
        ({"columns": 3, "data": [["a", "b"]]}, "'columns' must be a list of texts.*got 3"),
        # Columns of several levels, as pandas writes them.
        ({"columns": [["a", "text"], ["a", "label"]], "data": [["b", "c"]]}, "a list of texts"),
        ({"columns": ["text", "text"], "data": [["a", "b"]]}, "has the column 'text' twice"),
    ],
)
def test_json_that_holds_no_rows(read, content, message):
    with pytest.raises(ZooError, match=message):
        read("x.json", content)


def parquet(table):
    from pyarrow import parquet

    file = io.BytesIO()
    parquet.write_table(table, file)
    return file.getvalue()


def test_parquet_and_arrow(read):
    import pyarrow as pa

    table = pa.table({**COLUMNS, "when": [None, 3]})
    assert read("x.parquet", parquet(table)) == (COLUMNS, [])
    assert read("x.parquet.gz", gzip.compress(parquet(table))) == (COLUMNS, [])
    numbers = pa.table({"text": COLUMNS["text"], "label": [1.0, 0.0]})
    assert read("x.parquet", parquet(numbers))[0]["label"] == ["1", "0"]
    for make in (pa.ipc.new_file, pa.ipc.new_stream):
        file = io.BytesIO()
        with make(file, table.schema) as out:
            out.write_table(table)
        assert read("x.arrow", file.getvalue()) == (COLUMNS, [])
    gaps = pa.table({"text": ["a", None, "c"], "label": ["x", "y", None]})
    with pytest.raises(ZooError, match="row 2 has an empty 'text'"):
        read("x.parquet", parquet(gaps))
    assert read("x.parquet", parquet(gaps), drop_bad=True)[0] == {"text": ["a"], "label": ["x"]}
    for name in ("x.parquet", "x.arrow"):
        with pytest.raises(ZooError, match="or is damaged"):
            read(name, parquet(table)[:-9] + b"x")


def arrow(table):
    import pyarrow as pa

    file = io.BytesIO()
    with pa.ipc.new_file(file, table.schema) as out:
        out.write_table(table)
    return file.getvalue()


@pytest.mark.parametrize("name", ["x.parquet", "x.arrow", "x.feather"])
def test_a_column_twice_is_not_read(read, name):
    import pyarrow as pa

    write = parquet if name == "x.parquet" else arrow
    table = pa.table([["a"], ["b"], ["c"]], names=["text", "label", "text"])
    with pytest.raises(ZooError, match=r"has the column 'text' twice\. Rename one of them\."):
        read(name, write(table))
    inside = pa.StructArray.from_arrays([pa.array(["a"]), pa.array(["b"])], names=["x", "x"])
    with pytest.raises(ZooError, match=r"holds a value that cannot be read \(.*duplicate"):
        read(name, write(pa.table([["a"], ["b"], inside], names=["text", "label", "z"])))


def workbook(**sheets):
    openpyxl = pytest.importorskip("openpyxl")
    book = openpyxl.Workbook()
    book.remove(book.active)
    for title, rows in sheets.items():
        sheet = book.create_sheet(title)
        for row in rows:
            sheet.append(row)
    file = io.BytesIO()
    book.save(file)
    return file.getvalue()


def test_excel(read):
    rows = [["id", "text", "label", None], [1, "a film", "good"], [], [2, "a mess", "bad"]]
    assert read("x.xlsx", workbook(Sheet1=rows)) == (COLUMNS, [])
    assert read("x.xlsx", workbook(Notes=[["made by"]], Data=rows)) == (
        COLUMNS,
        ["x.xlsx: sheet 'Data'"],
    )
    two = workbook(A=rows, B=[*rows, [3, "so", "so"]])
    with pytest.raises(UsageError, match=r"sheets 'A', 'B'.*--sheet"):
        read("x.xlsx", two)
    assert read("x.xlsx", two, sheet="A")[0] == COLUMNS
    assert len(read("x.xlsx", two, sheet="2")[0]["text"]) == 3
    with pytest.raises(UsageError, match="no sheet 'C'"):
        read("x.xlsx", two, sheet="C")
    numbers = workbook(A=[["text", "label"], ["a", 1], [7, 0], [None, 1]])
    with pytest.raises(ZooError, match="row 3 has a 'text' that is not text"):
        read("x.xlsx", numbers)
    columns, notes = read("x.xlsx", numbers, drop_bad=True)
    assert columns == {"text": ["a"], "label": ["1"]}
    assert len(notes) == 2
    with pytest.raises(ZooError, match="not an Excel workbook, or is damaged"):
        read("x.xlsx", workbook(A=rows)[:300])


def test_excel_whose_rows_end_at_their_last_cell(read):
    openpyxl = pytest.importorskip("openpyxl")
    book = openpyxl.Workbook(write_only=True)
    sheet = book.create_sheet()
    for row in (["text", "label", "by"], ["a film", "good", "Ann"], ["a mess", "bad"]):
        sheet.append(row)
    file = io.BytesIO()
    book.save(file)
    assert read("x.xlsx", file.getvalue()) == (COLUMNS, [])
    sheet = [["text", "label"], ["a film", "good"], ["a mess"]]
    with zipfile.ZipFile(io.BytesIO(workbook(A=sheet))) as old, zipfile.ZipFile(file, "w") as new:
        for name in old.namelist():
            new.writestr(name, re.sub(rb"<dimension [^>]*>", b"", old.read(name)))
    with pytest.raises(ZooError, match="row 3 has an empty 'label'"):
        read("x.xlsx", file.getvalue())


def test_excel_needs_its_extra(read, monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "openpyxl", None)
    with pytest.raises(UsageError, match=r"pip install '.\[excel\]'"):
        read("x.xlsx", b"PK\x03\x04[Content_Types].xml")


def test_kinds_that_are_not_read(read):
    for name in ("x.xls", "x.pkl"):
        with pytest.raises(UsageError, match="Save it as"):
            read(name, b"\xd0\xcf")
    with pytest.raises(UsageError, match=r"must end in \.csv, .*\.gz or \.zip"):
        read("x.html", "<p>")


def test_fasttext(read):
    content = "__label__good a film\n\n__label__bad  a mess\n"
    assert read("x.txt", content) == (COLUMNS, [])
    with pytest.raises(ZooError, match="lines 4, 5 have not one __label__"):
        read("x.txt", content + "__label__a __label__b two\nnone\n")
    assert read("x.txt", content + "none\n", drop_bad=True)[0] == COLUMNS


def test_tables_in_a_zip(read):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("data/x.tsv", "text\tlabel\na film\tgood\na mess\tbad\n")
        archive.writestr("__MACOSX/data/._x.tsv", "")
    assert read("x.zip", file.getvalue()) == (COLUMNS, [])


def test_columns_and_rows_without_anything(read):
    content = "text;label;;\na film;good;;\n;;;\na mess;bad;;\n"
    with pytest.raises(ZooError, match="line 3 has an empty 'text'"):
        read("x.csv", content)
    columns, notes = read("x.csv", content, drop_bad=True)
    assert columns == COLUMNS
    assert notes[0] == "x.csv: separated by semicolons"


LABEL_STUDIO = [
    {
        "id": n,
        "data": {"review": row["text"], "source": "web"},
        "annotations": [
            {
                "result": [
                    {
                        "type": "choices",
                        "from_name": "sentiment",
                        "to_name": "review",
                        "value": {"choices": [row["label"]]},
                    }
                ]
            }
        ],
    }
    for n, row in enumerate(ROWS)
]
SKIPPED = {"id": 9, "data": {"review": "x"}, "annotations": [{"was_cancelled": True, "result": []}]}


@pytest.mark.parametrize(
    ("tool", "name", "content"),
    [
        ("doccano", "x.jsonl", lines({**row, "label": [row["label"]]} for row in ROWS)),
        ("doccano", "x.jsonl", lines({"text": r["text"], "labels": [r["label"]]} for r in ROWS)),
        ("Label Studio", "x.json", LABEL_STUDIO),
        (
            "Prodigy",
            "x.jsonl",
            lines({**row, "_task_hash": 1, "answer": "accept"} for row in ROWS),
        ),
        (
            "Prodigy",
            "x.jsonl",
            lines(
                {"text": r["text"], "options": [], "accept": [r["label"]], "answer": "accept"}
                for r in ROWS
            ),
        ),
    ],
)
def test_classes_of_labelling_tools(read, tool, name, content):
    assert read(name, content) == (COLUMNS, [f"{name}: an export of {tool}"])


def test_rows_that_an_annotator_left(read):
    columns, notes = read("x.json", [*LABEL_STUDIO, SKIPPED])
    assert columns == COLUMNS
    assert "x.json: 1 row(s) omitted that the annotator skipped or did not reach" in notes
    rows = [{**row, "_task_hash": 1, "answer": "accept"} for row in ROWS]
    columns, notes = read("x.jsonl", lines([*rows, {**rows[0], "answer": "ignore"}]))
    assert columns == COLUMNS
    assert "x.jsonl: 1 row(s) omitted that the annotator ignored" in notes


@pytest.mark.parametrize("answer", [["accept"], {"accept": 1}, "no", 3])
def test_a_column_called_answer_may_hold_anything(read, answer):
    assert read("x.jsonl", lines({**row, "answer": answer} for row in ROWS)) == (COLUMNS, [])


def test_several_labels_are_not_one(read):
    rows = [*ROWS, {"text": "both", "label": ["good", "bad"]}]
    with pytest.raises(ZooError, match="line 3 has a 'label' that is neither text nor a whole"):
        read("x.jsonl", lines(rows))
    assert read("x.jsonl", lines(rows), drop_bad=True)[0] == COLUMNS


def test_half_an_emoji(read):
    """JSON can say half of a character, which has no UTF-8 form."""
    content = '{"text": "a \\ud83d film", "label": "good\\ud83d"}\n{"text": "b", "label": "bad"}\n'
    columns, _ = read("x.jsonl", content)
    assert columns["label"] == ["good\ufffd", "bad"]
    assert all(text.encode("utf-8", "replace") for text in columns["text"])


def test_a_table_without_names_of_columns(read):
    content = '7,"a film",good\n8,a mess,bad\n'
    with pytest.raises(ZooError, match=r"--column label=NAME`, by their numbers if"):
        read("x.csv", content)
    assert read("x.csv", content, {"text": "2", "label": "3"}) == (COLUMNS, [])


def test_missing_values_of_json(read):
    rows = ('{"text": "a film", "label": "good"}', '{"text": NaN}', '{"text": "b", "label": NaN}')
    content = f"[{', '.join(rows)}]".replace('{"text": NaN}', '{"text": NaN, "label": "x"}')
    with pytest.raises(ZooError, match="row 2 has an empty 'text'"):
        read("x.json", content)
    assert read("x.json", content, drop_bad=True)[0] == {"text": ["a film"], "label": ["good"]}
