"""Scores of ensembles."""

import json

import numpy as np
import pytest

import zoo
from benchmarks import ensembles
from benchmarks.score_tables import score_tables
from zoo.data.reading import ReadOptions
from zoo.errors import UsageError

SETTINGS = {"units": 3, "embedding": 4, "epochs": 1, "vocabulary": 30}


@pytest.fixture(scope="module")
def texts(tmp_path_factory):
    """A file of texts, one class of which has a word of its own."""
    draw = np.random.default_rng(0)
    path = tmp_path_factory.mktemp("texts") / "films.csv"
    lines = ["text,label"]
    for row in range(120):
        words = draw.choice(["a", "film", "of", "the", "year", "again"], 4)
        lines.append(f"{' '.join(words)} {'fine' if row % 2 else 'poor'} {row},{row % 2}")
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.fixture(scope="module")
def members(texts, tmp_path_factory):
    folder = tmp_path_factory.mktemp("members")
    return [
        zoo.train(
            "imdb-lstm",
            folder / str(seed),
            data=str(texts),
            settings=SETTINGS,
            seed=seed,
            quiet=True,
        ).path
        for seed in (0, 1)
    ]


def test_the_score_is_that_of_the_mean_answer(members, texts, cli, tmp_path):
    cli("collect", *members, "--ensemble", "-o", "both.json")
    result = json.loads((tmp_path / "both.json").read_text())
    models = [zoo.load(member) for member in members]
    splits = (
        models[0]
        .recipe.data(models[0].config)
        .load(models[0].data["source"], columns=models[0].run["columns"], reading=ReadOptions())
    )
    answers = [model.predict(splits.test["text"]) for model in models]
    mean = [
        np.mean([row["probabilities"][name] for row in rows])
        for name in models[0].labels[1:]
        for rows in zip(*answers, strict=True)
    ]
    right = [
        (value > 0.5) == (label == models[0].labels[1])
        for value, label in zip(mean, splits.test["label"], strict=True)
    ]
    assert result["score"] == pytest.approx(np.mean(right))
    assert result["metrics"]["parameters"] == 2 * models[0].metrics["parameters"]
    assert [each["seed"] for each in result["members"]] == [0, 1]
    assert result["members"][1]["score"] == models[1].metrics["test"]["accuracy"]
    assert result["baseline"].keys() == models[0].metrics["baseline"].keys()
    assert result["metrics"]["baseline"] == models[0].metrics["baseline"]
    assert result["interval"]["low"] <= result["score"] <= result["interval"]["high"]
    table = "\n".join(score_tables([result], [], tmp_path))
    assert "`imdb-lstm`, mean of 2 networks" in table


def test_members_are_of_one_recipe_and_of_the_same_data(members, tmp_path, cli):
    with pytest.raises(UsageError, match=r"imdb-gru differs from .* in its recipe\."):
        ensembles.collect_ensemble([members[0], "imdb-gru"], tmp_path / "x.json")
    with pytest.raises(UsageError, match=r"imdb-lstm differs from .* in its data\."):
        ensembles.collect_ensemble([members[0], "imdb-lstm"], tmp_path / "x.json")
    error = cli("collect", "a", "b", "--ensemble", "--seeds", "-o", "x.json", code=2).err
    assert "Give only one of --seeds, --by, --ensemble and --data." in error
