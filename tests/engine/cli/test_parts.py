"""`zoo predict --ray`: a large file in parts, in the order of its rows."""

import json
import os
import subprocess
import sys

import click.testing
import pytest

from zoo.cli import parts
from zoo.cli.predict import predict
from zoo.errors import UsageError, ZooError

CSV = 'id,text\n1,"one\nof two lines"\n2,"a ""quoted"" word"\n3,three\n4,four\n5,five\n'


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("x.csv", CSV, [2, 2, 1]),
        ("x.csv", CSV.removesuffix("\n"), [2, 2, 1]),
        ("x.txt", "a\n\nb\n", [2, 1]),
        ("x.jsonl", '{"text": "a"}\n' * 4, [2, 2]),
    ],
)
def test_a_file_is_cut_between_its_rows(tmp_path, name, text, expected):
    path = tmp_path / name
    path.write_text(text)
    found = list(parts.find_parts(path, 2))
    pieces = [text.encode()[start:end].decode() for start, end in found]
    header = "id,text\n" if name.endswith(".csv") else ""
    assert header + "".join(pieces) == text
    rows = [piece.replace("one\nof", "one of").count("\n") for piece in pieces]
    rows[-1] += not text.endswith("\n")
    assert rows == expected


@pytest.mark.parametrize(
    ("name", "text", "error", "message"),
    [
        ("x.csv", "id,text\n", ZooError, "has no rows"),
        ("x.txt", "", ZooError, "has no rows"),
        ("x.gz", "a\n", UsageError, "--ray reads .csv"),
    ],
)
def test_what_cannot_be_cut_is_said(tmp_path, name, text, error, message):
    (tmp_path / name).write_text(text)
    with pytest.raises(error, match=message):
        list(parts.find_parts(tmp_path / name, 2))


def test_options_that_do_not_fit_are_refused(tmp_path):
    (tmp_path / "x.txt").write_text("a\n")
    whole = ["-i", "x.txt", "-o", "y"]
    for more in (
        *([], ["-i", "x.txt"], [*whole, "--json"], ["a", "-o", "y"]),
        *([*whole, "--trust"], [*whole, "--encoding", "cp1252"]),
    ):
        result = click.testing.CliRunner().invoke(predict, ["imdb-gru", "--ray", "2", *more])
        assert result.exit_code == 2, more
        assert "--ray takes a file" in result.output


def read(files):
    """Returns the rows of some files of JSON lines."""
    return [json.loads(line) for file in files for line in file.read_text().splitlines()]


class Echo:
    """As a predictor: its answer is the length of the text."""

    input_names = ("text",)
    recipe = type("Recipe", (), {"reads_input": False})

    def predict(self, requests):
        return [{"length": len(text)} for text in requests["text"]]


def test_parts_have_the_rows_of_the_file_in_its_order(tmp_path):
    path, folder = tmp_path / "x.csv", tmp_path / "answers"
    path.write_text(CSV.replace("text", "review"))
    folder.mkdir()
    answering = parts.Answering.__new__(parts.Answering)
    answering.predictor, answering.source = Echo(), path
    answering.folder, answering.columns = folder, {"text": "review"}
    cut = list(parts.find_parts(path, 2))
    for number, (start, end) in reversed(list(enumerate(cut))):
        found = answering({"number": number, "start": start, "end": end})
        assert found == {"number": number, "problem": ""}
    lines = read(sorted(folder.iterdir()))
    assert [row["id"] for row in lines] == ["1", "2", "3", "4", "5"]
    assert lines[0] == {"id": "1", "review": "one\nof two lines", "length": 16}
    answering.columns = {"txt": "review"}
    problem = answering({"number": 0, "start": cut[0][0], "end": cut[0][1]})["problem"]
    assert problem.startswith("part 0: Unknown column 'txt'")


@pytest.mark.parametrize(
    ("name", "content", "lengths"),
    [
        ("x.txt", b"\xef\xbb\xbfone\nfilm\n", [3, 4]),  # a byte order mark is no character
        ("x.jsonl", b'{"text": null}\n{"text": NaN}\n{"text": "one"}\n', [0, 0, 3]),
        ("y.jsonl", b'{"data": {"body": "one"}}\n', [3]),
    ],
)
def test_parts_are_read_as_whole_files_are(tmp_path, name, content, lengths):
    path = tmp_path / name
    path.write_bytes(content)
    answering = parts.Answering.__new__(parts.Answering)
    answering.predictor, answering.source, answering.folder = Echo(), path, tmp_path / "answers"
    answering.columns = {"text": "data.body"} if name == "y.jsonl" else {}
    answering.folder.mkdir()
    for number, (start, end) in enumerate(parts.find_parts(path, 2)):
        assert not answering({"number": number, "start": start, "end": end})["problem"]
    assert [row["length"] for row in read(sorted(answering.folder.iterdir()))] == lengths


def test_parts_are_utf8(tmp_path):
    path = tmp_path / "x.txt"
    path.write_bytes("déjà\n".encode("cp1252"))
    answering = parts.Answering.__new__(parts.Answering)
    answering.predictor, answering.source, answering.folder = Echo(), path, tmp_path
    answering.columns = {}
    problem = answering({"number": 0, "start": 0, "end": 5})["problem"]
    assert problem == (
        "part 0: x.txt is not UTF-8, which --ray needs. Convert it, or answer it without --ray."
    )


@pytest.mark.slow  # minutes: Ray starts processes that import TensorFlow
@pytest.mark.timeout(1500)
def test_two_workers_of_ray_answer_a_file_and_go_on(tmp_path):
    pytest.importorskip("ray")
    import zoo

    zoo.export("imdb-gru", tmp_path / "export")
    texts = [f"text number {number}" for number in range(23)]
    (tmp_path / "x.txt").write_text("\n".join(texts) + "\n")
    command = [
        *(sys.executable, "-m", "zoo", "predict", str(tmp_path / "export")),
        *("-i", "x.txt", "-o", "answers", "--ray", "2", "--part-rows", "5"),
    ]

    def run():
        done = subprocess.run(
            command, cwd=tmp_path, capture_output=True, text=True, timeout=600,
            env={**os.environ, "RAY_USAGE_STATS_ENABLED": "0"},
        )  # fmt: skip
        assert done.returncode == 0, done.stderr[-3000:]
        files = sorted((tmp_path / "answers").glob("part-*.jsonl"))
        return done.stdout, files, read(files)

    out, files, rows = run()
    assert "5 parts, 0 of them already answered" in out
    assert [row["text"] for row in rows] == texts
    files[2].unlink()
    out, _, again = run()
    assert "5 parts, 4 of them already answered" in out
    assert again == rows
