"""Several classifiers as one SavedModel."""

import json

import numpy as np
import pytest
import tensorflow as tf

import zoo
from zoo.errors import UsageError

TEXTS = ["a film to love", "dull", ""]


@pytest.fixture(scope="module")
def members(sample_run, tmp_path_factory):
    """Two networks of different recipes, vocabularies and sizes."""
    folder = tmp_path_factory.mktemp("members") / "other"
    run = zoo.train(
        "imdb-gru", folder, data="sample", baselines=False, quiet=True, seed=1,
        settings={"units": 3, "embedding": 5, "epochs": 1, "vocabulary": 20},
    )  # fmt: skip
    return [sample_run, run.path]


@pytest.fixture(scope="module")
def together(members, tmp_path_factory):
    first, *others = members
    return zoo.export(first, tmp_path_factory.mktemp("served"), warmup=1, ensemble=others)


def test_the_answer_is_the_mean_of_the_members(members, together):
    each = [zoo.load(member).predict(TEXTS) for member in members]
    for row, answer in enumerate(zoo.load(together).predict(TEXTS)):
        for label, value in answer["probabilities"].items():
            mean = np.mean([answers[row]["probabilities"][label] for answers in each])
            assert value == pytest.approx(mean, abs=1e-6)
        best = max(answer["probabilities"], key=answer["probabilities"].get)
        assert answer["label"] == best
        assert answer["score"] == answer["probabilities"][best]


def test_it_is_a_saved_model_that_needs_none_of_our_code(together):
    served = tf.saved_model.load(str(together)).signatures["serving_default"]
    assert [*served.structured_input_signature[1]] == ["text"]
    assert served(text=tf.constant(TEXTS))["probabilities"].shape == (3, 2)
    assert served(text=tf.constant([], tf.string))["label"].shape == (0,)


def test_its_card_names_the_members_and_no_score_is_said_to_be_its_own(members, together):
    card = zoo.load(together).card
    assert "`imdb-lstm` (sample): accuracy" in card
    assert "`imdb-gru`" in card
    assert not (together / "assets.extra" / "metrics.json").exists()
    config = json.loads((together / "assets.extra" / "config.json").read_text())
    assert config["ensemble"] == [str(member) for member in members]
    assert zoo.evaluate(together, baselines=False)["rows"] > 0


def test_members_have_the_same_classes(sample_run, own_run, tmp_path):
    with pytest.raises(UsageError, match="need the same classes"):
        zoo.export(sample_run, tmp_path, ensemble=[own_run])
    with pytest.raises(UsageError, match="cannot be in an ensemble"):
        zoo.export("adding-lstm", tmp_path, ensemble=["adding-gru"])
    with pytest.raises(UsageError, match="--format saved_model"):
        zoo.export(sample_run, tmp_path, ensemble=[sample_run], format="keras")
    assert not list(tmp_path.iterdir())


def test_on_the_command_line(cli, members):
    assert cli("export", *members, "out", "--ensemble", "--warmup", "0").out == "out/1\n"
    error = cli("export", *members, "out", code=2).err
    assert "only be exported with --ensemble" in error
    assert "two or more models" in cli("export", members[0], "out", "--ensemble", code=2).err
