"""Intervals and comparisons in results; the forecasters' tests; overlaps of splits."""

import json

import numpy as np
import pytest

from benchmarks import forecasters, intervals, overlaps
from zoo.errors import UsageError
from zoo.metrics.intervals import Units, ratios, shares
from zoo.scores import Scores


def scores(right):
    return Scores({"accuracy": float(np.mean(right))}, units={"accuracy": shares("rows", right)})


def test_a_result_says_whether_it_beats_each_baseline():
    draw = np.random.default_rng(0)
    hard = draw.random(2000)
    baselines = {
        "weak": scores(hard < 0.5),
        "near": scores(np.where(np.arange(2000) < 4, False, hard < 0.8)),
        "same": scores(hard < 0.8),
        "strong": scores(hard < 0.9),
        "other": Scores({"macro_f1": 0.5}),
    }
    found = intervals.describe(scores(hard < 0.8), baselines, "accuracy", "higher")
    assert found["interval"]["kind"] == "Wilson, rows"
    assert found["interval"]["low"] < 0.8 < found["interval"]["high"]
    assert [*found["baseline"]] == ["weak", "near", "same", "strong"]
    verdicts = {name: each["verdict"] for name, each in found["comparisons"].items()}
    assert verdicts == {"weak": "beats", "near": "ties", "same": "ties", "strong": "below"}
    assert found["comparisons"]["weak"]["holm"] > found["comparisons"]["weak"]["p"]
    json.dumps(found)


def test_of_errors_less_is_better():
    draw = np.random.default_rng(1)
    words = draw.integers(3, 9, 300)

    def score(share):
        units = ratios("texts", draw.binomial(words, share), words)
        return Scores({"wer": units.value}, units={"wer": units})

    found = intervals.describe(score(0.02), {"poor": score(0.4)}, "wer", "lower")
    assert found["comparisons"]["poor"]["verdict"] == "beats"
    assert found["comparisons"]["poor"]["difference"] < 0


def test_each_network_is_tested_against_each_method_and_each_other():
    draw = np.random.default_rng(2)
    noise = draw.exponential(size=(3, 400, 2))
    extra = {"a": 0.0, "b": 0.0, "good": -0.2, "poor": 0.5}
    losses = {
        name: {
            measure: noise + more + 0.01 * draw.standard_normal(noise.shape)
            for measure in forecasters.MEASURES
        }
        for name, more in extra.items()
    }
    found = forecasters.compare(losses, ["a", "b"], ["good", "poor"])["crps"]
    assert {name: [*others] for name, others in found.items()} == {
        "a": ["good", "poor", "b"],
        "b": ["good", "poor"],
    }
    for name in ("a", "b"):
        assert [step["verdict"] for step in found[name]["good"]] == ["below"] * 2
        assert [step["verdict"] for step in found[name]["poor"]] == ["beats"] * 2
    one = found["a"]["b"][0]
    assert one["verdict"] == "ties"
    assert one["p"] <= one["holm"]


def test_scores_of_seeds_are_their_mean():
    runs = [[{"qlike": 0.5, "crps": 0.6, "rse": None}], [{"qlike": 0.7, "crps": 0.6, "rse": None}]]
    (row,) = forecasters._mean(runs)
    assert row["qlike"] == pytest.approx(0.6)
    assert row["qlike_deviation"] == pytest.approx(0.02**0.5)
    assert row["rse"] is None


def test_overlaps_are_counted_by_text(tmp_path):
    found = overlaps.overlaps(["conll-bilstm:sample"], tmp_path / "overlaps.json")
    (row,) = found["data"]
    assert row["labelled"] <= row["overlap"] <= row["test"]
    assert json.loads((tmp_path / "overlaps.json").read_text()) == found
    with pytest.raises(UsageError, match="reads no text"):
        overlaps.overlaps(["digits-mlp:sample"], tmp_path / "overlaps.json")


def test_clusters_are_named_in_the_count():
    cluster = np.repeat(np.arange(4), 5)
    units = Units("speakers", np.ones((20, 2)), cluster=cluster)
    assert intervals._interval(units)["units"] == 4
