"""Tables of people's own: what is read, and the line numbers of what is wrong."""

import gzip
import math
import tracemalloc
from pathlib import Path

import pytest

from zoo.data import contents, tables
from zoo.data.reading import REMEDY, Reading, ReadOptions
from zoo.errors import UsageError, ZooError


def write(folder, name, content):
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def refused(folder, name, content, label="label", **options):
    """Returns the one line with which a file is refused."""
    path = write(folder, name, content)
    with pytest.raises(ZooError) as caught:
        tables.read(path, ["text"], label, **options)
    message = str(caught.value)
    assert "\n" not in message
    assert message.startswith(str(path))
    return message.removeprefix(str(path)).lstrip(": ")


CSV = 'id,text,label\n7,"A ""fine"" film,\nin two lines ",good\n\n8,  Dull.,bad\n'


def test_csv_keeps_texts_and_knows_lines(tmp_path):
    table = tables.read(write(tmp_path, "x.csv", CSV), ["text"], "label")
    assert table.columns == {
        "text": ['A "fine" film,\nin two lines ', "  Dull."],
        "label": ["good", "bad"],
    }
    assert table.lines == [2, 5]  # the first row takes two lines, and line 4 is blank
    assert len(table) == 2


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("x.tsv", "label\ttext\ngood\ta, b\n1\tc\n"),
        ("x.CSV", 'text,label\r\n"a, b", good\r\nc,1\r\n'),
        ("x.csv", b'\xef\xbb\xbftext,label\n"a, b",good\nc,1'),
        ("x.jsonl", '{"text": "a, b", "label": "good"}\n\n{"text": "c", "label": 1, "z": 2}\n'),
        ("x.csv.gz", gzip.compress(b'text,label\n"a, b",good\nc,1\n')),
        ("x.jsonl.gz", gzip.compress(b'{"text":"a, b","label":"good"}\n{"text":"c","label":"1"}')),
    ],
    # Names of our own: gzip output holds the time, and two test workers must agree on names.
    ids=["tsv", "crlf", "bom", "jsonl", "csv.gz", "jsonl.gz"],
)
def test_every_format_gives_the_same(tmp_path, name, content):
    table = tables.read(write(tmp_path, name, content), ["text"], "label")
    assert table.columns == {"text": ["a, b", "c"], "label": ["good", "1"]}


def test_columns_can_be_renamed(tmp_path):
    path = write(tmp_path, "x.csv", "review,stars,text\nfine,5,other\n")
    names = {"text": "review", "label": "stars"}
    assert tables.read(path, ["text"], "label", names).columns == {"text": ["fine"], "label": ["5"]}


def test_columns_that_need_not_be_there(tmp_path):
    content = '{"text": "a", "by": "Ann"}\n\n{"text": "b"}\n{"text": "c", "by": 3}\n'
    path = write(tmp_path, "x.jsonl", content)
    table = tables.read(path, ["text"], names={"who": "by"}, optional=["who", "when"])
    assert table.lines == [1, 3, 4]
    assert table.columns == {
        "text": ["a", "b", "c"],
        "who": ["Ann", "", "3"],
        "when": ["", "", ""],
    }


def test_lines_of_json_have_their_numbers(tmp_path):
    path = write(tmp_path, "x.jsonl", '[1]\n\n{"a": \n ' + "[" * 100_000 + "\n2")
    assert list(tables.json_lines(path)) == [(1, [1]), (3, None), (4, None), (5, 2)]


def test_huge_field(tmp_path):
    text = "word " * 100_000  # the csv module stops at 131,072 characters unless told
    table = tables.read(write(tmp_path, "x.csv", f"text,label\n{text},a\n"), ["text"], "label")
    assert table.columns["text"] == [text]


def test_read_rows_keeps_everything_and_takes_empty_texts(tmp_path):
    path = write(tmp_path, "x.csv", "id,text\n1,\n2,b\n")
    assert tables.read_rows(path, ["text"]) == [{"id": "1", "text": ""}, {"id": "2", "text": "b"}]
    path = write(tmp_path, "x.jsonl", '{"text": "a", "n": [1]}\n{"text": 3}\n')
    with pytest.raises(ZooError, match="line 2 has a 'text' that is not text"):
        tables.read_rows(path, ["text"])


def test_nan_in_json_is_null(tmp_path):
    content = '{"text": NaN, "by": {"name": NaN}, "n": [NaN, 1.5]}\n{"text": "a"}\n'
    first, second = tables.read_rows(write(tmp_path, "x.jsonl", content), ["text"])
    assert (first["text"], first["by"], second) == (None, {"name": None}, {"text": "a"})
    assert math.isnan(first["n"][0])  # series of numbers are as they were
    deep = '{"text": "a", "by": ' + '{"x":' * 900 + "1" + "}" * 901
    assert len(tables.read_rows(write(tmp_path, "x.jsonl", deep), ["text"])) == 1


