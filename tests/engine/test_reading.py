"""How files of people's own are detected: encoding, separator, quotes, numbers, dates."""

import dataclasses
import gzip
import io
import json
import zipfile
from pathlib import Path

import numpy as np
import pytest

from zoo.data import contents, dialects, numerals
from zoo.data.encodings import decode
from zoo.data.reading import Reading, ReadOptions, check_column_names, reading_of
from zoo.errors import UsageError, ZooError

REVIEWS = {
    "French": "Très bon café, la crème était délicieuse et l'hôtel à côté, où ça brûle.\n",
    "German": "Schöne Grüße aus München, überall häßliche Hüte.\n",
    "Spanish": "El niño comió mañana, aquí está la película más difícil.\n",
    "English": "A naïve film in a café: the résumé of a cliché, and much more of the same.\n",
    "quotes": "I don’t like it – “really” … costs 5 €\n",
    "Swedish": "Jag älskar åren på ön, och mörker är vackert.\n",
}
COMMA, GROUPED = "numbers with a decimal comma", "grouped thousands"
CURRENCY = "currency signs omitted"


def parse(text, name="x.csv", wanted=(), **options):
    """Returns the rows of a table, and what is said about it."""
    _, rows, said = dialects.sniff(text, name, Path(name).suffix, ReadOptions(**options), wanted)
    return [cells for _, cells in rows], said


@pytest.mark.parametrize("language", REVIEWS)
@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "cp1252"]
)
def test_texts_are_decoded_as_they_were_written(language, encoding):
    text = "text,label\n" + 3 * REVIEWS[language]
    decoded, name = decode(text.encode(encoding), "x.csv", ReadOptions())
    assert decoded == text
    assert name == encoding.removesuffix("-sig")


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("Zażółć gęślą jaźń, dzień dobry wszystkim", "cp1250"),
        ("Příliš žluťoučký kůň úpěl ďábelské ódy", "cp1250"),
        ("Привет, как дела? Всё хорошо", "cp1251"),
        ("Καλημέρα σας, τι κάνετε", "cp1253"),
        ("Güzel bir film değil, şimdi ışık", "cp1254"),
        ("Très bon café, la crème était délicieuse", "mac_roman"),
        ("你好世界这是一个测试今天天气很好", "gb18030"),
        ("我不喜歡這個電影", "big5"),
        ("この映画は良かった", "cp932"),
        ("東京都の天気", "euc_jp"),
        ("이 영화는 좋았다", "euc_kr"),
    ],
)
def test_other_encodings_are_asked_for_and_then_read(text, encoding):
    data = f"text,label\n{text}\n".encode(encoding)
    with pytest.raises(UsageError, match="not UTF-8 on line 2; it may be") as caught:
        decode(data, "x.csv", ReadOptions())
    assert f"--encoding {encoding}" in str(caught.value)
    assert decode(data, "x.csv", ReadOptions(encoding=encoding))[0] == f"text,label\n{text}\n"


def test_a_word_that_two_code_pages_read_is_asked_for():
    with pytest.raises(UsageError, match=r"cp1252 \('è'\).*--encoding"):
        decode("Questo è un film bello\n".encode("cp1252"), "x.csv", ReadOptions())


def test_damaged_utf8_is_refused_with_its_lines_or_lines_are_left_out():
    data = "text\ncafé\nnaïve\n".encode() + b"caf\xe9\nok\n"
    with pytest.raises(ZooError, match=r"UTF-8, but not byte 0xe9 on line 4.*--drop-bad"):
        decode(data, "x.csv", ReadOptions())
    text, name = decode(data, "x.csv", ReadOptions(drop_bad=True))
    assert text == "text\ncafé\nnaïve\n\nok\n"
    assert name == "utf-8 without line 4"


def test_the_encoding_that_is_said_decides():
    assert decode("café".encode("cp1252"), "x", ReadOptions(encoding="cp1250"))[0] == "café"
    with pytest.raises(ZooError, match="is not ascii: byte 0xe9 on line 2"):
        decode(b"a\ncaf\xe9", "x", ReadOptions(encoding="ascii"))
    assert decode(b"\xef\xbb\xbfa", "x", ReadOptions(encoding="utf-8"))[0] == "a"
    for name in ("nothing", "rot13", "hex"):
        with pytest.raises(UsageError, match="knows no encoding"):
            ReadOptions(encoding=name)


def test_nul_bytes_are_no_text():
    with pytest.raises(ZooError, match=r"NUL byte \(line 2\)"):
        decode(b"a\nb\0c\n", "x", ReadOptions())
    with pytest.raises(ZooError, match="NUL byte"):
        decode(bytes(range(256)), "x", ReadOptions())


