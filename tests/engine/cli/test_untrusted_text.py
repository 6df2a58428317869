"""What comes out of a model reaches a terminal without control characters, and JSON as JSON."""

import csv
import json
import shutil

import numpy as np
import pytest
from support.cli import three_classes, write_csv

import zoo
from zoo.cli import options
from zoo.data import fetch
from zoo.training.callbacks import Progress

EVIL = "\x1b]0;owned\x07\x9b31m"


def changed(run, folder, change):
    """Copies a run folder and changes its assets."""
    shutil.copytree(run, folder, ignore=shutil.ignore_patterns("logs"))
    assets = json.loads((folder / "assets.json").read_text())
    change(assets)
    (folder / "assets.json").write_text(json.dumps(assets))
    return folder


def has_no_control(text):
    return all(c >= " " and not "\x7f" <= c <= "\x9f" for c in text.replace("\n", ""))


def test_labels_in_lines_json_and_tables(cli, own_run, own, tmp_path):
    def change(assets):
        assets["labels"] = [label + EVIL for label in assets["labels"]]

    run = changed(own_run, tmp_path / "evil", change)
    out = cli("predict", run, "a lovely film").out
    assert "]0;owned" in out
    assert has_no_control(out)
    out = cli("predict", run, "a lovely film", "--json").out
    assert has_no_control(out)
    assert json.loads(out)["label"].endswith(EVIL)


def test_what_is_generated_and_streamed(cli, run_of, tmp_path):
    run = run_of("shakespeare-lstm")

    def change(assets):  # every id is another control character, but for the line break
        assets["symbols"] = [
            "\n" if c == "\n" else chr(number % 32 if number % 32 not in (9, 10) else 27)
            for number, c in enumerate(assets["symbols"])
        ]
        assets["symbols"].sort()

    evil = changed(run, tmp_path / "evil", change)
    out = cli("generate", evil, "--steps", "60", "--temperature", "5").out
    assert len(out) >= 60
    assert has_no_control(out.replace("\t", ""))


def test_labels_and_names_of_data(cli, tmp_path):
    rows = [(f"{text}, number {n}", f"{label}{EVIL}", n) for text, label, n in three_classes()]
    data = write_csv(tmp_path / f"own{EVIL}.csv", rows)
    out = cli("data", "check", data, "--recipe", "imdb-lstm", "--column", "text=review").out
    assert "]0;owned" in out
    assert has_no_control(out)


def test_lines_of_a_training(capsys):
    Progress(1, 1).log(f"imdb-lstm on own{EVIL}")
    assert capsys.readouterr().out == "imdb-lstm on own ]0;owned  31m\n"
    fetch.log(f"the server says {EVIL}")
    assert has_no_control(capsys.readouterr().err)


def test_texts_in_lists_and_dicts_are_printable():
    value = {"a" + EVIL: ["b\u2028c\n", {"d": ("\x00",)}], "n": 1.5}
    assert options.printable(value) == {
        "a ]0;owned  31m": ["b c ", {"d": [" "]}], "n": 1.5,
    }  # fmt: skip
    assert options.printable("a\n\tb\x1b", keep="\n\t") == "a\n\tb "
    assert options.printable("pay \u202e001\u202c") == "pay  001 "
    assert options.printable("שלום é 👩‍👩‍👧") == "שלום é 👩‍👩‍👧"


def test_json_has_no_number_that_is_none():
    text = options.json_text({"a": [float("nan"), 1.0], "b": (float("-inf"),), "c": "\x9b\x07é"})
    assert json.loads(text) == {"a": [None, 1.0], "b": [None], "c": "\x9b\x07é"}
    assert "\x9b" not in text


@pytest.fixture
def sequences(tmp_path):
    rows = [([0.5, 0.25], [1, 1]), ([0.5], [1, 1]), ([1.0, 0.5], [1, 1])]

    def write(index):
        path = tmp_path / "in.jsonl"
        lines = [json.dumps({"numbers": rows[i][0], "markers": rows[i][1]}) for i in index]
        path.write_text("\n".join(lines) + "\n")
        return path

    return write


def test_the_row_without_an_answer_is_named(cli, sequences):
    said = "note: row 2 has no answer: Its series differ in length (markers 2, numbers 1).\n"
    done = cli("predict", "adding-gru", "-i", sequences([0, 1, 2]))
    assert done.err == said
    assert done.out.splitlines()[1] == "(no answer)"
    assert len(done.out.splitlines()) == 3
    done = cli("predict", "adding-gru", "-i", sequences([0, 1, 2]), "--json")
    assert done.err == said
    answers = [json.loads(line) for line in done.out.splitlines()]
    assert [answer.get("valid", True) for answer in answers] == [True, False, True]
    assert answers[1]["sum"] is None
    cli("predict", "adding-gru", "-i", sequences([0, 1, 2]), "-o", "out.csv")
    with open("out.csv", newline="") as file:
        cells = list(csv.DictReader(file))
    assert (cells[1]["sum"], cells[1]["valid"]) == ("", "False")
    assert float(cells[0]["sum"]) == pytest.approx(answers[0]["sum"])


def test_without_any_answer_the_request_is_wrong(cli, sequences):
    done = cli("predict", "adding-gru", "-i", sequences([1]), code=2)
    assert done.err.startswith("Error: The row has no answer: Its series differ")
    done = cli("predict", "adding-gru", "-i", sequences([1, 1]), "--json", code=2)
    assert done.err.startswith("Error: No row has an answer. Row 1: Its series differ")
    assert done.out == ""


def test_a_limit_on_the_command_line(cli, own_run):
    assert cli("export", own_run, "small", "--warmup", "0", "--limit", "max_bytes=50").out
    assert zoo.load("small").config.max_bytes == 50
    assert "no limit 'units'" in cli("export", own_run, "x", "--limit", "units=5", code=2).err
    assert np.isfinite(zoo.load("small").predict(["a " * 500])[0]["score"])