@pytest.mark.parametrize(
    "content", ["", "  \n\n", b"\xef\xbb\xbf", '""', '""\n" "\n', "sep=;\n\n", 'sep=;\n""\n']
)
def test_empty_file(tmp_path, content):
    assert refused(tmp_path, "x.csv", content) == "is empty."


def test_header_only(tmp_path):
    assert refused(tmp_path, "x.csv", "text,label\n") == "has a header but no rows."


def test_missing_column_suggests(tmp_path):
    message = refused(tmp_path, "x.csv", "texts,label\na,b\n")
    assert "no column 'text'" in message
    assert "There is: 'texts', 'label'" in message
    assert "Did you mean 'texts'?" in message
    assert "--column text=NAME" in message


@pytest.mark.parametrize(
    ("name", "sign", "said"),
    [
        ("x.csv", ";", "separated by semicolons"),
        ("x.csv", "\t", "separated by tabs"),
        ("x.tsv", ",", "separated by commas"),
        ("x.txt", "|", "separated by pipes"),
    ],
)
def test_another_separator_is_said(tmp_path, name, sign, said):
    reading = Reading()
    path = write(tmp_path, name, f"text{sign}label\na b{sign}good\n")
    table = tables.read(path, ["text"], "label", reading=reading)
    assert table.columns == {"text": ["a b"], "label": ["good"]}
    assert reading.notes == [f"{name}: {said}"]


def test_column_twice(tmp_path):
    assert "'text' twice" in refused(tmp_path, "x.csv", "text,label,text\na,b,c\n")


def test_ragged_rows_with_the_first_few_lines(tmp_path):
    rows = "".join('"a\nb",c\n' if row % 2 else "only\n" for row in range(16))
    message = refused(tmp_path, "x.csv", "text,label\n" + rows)
    # A good row takes two lines and a ragged one takes one: ragged ones are 2, 5, 8, …
    assert message == (
        "lines 2, 5, 8, 11, 14 and 3 more have another number of fields than the header's 2. "
        + REMEDY
    )


def test_a_text_a_line_with_commas(tmp_path):
    content = "text\na film, good\na mess, bad\n"
    path = write(tmp_path, "x.csv", content)
    with pytest.raises(ZooError, match=r"header's 1 \(`--sep none` reads .*No row can be used"):
        tables.read_rows(path, ["text"])
    rows = tables.read_rows(path, ["text"], Reading(ReadOptions(sep="none")))
    assert [row["text"] for row in rows] == ["a film, good", "a mess, bad"]
    # Where it would not help, another remedy is named.
    message = refused(tmp_path, "x.csv", content)
    assert message.startswith("has no column 'label'. There is: text.")
    write(tmp_path, "x.csv", content + "plain\n")
    with pytest.raises(ZooError, match=r"lines 2, 3 .*`--sep none` .* one text\)\. Correct"):
        tables.read_rows(path, ["text"])


def test_quote_that_never_ends(tmp_path):
    message = refused(tmp_path, "x.csv", 'text,label\n"a\nb",c\n"open,d\ne,f\n')
    assert "from line 4 on" in message


def test_nul_bytes(tmp_path):
    assert "NUL byte (line 2)" in refused(tmp_path, "x.csv", "text,label\na\0,b\n")


def test_another_encoding_is_said(tmp_path):
    for encoding in ("cp1252", "utf-16", "utf-8"):
        reading = Reading()
        path = write(tmp_path, "x.csv", "text,label\nUn café,good\n".encode(encoding))
        assert tables.read(path, ["text"], reading=reading).columns["text"] == ["Un café"]
        assert reading.notes == ([] if encoding == "utf-8" else [f"x.csv: encoding {encoding}"])


def test_what_unpacks_to_too_much_is_refused(tmp_path, monkeypatch):
    content = CSV.encode()
    bomb = content + b"x" * 1_000_000
    monkeypatch.setenv("ZOO_MAX_UNPACKED", "1e5")
    message = refused(tmp_path, "x.csv.gz", gzip.compress(bomb))
    assert "unpacks to more than 100,000 bytes" in message
    assert "ZOO_MAX_UNPACKED" in message
    # Several members, and what is behind the last, count together.
    message = refused(tmp_path, "x.jsonl.gz", gzip.compress(bytes(60_000)) * 2)
    assert "unpacks to more than 100,000 bytes" in message
    for limit in (len(content), 1e300):
        monkeypatch.setenv("ZOO_MAX_UNPACKED", str(limit))
        (tmp_path / "x.csv.gz").write_bytes(gzip.compress(content))
        assert contents.read_text(tmp_path / "x.csv.gz") == CSV
    monkeypatch.setenv("ZOO_MAX_UNPACKED", "much")
    with pytest.raises(UsageError, match="ZOO_MAX_UNPACKED must be a number, 0 or more"):
        contents.read_text(tmp_path / "x.csv.gz")


