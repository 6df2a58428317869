"""`zoo predict` of taggers: names marked in the very text that was given."""

import csv
import json
import re
import subprocess
import sys

import click
import pytest
from support.cli import WITHOUT_TENSORFLOW

import zoo
from zoo.serving.portable import twin

NAMES = [row["name"] for row in zoo.list_models(pretrained=True) if row["task"] == "entities"]
TEXT = "  Anna   Berg flew\tto  Oslo on Monday ."
ENGINE = ["--engine", "tensorflow"]


@pytest.mark.parametrize("tagging", NAMES)
def test_names_are_marked_where_they_stand(cli, tagging):
    line = click.unstyle(cli("predict", tagging, TEXT, *ENGINE).out.removesuffix("\n"))
    assert re.sub(r"\[(.*?) [A-Z]+\]", r"\1", line) == TEXT.replace("\t", " ")
    assert "[" in line  # something is marked
    row = json.loads(cli("predict", tagging, TEXT, "--json", *ENGINE).out)
    marked = [TEXT[a:b] for a, b in zip(row["start"], row["end"], strict=True)]
    assert marked == row["tokens"] == TEXT.split()
    assert {"tags", "scores"} <= row.keys()


def test_a_twin_answers_as_the_model(cli, tmp_path):
    pytest.importorskip("onnxruntime", reason="needs the extra [onnx]")
    name = "conll-bilstm"
    texts = [TEXT, "", "Zzkq xyvv 🙂 qqx wvvz"]
    first = cli("predict", name, "-v", *texts, "--engine", "onnx")
    folder = twin.find_twin(name).folder
    said = f"note: answered by ONNX Runtime, {folder}"
    assert first.err.splitlines()[-1] == said
    due = zoo.load(name).predict(texts)
    recipe = zoo.get_recipe(name)
    shown = [recipe.show({"text": t}, row) for t, row in zip(texts, due, strict=True)]
    assert first.out.splitlines() == [click.unstyle(line).replace("\t", " ") for line in shown]
    assert "[Anna   Berg PER]" in first.out
    ask = [sys.executable, "-c", WITHOUT_TENSORFLOW, "predict", name, "-v", "--json", *texts]
    done = subprocess.run(ask, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    unusual, last = done.stderr.splitlines()
    assert unusual.startswith(
        "note: 1 of 3 rows is unusual for this model (the first is row 3): 100%"
    )
    assert last == said
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert [row.pop("text") for row in found] == texts
    assert twin.agrees(found, due)
    cli("predict", name, *texts, "-o", tmp_path / "answers.csv")
    with open(tmp_path / "answers.csv", encoding="utf-8", newline="") as file:
        assert next(csv.reader(file)) == ["text", *due[0]]