@pytest.mark.parametrize("sign", [",", ";", "\t", "|"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("last", [True, False])
def test_separators_and_line_ends(sign, end, last):
    lines = [f"text{sign}label", f'"a{sign}b"{sign}good', f"c d{sign}bad"]
    text = end.join(lines) + end * last
    rows, said = parse(text)
    assert rows == [["text", "label"], [f"a{sign}b", "good"], ["c d", "bad"]]
    assert said == ([] if sign == "," else [f"separated by {dialects.NAMES[sign]}"])


def test_a_header_with_two_signs_is_decided_by_names_or_rows():
    text = "id;text,of it;label\n1;a, b;x\n2;c;y\n"
    assert parse(text)[0][1] == ["1", "a, b", "x"]
    text = "a;b,c;d\n1;2,3;4\n"
    with pytest.raises(UsageError, match="--sep comma or --sep semicolon"):
        parse(text)
    assert parse(text, sep="comma")[0] == [["a;b", "c;d"], ["1;2", "3;4"]]
    assert parse(text, wanted=["a", "d"])[0][0] == ["a", "b,c", "d"]
    assert parse("sep=;\ntext;label,x\na;b\n")[0] == [["text", "label,x"], ["a", "b"]]


def test_one_column_has_no_separator():
    assert parse("text\nhello\nyou\n")[0] == [["text"], ["hello"], ["you"]]
    assert parse("text\na, b\nc\n", sep="none")[0] == [["text"], ["a, b"], ["c"]]


def test_quotation_marks_of_tabs_are_characters():
    text = 'text\tlabel\n"Superb from start\tgood\n"Dull."\tbad\nIt ends "here"\tgood\n'
    rows, said = parse(text, "x.tsv")
    assert rows[1:] == [
        ['"Superb from start', "good"],
        ['"Dull."', "bad"],
        ['It ends "here"', "good"],
    ]
    assert said == ["cells without CSV quoting"]
    # Another cell that ends with one swallows rows in CSV's reading.
    text = 'text\tlabel\n"Superb from start\tgood\nI wish\tbad\nShe said: "no"\tgood\n"\tbad\n'
    assert len(parse(text, "x.tsv")[0]) == 5


@pytest.mark.parametrize(
    "text",
    [
        'text\tlabel\n"a\tb"\tgood\nc\tbad\n',  # a tab inside
        'text\tlabel\n"a\nb"\tgood\nc\tbad\n',  # a line break inside
        'text\tlabel\n"a ""b"""\tgood\nc\tbad\n',  # doubled
        '"text"\t"label"\n"a b"\t"good"\n"c"\t"bad"\n',  # everything
    ],
)
def test_quotation_marks_of_tabs_that_quote(text):
    rows, said = parse(text, "x.tsv")
    assert (rows[0], len(rows), said) == (["text", "label"], 3, [])
    assert not rows[1][0].startswith('"')


def test_quotation_marks_of_commas():
    assert parse('text,label\n"Dull.",bad\nc,good\n')[0][1] == ["Dull.", "bad"]
    assert parse('text,label\n"a, b\nc, d",good\n')[0][1] == ["a, b\nc, d", "good"]
    # Unquoted, as the quotes do not match.
    rows, said = parse('text,label\n"Dull,bad\nc,good\n')
    assert (rows[1], said) == (['"Dull', "bad"], ["cells without CSV quoting"])
    assert parse('text,label\n"say \\"no\\", she",bad\nc,good\n')[0][1] == ['say "no", she', "bad"]
    text = 'text,label\n"Superb,good\nI wish,bad\nno",good\n'
    with pytest.raises(UsageError, match=r"--quoting csv .* --quoting none"):
        parse(text)
    assert len(parse(text, quoting="none")[0]) == 4
    assert parse(text, quoting="csv")[0][1] == ["Superb,good\nI wish,bad\nno", "good"]


def test_packed_files_are_known_by_what_they_hold(tmp_path):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("in/x.csv", "text\ncafé\n")
        archive.writestr("__MACOSX/._x.csv", "junk")
        archive.writestr("in/.DS_Store", "junk")
    for name, data in (
        ("x.csv", b"text\ncaf\xc3\xa9\n"),
        ("x.csv.gz", gzip.compress("text\ncafé\n".encode())),
        ("x.txt", gzip.compress("text\ncafé\n".encode("utf-16"))),
        ("x.zip", packed.getvalue()),
    ):
        path = tmp_path / name
        path.write_bytes(data)
        assert contents.read_text(path) == "text\ncafé\n"
    assert contents.inner_name(tmp_path / "x.zip") == "x.csv"
    with zipfile.ZipFile(tmp_path / "x.zip", "a") as archive:
        archive.writestr("y.csv", "text\n")
    with pytest.raises(UsageError, match="holds 2 files"):
        contents.read_text(tmp_path / "x.zip")
    for name in ("x.csv.gz", "x.zip"):
        whole = (tmp_path / name).read_bytes()
        (tmp_path / name).write_bytes(whole[: len(whole) // 2])
        with pytest.raises(ZooError, match="is not a complete"):
            contents.read_text(tmp_path / name)


def test_lines_end_as_most_do():
    assert contents.split_lines("a\r\nb\r\n") == ["a", "b"]
    assert contents.split_lines("a\rb\r") == ["a", "b"]
    assert contents.split_lines("a\rb\n\n") == ["a\rb", ""]
    assert contents.unix_lines("a\rb\r") == "a\nb\n"


@pytest.mark.parametrize(
    ("cells", "expected", "said"),
    [
        (["1.5", "-2", "1e3"], [1.5, -2, 1000], []),
        (["$106.98", "$1,106.98"], [106.98, 1106.98], [GROUPED, CURRENCY]),
        (["1.234,5 €", "7"], [1234.5, 7], [COMMA, GROUPED, CURRENCY]),
        (["100,151", "99,5"], [100.151, 99.5], [COMMA]),
        (["1'234.50", "1 234.5"], [1234.5, 1234.5], [GROUPED]),
        (["1.2M", "3K", "0.5%"], [1.2e6, 3000, 0.5], ["percent signs omitted"]),
        (["(3.2)", "\u22124"], [-3.2, -4], []),
        (["12,34,567.8"], [1234567.8], [GROUPED]),
    ],
)  # fmt: skip
def test_numbers(cells, expected, said):
    style = numerals.numerals([cells], "x.csv", ReadOptions())
    assert [numerals.number(cell, style) for cell in cells] == pytest.approx(expected)
    assert style.says() == said


def test_numbers_that_cannot_be_decided_are_asked_for():
    def read(*cells, **options):
        style = numerals.numerals([cells], "x.csv", ReadOptions(**options))
        return [numerals.number(cell, style) for cell in cells]

    with pytest.raises(UsageError, match=r"'100,151'.*--decimal comma or --decimal point"):
        read("100,151", "99,222")
    assert read("100,151", decimal="comma") == [100.151]
    assert read("100,151", decimal="point") == [100151]
    with pytest.raises(ZooError, match=r"'1\.5'.*'1,5'.*--decimal"):
        read("1.5", "1,5")
    assert read("1.5", "1,5", decimal="point") == [1.5, None]
    assert read("abc", "1.5 and more") == [None, None]


def test_dates():
    def first(*values, **options):
        return numerals.day_first(values, "x.csv", ReadOptions(**options))

    assert first("01/03/2023", "13/03/2023") is True
    assert first("03/01/2023", "03/13/2023") is False
    assert first("2023-01-02", "Oct 3, 2023") is None
    assert first("01.02.2023") is True
    # One way only the days ascend.
    assert first("01/03/2023", "02/03/2023", "01/04/2023", "02/05/2023") is True
    assert first("04/01/2023", "03/02/2023", "03/01/2023") is False
    with pytest.raises(UsageError, match=r"01/02/2023.*--dayfirst or --monthfirst"):
        first("01/02/2023", "02/03/2023")
    assert first("01/02/2023", dayfirst=False) is False
    with pytest.raises(UsageError, match=r"day \(13/01/2023\).*month \(01/13/2023\)"):
        first("13/01/2023", "01/13/2023")


def test_what_is_said_of_a_file_is_one_line():
    reading = reading_of({"sep": "tab", "drop_bad": True})
    assert reading.options == ReadOptions(sep="tab", drop_bad=True)
    assert reading.options.to_json() == {"sep": "tab", "drop_bad": True}
    assert reading_of(reading) is reading
    reading.found(Path("a/x.csv"), "cp1252")
    reading.found("x.csv", "separated by tabs")
    reading.found("x.csv", "cp1252")
    reading.note("1 row dropped")
    assert reading.notes == ["x.csv: cp1252, separated by tabs", "1 row dropped"]
    assert Reading().notes == []


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"sep": "commas"}, "--sep must be"),
        ({"sep": "\n"}, "another meaning"),
        ({"quoting": "all"}, "Unknown quoting"),
        ({"decimal": "dot"}, "--decimal must be"),
        ({"min_count": -1}, "0 or more"),
        ({"seperator": ","}, "Unknown reading option 'seperator'"),
    ],
)
def test_wrong_options(options, message):
    with pytest.raises(UsageError, match=message):
        reading_of(options)