def test_a_bomb_is_refused_before_it_fills_the_memory(tmp_path, monkeypatch):
    monkeypatch.setattr(contents, "MAX_UNPACKED", 1e6)  # where nothing is set
    path = write(tmp_path, "x.csv.gz", gzip.compress(bytes(10_000_000)) * 20)
    tracemalloc.start()
    try:
        with pytest.raises(ZooError, match="unpacks to more than 1,000,000 bytes"):
            contents.read_text(path)
        assert tracemalloc.get_traced_memory()[1] < 20e6
    finally:
        tracemalloc.stop()


def test_messages_quote_little_of_a_file(tmp_path):
    long = "x" * 100_000
    path = tmp_path / "x.csv"
    for content in (f"{long},label\na,b\n", f"text,{long}\na,b\n", f"{long},{long}\na,b\n"):
        path.write_text(content)
        with pytest.raises(ZooError) as caught:
            tables.read(path, ["text"], "label")
        assert len(str(caught.value)) < 1000
    with pytest.raises(UsageError, match="There is no file") as caught:
        tables.read(Path("/".join(["x" * 100] * 20) + ".csv"), ["text"])
    assert len(str(caught.value)) < 300


def test_broken_gzip(tmp_path):
    whole = gzip.compress(CSV.encode())
    assert "gzip" in refused(tmp_path, "x.csv.gz", whole[:-9])
    assert "gzip" in refused(tmp_path, "x.csv.gz", CSV)


def test_empty_texts_and_labels(tmp_path):
    message = refused(tmp_path, "x.csv", "text,label\n ,a\nb,c\n,a\n")
    assert message == f"lines 2, 4 have an empty 'text'. {REMEDY}"
    message = refused(tmp_path, "x.csv", "text,label\na,b\nb, \n")
    assert message == f"line 3 has an empty 'label'. {REMEDY}"


def test_rows_that_cannot_be_used_are_left_out_on_request(tmp_path):
    content = "text,label\na,good\n ,bad\nonly\nb,\n,\nc,bad\n"
    path = write(tmp_path, "x.csv", content)
    reading = Reading(ReadOptions(drop_bad=True))
    table = tables.read(path, ["text"], "label", reading=reading)
    assert (table.columns["text"], table.lines) == (["a", "c"], [2, 7])
    assert reading.notes == [
        "x.csv: line 4 has another number of fields than the header's 2; omitted",
        "x.csv: lines 3, 6 have an empty 'text'; omitted",
        "x.csv: line 5 has an empty 'label'; omitted",
    ]
    write(tmp_path, "x.csv", "text,label\n,good\n")
    with pytest.raises(ZooError, match=r"empty 'text'\. No row can be used"):
        tables.read(path, ["text"], "label", reading=reading)


def test_json_lines(tmp_path):
    good = '{"text": "a", "label": "b"}\n'
    message = refused(tmp_path, "x.jsonl", good + "{oops\n[1]\n")
    assert message == f"lines 2, 3 have no JSON object. {REMEDY}"
    message = refused(tmp_path, "x.jsonl", good + '\n{"text": "a"}\n')
    assert message == f"line 3 lacks 'label'. {REMEDY}"
    for wrong, what in (
        ("1.5", "a 'label' that is neither text nor a whole number"),
        ("[1, 2]", "a 'label' that is neither text nor a whole number"),
        ('{"a": 1}', "a 'label' that is neither text nor a whole number"),
        ("null", "an empty 'label'"),
        ("[]", "an empty 'label'"),
    ):
        message = refused(tmp_path, "x.jsonl", good + f'{{"text": "a", "label": {wrong}}}')
        assert message == f"line 2 has {what}. {REMEDY}"
    message = refused(tmp_path, "x.jsonl", good + '{"text": 5, "label": "b"}')
    assert message == f"line 2 has a 'text' that is not text. {REMEDY}"


def test_line_separators_inside_json_do_not_shift_the_count(tmp_path):
    # U+2028 and U+0085 end a line for str.splitlines, not for JSONL.
    good = '{"text": "a\u2028b\u0085c", "label": "b"}\n'
    assert refused(tmp_path, "x.jsonl", good + "x\n") == f"line 2 has no JSON object. {REMEDY}"


def test_usage_errors(tmp_path):
    with pytest.raises(UsageError, match="There is no file"):
        tables.read(tmp_path / "nothing.csv", ["text"])
    with pytest.raises(UsageError, match="is a folder"):
        tables.read(tmp_path, ["text"])
    with pytest.raises(UsageError, match="has an unknown format"):
        tables.read(write(tmp_path, "x.doc", "a"), ["text"])
