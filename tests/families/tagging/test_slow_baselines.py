"""The lookup baseline on the official CoNLL-2003 splits, and WNUT-17 as it is published."""

import functools

import pytest

from recipes.tagging.baselines import entity_baselines
from recipes.tagging.conll import CONLL

pytestmark = pytest.mark.slow


@pytest.fixture
def load(ready):
    return functools.partial(ready, CONLL)


def percent(scores):
    return [round(100 * scores[name], 2) for name in ("precision", "recall", "f1")]


@pytest.mark.parametrize("key", ["tfds", "wheel"])
def test_the_baseline_is_the_published_one(load, key):
    splits = load(key)
    assert [len(rows["tags"]) for rows in (splits.train, splits.validation, splits.test)] == [
        14_041,
        3_250,
        3_453,
    ]
    scores = entity_baselines(splits.train, splits.test)["seen-entities"]
    assert percent(scores) == [71.91, 50.90, 59.61]
    assert {kind: row["support"] for kind, row in scores.tables["per_class"].items()} == {
        "LOC": 1668,
        "MISC": 702,
        "ORG": 1661,
        "PER": 1617,
    }
    scores = entity_baselines(splits.train, splits.validation)["seen-entities"]
    assert percent(scores) == [78.33, 65.23, 71.18]


def test_wnut_17_has_its_sentences(load):
    splits = load("wnut17")
    assert [len(rows["tags"]) for rows in (splits.train, splits.validation, splits.test)] == [
        3_394,
        1_009,
        1_287,
    ]
    assert splits.licence == "CC-BY 4.0"
