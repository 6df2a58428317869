"""`zoo predict`: texts, files and pipes in; lines, JSON and files out."""

import csv
import gzip
import json
import os
import pty
import sys
from pathlib import Path

import pytest

import zoo

ANSWER = ["label", "probabilities", "score"]
OUTPUTS = sorted([*ANSWER, "novelty", "unknown_words", "unusual"])


@pytest.fixture(scope="module")
def answers(own_run):
    """Texts, and what the function answers to them."""
    texts = ["a lovely film", "", "a dull mess", "emoji 🎉 <br /> HTML"]
    return texts, zoo.load(own_run).predict(texts)


# The vocabulary of so small a run lacks all words of the last text.
NOTE = (
    "note: 1 of 4 rows is unusual for this model (the first is row 4): 100% of its words are "
    "unknown\n"
)


def rows(text):
    return [json.loads(line) for line in text.split("\n")[:-1]]


def approximately(answer):
    """Rows computed beside others differ in the last bits."""
    return {
        "label": answer["label"],
        "score": pytest.approx(answer["score"], abs=1e-6),
        "probabilities": pytest.approx(answer["probabilities"], abs=1e-6),
    }


def check(found, texts, answers, column="text"):
    assert [row[column] for row in found] == texts
    assert [{key: row[key] for key in ANSWER} for row in found] == list(map(approximately, answers))


def test_lines_for_people(cli, own_run, answers):
    texts, expected = answers
    result = cli("predict", own_run, *texts)
    assert result.err == NOTE
    assert result.out.splitlines() == [
        f"{answer['label']:>10}  {answer['score']:.3f}  {text}"
        for text, answer in zip(texts, expected, strict=True)
    ]


def test_unusual_rows_are_noted_on_one_line(cli, own_run):
    strange = "qqq www eee rrr ttt"
    note = "unusual for this model{}: 100% of its words are unknown\n"
    assert cli("predict", own_run, strange).err == "note: the row is " + note.format("")
    result = cli("predict", own_run, "a lovely film", strange, "--json")
    assert result.err == "note: 1 of 2 rows is " + note.format(" (the first is row 2)")
    assert [row["unusual"] for row in rows(result.out)] == [False, True]
    result = cli("predict", own_run, "-", stdin=f"{strange}\na lovely film\n{strange}\n".encode())
    assert result.err == "note: 2 of 3 rows are " + note.format(" (the first is row 1)")


def test_lines_for_people_are_one_each(cli, own_run):
    lines = cli("predict", own_run, "two\nlines", "\x1b[31mred\x07").out.split("\n")
    assert lines[0].endswith("  two lines")
    assert lines[1].endswith("   [31mred ")  # a space for each character that is omitted
    assert lines[2:] == [""]


def test_lines_fit_a_terminal(cli, own_run, monkeypatch):
    from zoo.cli.predict import _shortened

    given = {"text": "x" * 70}
    line = "y" * 11 + "x" * 70
    assert _shortened(line[1:], given, 80) == line[1:]
    assert _shortened(line, given, 80) == line[:79] + "…"
    assert _shortened(line, given, None) == line
    assert _shortened(line + "y", given, 80) == line + "y"  # an answer is never cut
    long = "word " * 100
    assert cli("predict", own_run, long).out.rstrip().endswith(long.strip())


@pytest.mark.parametrize("option", [["--json"], ["-o", "-"], ["--output", "-", "--json"]])
def test_json_lines(cli, own_run, answers, option):
    found = rows(cli("predict", own_run, *answers[0], *option).out)
    check(found, *answers)
    assert [list(row) for row in found] == [["text", *OUTPUTS]] * len(found)
    assert list(found[0]["probabilities"]) == ["bad", "good", "so-so"]


@pytest.mark.parametrize("arguments", [["-"], ["-i", "-"], []])
def test_standard_input(cli, own_run, answers, arguments):
    texts, expected = answers
    stdin = "\n".join(texts).encode()
    for ending in (b"", b"\n"):
        result = cli("predict", own_run, *arguments, "--json", stdin=stdin + ending)
        check(rows(result.out), texts, expected)
    # Line breaks of Windows; a separator that Unicode counts as a line break is none.
    stdin = "\ufeffone\u2028line\r\n\r\nthree\r\n".encode()
    found = rows(cli("predict", own_run, *arguments, "--json", stdin=stdin).out)
    assert [row["text"] for row in found] == ["one\u2028line", "", "three"]


