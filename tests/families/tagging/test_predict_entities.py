"""`zoo predict` of taggers: names marked in the very text that was given."""

import json
import re

import click
import pytest

import zoo

NAMES = [row["name"] for row in zoo.list_models(pretrained=True) if row["task"] == "entities"]
TEXT = "  Anna   Berg flew\tto  Oslo on Monday ."


@pytest.mark.parametrize("tagging", NAMES)
def test_names_are_marked_where_they_stand(cli, tagging):
    line = click.unstyle(cli("predict", tagging, TEXT).out.removesuffix("\n"))
    assert re.sub(r"\[(.*?) [A-Z]+\]", r"\1", line) == TEXT.replace("\t", " ")
    assert "[" in line  # something is marked
    row = json.loads(cli("predict", tagging, TEXT, "--json").out)
    marked = [TEXT[a:b] for a, b in zip(row["start"], row["end"], strict=True)]
    assert marked == row["tokens"] == TEXT.split()
    assert {"tags", "scores"} <= row.keys()
