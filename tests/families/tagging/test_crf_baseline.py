"""The CRF baseline: its features, and that it learns from neighbours."""

import pytest

from recipes.tagging import crf_baseline
from recipes.tagging.baselines import entity_baselines
from zoo.errors import ZooError


def test_features_are_of_a_word_and_of_its_neighbours():
    assert crf_baseline.shape_of("McDonald's-2é") == "AaAaaaaa'a-0a"
    own = crf_baseline.word_features("EU")
    assert own[:4] == ["word=eu", "shape=AA", "title=False", "upper=True"]
    assert "suffix=eu" not in own  # it is the whole word
    first, second, _ = crf_baseline.sentence_features(["Ann", "saw", "Cy"])
    assert {"first", "1:word=saw", "2:title=True"} < set(first)
    assert "last" not in second
    assert {"-1:shape=Aaa", "1:word=cy"} < set(second)
    assert crf_baseline.sentence_features([]) == []


def test_it_tags_a_name_that_it_has_never_seen():
    pytest.importorskip("pycrfsuite", reason="python-crfsuite is not installed")
    names = ["Ann", "Bo", "Cy", "Di", "Ed", "Flo"]
    train = {
        "tokens": [["Mr", name, "ran", "home"] for name in names],
        "tags": [["O", "B-PER", "O", "O"]] * len(names),
    }
    test = {"tokens": [["Mr", "Gus", "ran", "home"]], "tags": [["O", "B-PER", "O", "O"]]}
    scores = entity_baselines(train, test)
    assert scores["linear-chain-crf"]["f1"] == 1
    assert scores["seen-entities"]["f1"] == 0
    assert scores["linear-chain-crf"].units["f1"].value == 1


def test_without_the_library_it_says_how_to_get_it(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "pycrfsuite", None)
    assert not crf_baseline.is_available()
    with pytest.raises(ZooError, match=r"pip install 'rnn-zoo\[crf\]'"):
        crf_baseline.crf_tags([], [], [])