def test_bytes_that_are_not_utf8(cli, own_run, tmp_path):
    expected = zoo.load(own_run).predict([b"caf\xe9"])[0]["score"]
    found = rows(cli("predict", own_run, "--json", os.fsdecode(b"caf\xe9")).out)
    assert found[0]["text"] == "caf\ufffd"
    assert found[0]["score"] == pytest.approx(expected, abs=1e-6)
    assert cli("predict", own_run, os.fsdecode(b"caf\xe9")).out.endswith("  caf\ufffd\n")
    # Of a file, the whole text tells.
    result = cli("predict", own_run, "-", "-o", "out.csv", stdin=b"caf\xe9")
    assert result.err == "note: Standard input: encoding cp1252\n"
    assert (tmp_path / "out.csv").read_text("utf-8").splitlines()[1].startswith("café,")
    result = cli("predict", own_run, "--json", stdin=b"\xff\n", code=2)
    assert "not UTF-8 on line 1" in result.err
    assert "--encoding" in result.err
    found = rows(cli("predict", own_run, "--json", "--encoding=cp1251", stdin=b"\xff\n").out)
    assert found[0]["text"] == "я"
    # A lone surrogate, which JSON can say, but UTF-8 cannot.
    (tmp_path / "in.jsonl").write_text('{"text": "\\ud800"}\n')
    found = rows(cli("predict", own_run, "-i", "in.jsonl", "--json").out)
    assert set(found[0]["text"]) == {"\ufffd"}


def test_nothing_given_at_a_terminal(cli, own_run):
    leader, follower = pty.openpty()
    with open(leader), open(follower) as terminal:
        result = cli("predict", own_run, stdin=terminal, code=2)
    assert "Give texts, a file (-i), or `-` for standard input." in result.err


@pytest.mark.parametrize("suffix", ["csv", "tsv", "jsonl", "csv.gz"])
def test_files_keep_their_columns(cli, own_run, answers, tmp_path, suffix):
    texts, expected = answers
    given = [{"id": str(n), "text": text, "label": "old"} for n, text in enumerate(texts)]
    file = tmp_path / f"in.{suffix}"
    with (gzip.open if suffix.endswith("gz") else open)(file, "wt", newline="") as out:
        if suffix == "jsonl":
            out.writelines(json.dumps(row) + "\n" for row in given)
        else:
            delimiter = "\t" if suffix == "tsv" else ","
            writer = csv.DictWriter(out, ["id", "text", "label"], delimiter=delimiter)
            writer.writeheader()
            writer.writerows(given)
    result = cli("predict", own_run, "-i", file, "--json")
    found = rows(result.out)
    check(found, texts, expected)
    assert [row["id"] for row in found] == ["0", "1", "2", "3"]
    assert {row["given_label"] for row in found} == {"old"}  # the answer's is `label`


def test_text_files(cli, own_run, answers, tmp_path):
    texts, expected = answers
    for name in ("in.txt", "in"):
        (tmp_path / name).write_text("\n".join(texts) + "\n", encoding="utf-8")
        check(rows(cli("predict", own_run, "-i", name, "--json").out), texts, expected)


def test_other_column(cli, own_run, own):
    found = rows(cli("predict", own_run, "-i", own, "--column", "text=review", "--json").out)
    texts = [row["review"] for row in found]
    check(found, texts, zoo.load(own_run).predict(texts), column="review")
    lines = cli("predict", own_run, "-i", own, "--column", "text=review").out.splitlines()
    assert [line.split("  ")[-1] for line in lines] == texts


