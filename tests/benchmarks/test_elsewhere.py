"""Scores on the test split of another source."""

import json

import pytest

import zoo
from benchmarks import elsewhere
from benchmarks.score_tables import score_tables
from zoo.errors import UsageError

LABELS = ("negative", "positive")
SETTINGS = {"units": 3, "embedding": 4, "epochs": 1, "vocabulary": 30}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run on files; one training text is that of a test row of the sample."""
    folder = tmp_path_factory.mktemp("elsewhere")
    recipe = zoo.get_recipe("imdb-lstm")
    seen = recipe.data(recipe.config).load("sample").test["text"][0]
    (folder / "films").mkdir()
    for part, size in (("train", 40), ("validation", 10), ("test", 10)):
        rows = [f"{part} {row},{LABELS[row % 2]}" for row in range(size)]
        rows += [f'"{seen}",positive'] * (part == "train")
        (folder / "films" / f"{part}.csv").write_text("\n".join(["text,label", *rows]) + "\n")
    return zoo.train(
        "imdb-lstm",
        folder / "run",
        data=str(folder / "films"),
        settings=SETTINGS,
        quiet=True,
        baselines=False,
    ).path


def test_the_score_is_that_of_the_other_test_split(run, cli, tmp_path):
    cli("collect", run, "--data", "sample", "-o", "other.json")
    result = json.loads((tmp_path / "other.json").read_text())
    expected = zoo.evaluate(str(run), data="sample")
    assert result["score"] == expected["metrics"]["accuracy"]
    assert result["metrics"]["test"]["accuracy"] == result["score"]
    assert result["data"]["source"] == "sample"
    assert result["seen"] == 1
    assert result["trained_on"] == zoo.load(run).data["title"]
    assert result["interval"]["low"] <= result["score"] <= result["interval"]["high"]
    assert result["comparisons"].keys() == result["metrics"]["baseline"].keys()
    (row,) = [line for line in score_tables([result], [], tmp_path) if "`imdb-lstm`" in line]
    assert f"trained on {result['trained_on']}" in row


def test_what_cannot_be_scored_elsewhere(run, cli):
    assert "need -o FILE" in cli("collect", run, "--data", "sample", code=2).err
    error = cli("collect", run, run, "--data", "sample", "-o", "x.json", code=2).err
    assert "--data is for one MODEL" in error
    source = zoo.load(run).data["source"]
    with pytest.raises(UsageError, match="without --data scores it"):
        elsewhere.collect_elsewhere(run, source, "x.json")
