"""What is done once after the last epoch, however often the process is killed there."""

import json
import os
from types import SimpleNamespace

import keras
import numpy as np
import pytest

from zoo.training import finish
from zoo.training.run import FINALISED


@pytest.fixture
def run(tmp_path):
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1, name="out")])
    model.save(tmp_path / "model-best.keras")
    return SimpleNamespace(path=tmp_path)


class Doubling:
    """A recipe that doubles the weights, and must not do so twice."""

    def __init__(self):
        self.calls = 0

    def finalise(self, config, assets, model, splits):
        self.calls += 1
        model.set_weights([2 * weight for weight in model.get_weights()])
        return {"text": "doubled", "factor": 2.0}


def loaded(run):
    model = keras.models.load_model(run.path / "model-best.keras")
    return SimpleNamespace(config=None, assets=None, model=model)


def kernel(run):
    return loaded(run).model.get_weights()[0]


def test_weights_are_finalised_once(run):
    recipe, before = Doubling(), kernel(run)
    parts = finish._finalised(recipe, run, loaded(run), None)
    np.testing.assert_array_equal(kernel(run), 2 * before)
    assert finish._finalised(recipe, run, loaded(run), None) == parts
    assert recipe.calls == 1
    np.testing.assert_array_equal(kernel(run), 2 * before)


def test_a_kill_before_the_weights_are_in_place_does_it_again(run, monkeypatch):
    recipe, before = Doubling(), kernel(run)
    replace = os.replace

    def killed(source, target):
        if str(target).endswith("model-best.keras"):
            raise KeyboardInterrupt
        replace(source, target)

    monkeypatch.setattr(os, "replace", killed)
    with pytest.raises(KeyboardInterrupt):
        finish._finalised(recipe, run, loaded(run), None)
    monkeypatch.undo()
    np.testing.assert_array_equal(kernel(run), before)
    finish._finalised(recipe, run, loaded(run), None)
    np.testing.assert_array_equal(kernel(run), 2 * before)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"sha256": "0"}', '{"sha256": null}'])
def test_a_damaged_record_does_it_again(run, text):
    (run.path / FINALISED).write_text(text)
    recipe, before = Doubling(), kernel(run)
    finish._finalised(recipe, run, loaded(run), None)
    np.testing.assert_array_equal(kernel(run), 2 * before)
    assert json.loads((run.path / FINALISED).read_text())["parts"]["factor"] == 2


def test_a_recipe_that_does_nothing_writes_nothing(run):
    before = (run.path / "model-best.keras").read_bytes()
    recipe = SimpleNamespace(finalise=lambda *arguments: {})
    assert not finish._finalised(recipe, run, loaded(run), None)
    assert (run.path / "model-best.keras").read_bytes() == before
    assert not (run.path / FINALISED).exists()