@pytest.mark.parametrize("suffix", ["csv", "tsv", "jsonl"])
def test_output_files(cli, own_run, answers, tmp_path, suffix):
    texts, expected = answers
    result = cli("predict", own_run, *texts, "-o", f"new/out.{suffix}")
    assert (result.out, result.err) == ("", NOTE)
    assert [path.name for path in (tmp_path / "new").iterdir()] == [f"out.{suffix}"]
    text = (tmp_path / "new" / f"out.{suffix}").read_text("utf-8")
    if suffix == "jsonl":
        check(rows(text), texts, expected)
        return
    reader = csv.DictReader(text.splitlines(), delimiter="\t" if suffix == "tsv" else ",")
    found = list(reader)
    parts = [f"probabilities.{label}" for label in ("bad", "good", "so-so")]
    outputs = [*parts, "score", "unknown_words", "unusual"]
    assert reader.fieldnames == ["text", "label", "novelty", *outputs]
    assert [row["unusual"] for row in found] == ["False"] * 3 + ["True"]
    assert [row["text"] for row in found] == texts
    assert [row["label"] for row in found] == [answer["label"] for answer in expected]
    for row, answer in zip(found, expected, strict=True):
        numbers = [float(row[part]) for part in parts]
        assert numbers == pytest.approx(list(answer["probabilities"].values()), abs=1e-6)


def test_output_of_uneven_rows(cli, own_run, tmp_path):
    given = [{"text": "a", "n": 1}, {"text": "b", "tags": ["x", "y"], "by": {"name": "z"}}]
    (tmp_path / "in.jsonl").write_text("".join(json.dumps(row) + "\n" for row in given))
    cli("predict", own_run, "-i", "in.jsonl", "-o", "out.csv")
    found = list(csv.DictReader((tmp_path / "out.csv").read_text().splitlines()))
    assert [(row["n"], row["tags"], row["by.name"]) for row in found] == [
        ("1", "", ""),
        ("", '["x", "y"]', "z"),
    ]


@pytest.mark.parametrize("suffix", ["csv", "jsonl"])
def test_no_column_is_lost_however_often_a_file_is_answered(cli, own_run, tmp_path, suffix):
    rows_given = [
        {"text": "one", "given_label": "a", "label": "b", "probabilities.bad": "c", "score": "d"},
        {"text": "two", "given_label": "e", "label": "f", "probabilities.bad": "g", "score": "h"},
    ]
    with open(tmp_path / "0.csv", "w", newline="") as file:
        writer = csv.DictWriter(file, list(rows_given[0]))
        writer.writeheader()
        writer.writerows(rows_given)
    cli("predict", own_run, "-i", "0.csv", "-o", f"1.{suffix}")
    for time in (1, 2):
        cli("predict", own_run, "-i", f"{time}.{suffix}", "-o", f"{time + 1}.{suffix}")
        text = (tmp_path / f"{time + 1}.{suffix}").read_text("utf-8")
        if suffix == "jsonl":
            found = rows(text)
        else:
            found = list(csv.DictReader(text.splitlines()))
            assert not [name for row in found for name in row if name is None]
        for row, given in zip(found, rows_given, strict=True):
            assert set(given.values()) <= {v for v in row.values() if isinstance(v, str)}
        labels = {name for name in found[0] if name.endswith("label")}
        assert labels == {f"{'given_' * n}label" for n in range(time + 3)}


def test_nested_names_that_are_the_same_when_flat(cli, own_run, tmp_path):
    given = {"text": "a", "meta": {"a": 1}, "meta.a": "flat", "given_meta.a": "x"}
    (tmp_path / "in.jsonl").write_text(json.dumps(given) + "\n")
    cli("predict", own_run, "-i", "in.jsonl", "-o", "out.csv")
    (row,) = csv.DictReader((tmp_path / "out.csv").read_text().splitlines())
    assert (row["meta.a"], row["given_meta.a"], row["given_given_meta.a"]) == ("1", "x", "flat")
    cli("predict", own_run, "-i", "in.jsonl", "-o", "out.jsonl")
    (row,) = rows((tmp_path / "out.jsonl").read_text())
    assert {name: row[name] for name in given} == given


@pytest.mark.parametrize("name", ["in.txt", "in.txt.gz", "-"])
@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "cp1252"])
def test_texts_of_other_encodings(cli, own_run, answers, tmp_path, name, encoding):
    texts = ["a lovely café", "a dull mess"]
    data = "\r\n".join([*texts, ""]).encode(encoding)
    data = gzip.compress(data) if name.endswith("gz") else data
    (tmp_path / name).write_bytes(data)
    result = cli("predict", own_run, "-i", name, "--json", stdin=data)
    assert [row["text"] for row in rows(result.out)] == texts
    name = "Standard input" if name == "-" else name
    assert result.err == f"note: {name}: encoding {encoding}\n"


