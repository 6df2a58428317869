"""The language model of reviews: both directions, what it hands on to classifiers."""

import json

import numpy as np
import pytest

import zoo
from recipes.writing.film_reviews import REVIEWS
from zoo.training import diagnostics


@pytest.fixture(scope="module")
def predictor(predictor_of):
    return predictor_of("reviews-lm")


def test_each_direction_sees_its_own_side_alone(predictor):
    model = predictor.model
    ids = np.array([[2, 3, 4, 5, 6, 7]])
    before = np.array(model(ids))
    changed = ids.copy()
    changed[0, 3] = 9
    after = np.array(model(changed))
    same = np.isclose(before, after, atol=1e-6)[0]  # (time, direction)
    assert same[:3, 0].all()  # read forwards, a word does not depend on those behind it
    assert same[4:, 1].all()
    assert not same[4:, 0].any()
    assert not same[:3, 1].any()


def test_scores_are_those_of_the_network_read_forwards(predictor):
    text = "i saw this film twice"
    (ids,) = predictor.assets.encoder.ragged([text]).to_list()
    logs = np.array(predictor.model(np.array([ids])))[0, 1:, 0]
    score, empty = predictor.predict([text, ""], signature="score")
    assert score["count"] == 4
    assert score["log_probability"] == pytest.approx(logs.sum(), rel=1e-4)
    assert empty["count"] == 0
    (words,) = predictor.predict([text], signature="words")
    np.testing.assert_allclose(words["log_probability"], logs, rtol=1e-4)


def test_a_review_goes_on(predictor):
    first, second = predictor.generate(2, steps=6, prompt="I saw this film")
    assert len(first["continuation"].split()) == len(second["continuation"].split()) == 6


SETTINGS = {"epochs": 1, "learning_rate": 1e-12, "batch_size": 4}


@pytest.mark.parametrize(
    ("name", "theirs", "half"),
    [
        ("imdb-lstm", "lstm", "forward_layer"),
        pytest.param("imdb-bilstm", "bidirectional", None, marks=pytest.mark.slow),
    ],
)
def test_a_classifier_starts_from_it_in_one_command(
    run_of, predictor, tmp_path, capsys, name, theirs, half
):
    run = zoo.train(
        name, tmp_path / "run", data="sample", base=run_of("reviews-lm"), settings=SETTINGS,
        baselines=False,
    )  # fmt: skip
    said = [line for line in capsys.readouterr().out.splitlines() if "from scratch" in line]
    assert said == ["  layer dense starts from scratch: the base model has no such layer"]
    config = json.loads((run.path / "config.json").read_text())["config"]
    assert (config["units"], config["embedding"]) == (32, predictor.config.embedding)
    assets = json.loads((run.path / "assets.json").read_text())
    assert assets["vocabulary"] == predictor.assets["vocabulary"]
    ours = diagnostics.named_layers(zoo.load(run.path).model)
    base = diagnostics.named_layers(predictor.model)
    np.testing.assert_allclose(
        ours["embedding"].embeddings.numpy(), base["embedding"].embeddings.numpy(), atol=1e-6
    )
    source = getattr(base["bidirectional"], half) if half else base["bidirectional"]
    for mine, weight in zip(ours[theirs].weights, source.weights, strict=True):
        np.testing.assert_allclose(mine.numpy(), weight.numpy(), atol=1e-6)


def test_reviews_without_labels_are_not_those_that_are_held_out():
    source = REVIEWS.sources[0]
    assert source.splits["train"] == "train+unsupervised[1000:]"
    assert source.splits["validation"] == "unsupervised[:1000]"
    assert source.columns == {"text": "text"}
    assert "label" not in REVIEWS.columns
