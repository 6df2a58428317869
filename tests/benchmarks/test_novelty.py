"""Counting rows that models mark as unusual: what is written, and what is kept."""

import types

import pytest

import zoo
import zoo.serving.evaluation
from benchmarks import novelty
from zoo import files
from zoo.errors import ZooError


class Marks:
    """Marks each text with a letter z."""

    def __init__(self, name):
        self.recipe = types.SimpleNamespace(novelty=name != "none")
        self.assets = types.SimpleNamespace(limits={"novelty": 0.2})

    def predict(self, texts):
        return [{"unusual": "z" in text} for text in texts]


@pytest.fixture
def path(tmp_path, monkeypatch):
    test = {"text": ["a", "z", "b", "c"] * novelty.TEST_ROWS}
    splits = types.SimpleNamespace(test=test)
    monkeypatch.setattr(novelty, "sentences", lambda: {"Polish": ["za", "bez", "to"]})
    monkeypatch.setattr(zoo, "load", Marks)
    monkeypatch.setattr(zoo.serving.evaluation, "splits_of", lambda predictor: splits)
    return tmp_path / "novelty.json"


def test_shares_are_of_each_text_and_other_models_are_kept(path):
    novelty.novelty(["a", "b"], path)
    novelty.novelty(["b", "c"], path)
    found = files.read_json(path)
    assert [model["name"] for model in found["models"]] == ["a", "b", "c"]
    assert found["rows"] == {"Polish": 3, "its own test split": novelty.TEST_ROWS}
    for model in found["models"]:
        assert model["limits"] == {"novelty": 0.2}
        assert model["unusual"]["Polish"] == 2 / 3
        assert model["unusual"]["its own test split"] == pytest.approx(0.25, abs=0.03)


def test_a_model_without_marks_and_a_file_of_other_rows_are_refused(path, monkeypatch):
    with pytest.raises(ZooError, match="none marks no rows as unusual"):
        novelty.novelty(["none"], path)
    novelty.novelty(["a"], path)
    monkeypatch.setattr(novelty, "sentences", lambda: {"Polish": ["za"]})
    with pytest.raises(ZooError, match="Choose another file with -o"):
        novelty.novelty(["b"], path)
    assert [model["name"] for model in files.read_json(path)["models"]] == ["a"]