def test_nul_bytes_are_refused(cli, own_run, tmp_path):
    (tmp_path / "in.txt").write_bytes(b"a\0b\nc\n")
    assert "NUL byte (line 1)" in cli("predict", own_run, "-i", "in.txt", code=1).err
    assert "NUL byte (line 1)" in cli("predict", own_run, stdin=b"a\0b\n", code=1).err


def test_how_a_file_is_read_is_said_and_can_be_told(cli, own_run, tmp_path):
    (tmp_path / "in.tsv").write_text('id\ttext\n1\t"I saw it\n2\tIt ends "here"\n3\tok\n')
    result = cli("predict", own_run, "-i", "in.tsv", "--json")
    assert [row["text"] for row in rows(result.out)] == ['"I saw it', 'It ends "here"', "ok"]
    assert result.err.splitlines()[0] == "note: in.tsv: cells without CSV quoting"
    (tmp_path / "in.csv").write_text("id;text\n1;a, b\n2;c\n3;d;e\n")
    assert "--drop-bad" in cli("predict", own_run, "-i", "in.csv", code=1).err
    result = cli("predict", own_run, "-i", "in.csv", "--json", "--drop-bad")
    assert [row["text"] for row in rows(result.out)] == ["a, b", "c"]
    assert "line 4 has another number of fields than the header's 2; omitted" in result.err
    (tmp_path / "in.json").write_text('{"data": {"items": [{"doc": {"body": "a"}}]}, "n": 1}')
    result = cli("predict", own_run, "-i", "in.json", "--json", "--column", "text=doc.body")
    assert [row["doc"] for row in rows(result.out)] == [{"body": "a"}]
    assert result.err == "note: in.json: rows of data.items\n"
    (tmp_path / "ft.txt").write_text("__label__good a film\n__label__bad a mess\n")
    result = cli("predict", own_run, "-i", "ft.txt", "--json")
    found = [(row["text"], row["given_label"]) for row in rows(result.out)]
    assert found == [("a film", "good"), ("a mess", "bad")]


def test_file_over_itself(cli, own_run, tmp_path):
    (tmp_path / "a.csv").write_text("text\none\n")
    cli("predict", own_run, "-i", "a.csv", "-o", "a.csv")
    assert (tmp_path / "a.csv").read_text().startswith("text,label,")


@pytest.mark.parametrize(
    ("arguments", "message", "code"),
    [
        (["a", "-i", "b.csv"], "Give texts or a file (-i), not both.", 2),
        (["a", "-"], "`-` is standard input and cannot be combined with texts.", 2),
        (["-i", "none.csv"], "There is no file none.csv.", 2),
        (["-i", "none.txt"], "There is no file none.txt.", 2),
        (["-i", "."], ". is a folder, not a file.", 2),
        (["-i", "empty.csv"], "empty.csv is empty.", 1),
        (["-i", "empty.txt"], "empty.txt is empty: there is nothing to answer.", 1),
        (["-i", "own.xml"], "has an unknown format", 2),
        (["-i", "own.csv"], "own.csv has no column 'text'.", 1),
        (["-i", "bytes.csv"], "bytes.csv is not UTF-8 on line 2", 2),
        (["a", "--sep", "tab"], "--sep applies to files only: give -i FILE instead of texts.", 2),
        (["a", "--min-count", "5"], "--min-count counts the training rows of each class", 2),
        (["-i", "own.csv", "--min-count", "5"], "are not for training. Omit it.", 2),
        (["-i", "lines.txt", "--sep", "tab"], "--sep is for tables, but lines.txt is none.", 2),
        (
            ["-i", "lines.txt", "-o", "out", "--ray", "2", "--column", "text=a"],
            "--column is for tables, but lines.txt is none.",
            2,
        ),
        (["-", "--sheet", "1"], "--sheet is for tables, but standard input is none.", 2),
        (["-i", "lines.txt", "--column", "text=a"], "--column is for tables, but lines.txt is", 2),
        (["-i", "own.csv", "--encoding", "utf8x"], "Python knows no encoding 'utf8x'", 2),
        (["-i", "own.csv", "--column", "txt=review"], "Did you mean 'text'?", 2),
        (["a", "--column", "text=b"], "--column applies to files only: give -i FILE instead", 2),
        (["a", "-o", "out.xlsx"], "must end in .csv, .tsv or .jsonl.", 2),
        (["a", "-o", "folder"], "folder is a folder.", 2),
        (["a", "-o", "empty.csv/out.csv"], "Cannot write empty.csv/out.csv", 1),
        (["a", "-o", "out.csv", "--json"], "--json contradicts out.csv: choose", 2),
        ([], "Standard input is empty", 1),
        (["a", "--jsn"], "--json", 2),
    ],
)
def test_wrong_usage(cli, own_run, own, tmp_path, arguments, message, code):
    (tmp_path / "own.xml").write_text("<a/>")
    (tmp_path / "bytes.csv").write_bytes(b"text\n\xff\n")
    (tmp_path / "folder").mkdir()
    (tmp_path / "lines.txt").write_text("a\nb\n")
    for name in ("empty.csv", "empty.txt"):
        (tmp_path / name).touch()
    before = sorted(tmp_path.iterdir())
    result = cli("predict", own_run, *arguments, stdin=b"a\n" * ("-" in arguments), code=code)
    assert message in result.err
    assert result.out == ""
    assert sorted(tmp_path.iterdir()) == before


