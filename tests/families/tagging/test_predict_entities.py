"""`zoo predict` of taggers: names marked in the very text that was given."""

import json
import re

import click
import pytest

import zoo

NAMES = [row["name"] for row in zoo.list_models() if row["task"] == "entities"]
TEXT = "  Anna   Berg flew\tto  Oslo on Monday ."


@pytest.fixture(scope="module", params=NAMES)
def tagging(request, run_on_sample):
    small = {"epochs": 40, "batch_size": 4, "units": 16, "filters": 16, "learning_rate": 0.01}
    return run_on_sample(request.param, small, baselines=False)


def test_names_are_marked_where_they_stand(cli, tagging):
    line = click.unstyle(cli("predict", tagging, TEXT).out.removesuffix("\n"))
    assert re.sub(r"\[(.*?) [A-Z]+\]", r"\1", line) == TEXT.replace("\t", " ")
    assert "[" in line  # something is marked
    row = json.loads(cli("predict", tagging, TEXT, "--json").out)
    marked = [TEXT[a:b] for a, b in zip(row["start"], row["end"], strict=True)]
    assert marked == row["tokens"] == TEXT.split()
    assert {"tags", "scores"} <= row.keys()