WRONG_TYPES = {
    "str": (None, 5, True, b"x", ["x"]),
    "int": (None, "3", 1.5, True),
    "bool": (None, "no", 0, 1),
    "bool | None": ("no", 0, 1),
}


@pytest.mark.parametrize("field", dataclasses.fields(ReadOptions), ids=lambda field: field.name)
def test_options_of_another_type(field):
    for value in WRONG_TYPES[field.type]:
        with pytest.raises(UsageError, match=f"^The reading option '{field.name}' must be "):
            ReadOptions(**{field.name: value})
        if (field.name, value) != ("sheet", 5):
            with pytest.raises(UsageError, match=f"^The reading option '{field.name}' must be "):
                reading_of({field.name: value})


def test_numbers_of_sheets_and_of_numpy_are_options():
    assert reading_of({"sheet": 2}).options == ReadOptions(sheet="2")
    given = ReadOptions(min_count=np.int64(3), drop_bad=np.True_, dayfirst=np.False_)
    assert json.loads(json.dumps(given.to_json())) == {
        "dayfirst": False, "drop_bad": True, "min_count": 3
    }  # fmt: skip


def test_names_of_columns_are_texts():
    check_column_names({"text": "review"})
    check_column_names(None)
    with pytest.raises(UsageError, match="The name of the column 'text' must be a str; got 5"):
        check_column_names({"text": 5})