def test_wrong_model(cli, tmp_path):
    assert "'mine' is not a pretrained model" in cli("predict", "mine", "a", code=2).err
    Path("empty").mkdir()
    assert "is neither a run folder nor an export" in cli("predict", "./empty", "a", code=2).err


def test_process_says_nothing_else(process, own_run, answers):
    """Neither TensorFlow nor absl on stderr."""
    done = process("predict", own_run, "a text", "--json")
    assert (done.returncode, done.stderr) == (0, b"")
    assert len(done.stdout.splitlines()) == 1


@pytest.mark.skipif(sys.platform == "win32", reason="needs a shell's pipes")
def test_named_pipe(cli, own_run, tmp_path):
    import threading

    os.mkfifo(tmp_path / "pipe")
    writer = threading.Thread(target=(tmp_path / "pipe").write_text, args=("one\ntwo\n",))
    writer.start()
    found = rows(cli("predict", own_run, "-i", tmp_path / "pipe", "--json").out)
    writer.join()
    assert [row["text"] for row in found] == ["one", "two"]


@pytest.mark.parametrize("name", ["reviews.txt", "reviews.csv", "reviews.CSV.gz", "x.jsonl"])
def test_a_file_that_was_read_as_a_text_is_said(cli, sample_run, name):
    Path(name).write_text("a fine film\n")
    note = cli("predict", sample_run, name).err
    assert f"'{name}' was read as a text, not as a file" in note
    assert f"use -i {name}" in note
    assert not cli("predict", sample_run, f"no{name}").err


def test_a_name_after_a_tilde_that_no_user_has(cli, sample_run):
    Path("~$x.csv").write_text("text\na fine film\n")
    assert cli("predict", sample_run, "-i", "~$x.csv", "--json").out
    assert "no file" in cli("predict", sample_run, "-i", "~$y.csv", code=2).err


def test_a_column_that_is_missing_is_named_by_the_option_that_works(cli, sample_run):
    Path("x.csv").write_text("review,n\na fine film,1\n")
    found = cli("predict", sample_run, "-i", "x.csv", "--column", "text=revue", code=1).err
    assert "no column 'revue'" in found
    assert "--column text=NAME" in found


def test_a_cache_that_cannot_be_written_does_not_spoil_an_answer(cli, monkeypatch):
    pytest.importorskip("onnxruntime", reason="needs the extra [onnx]")
    from zoo.serving.portable import twin, twin_maker

    def refuse(*arguments):
        raise PermissionError(13, "Permission denied", "/cache/tmp")

    monkeypatch.setattr(twin, "find_twin", lambda *arguments: None)
    monkeypatch.setattr(twin_maker, "make", refuse)
    answer = cli("predict", "imdb-gru", "a fine film", "-v")
    assert answer.out.split() == ["positive", answer.out.split()[1], "a", "fine", "film"]
    assert "no copy for a faster start was cached: " in answer.err
    assert "Permission denied" in answer.err
