"""A race measures the recipe to its target, and all of the peer's training."""

import json
import sys
import types

import pytest

import zoo
from benchmarks.race import race
from zoo.errors import UsageError, ZooError

NAME = next(row["name"] for row in zoo.list_models() if row["topology"] == "one-to-one")


@pytest.fixture
def peer(monkeypatch):
    """A published example that trains 1,000 s."""

    def run(train, test, seed):
        assert len(train["pixels"]) > len(test["pixels"])
        epochs = [{"epoch": 1, "train_seconds": 1000.0, "test_accuracy": 0.9}]
        return {"source": "https://example.org", "seed": seed, "epochs": epochs}

    module = types.ModuleType("a_peer")
    module.run = run
    monkeypatch.setitem(sys.modules, "a_peer", module)
    return "a_peer"


def test_the_ratio_is_the_recipes_time_over_the_peers(peer, tmp_path):
    result = race(NAME, peer, 0.0, tmp_path / "race.json", data="sample", every=1)
    assert json.loads((tmp_path / "race.json").read_text()) == result
    assert result["ratio"] == result["recipe"]["seconds"] / 1000.0
    assert result["recipe"]["steps"] == 1
    assert len(result["recipe"]["trail"]) == 1
    assert result["recipe"]["seconds"] < 600, "scoring is not in it"
    assert result["data"]["source"] == "sample"


def test_a_target_out_of_reach_is_said(peer, tmp_path):
    with pytest.raises(ZooError, match=r"not 1\.1"):
        race(NAME, peer, 1.1, tmp_path / "race.json", data="sample")
    assert not (tmp_path / "race.json").exists()


def test_an_unknown_peer_is_said(tmp_path):
    with pytest.raises(UsageError, match="no peer"):
        race(NAME, "nobody.knows.it", 0.5, tmp_path / "race.json", data="sample")
