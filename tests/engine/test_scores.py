"""Scores, their JSON, and which of them is better."""

import json
import math
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from zoo import ZooError
from zoo.scores import ConfusionMatrix, Metric, Monitor, Scores, evenness, heading, one_class

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("name", ["val_loss", "val_brier", "val_mae", "val_perplexity", "val_f1"])
def test_the_direction_is_what_was_said_whatever_the_name(name):
    lower, higher = Monitor(name, better="lower"), Monitor(name, better="higher")
    assert lower.improved(0.1, 0.2)
    assert not lower.improved(0.2, 0.1)
    assert higher.improved(0.2, 0.1)
    assert not higher.improved(0.1, 0.2)
    for monitor in (lower, higher):
        assert monitor.improved(0.1, None)
        assert not monitor.improved(0.1, 0.1)
        assert monitor.improved(0.1, math.nan)
        assert monitor.improved(math.nan, None)
        assert not monitor.improved(math.nan, 0.1)
    values = [math.nan, 0.3, 0.1, 0.4, 0.1, 0.4]
    assert (lower.best(values), higher.best(values)) == (2, 3)
    assert sorted([0.3, 0.1, 0.4], key=higher.sort_key) == [0.4, 0.3, 0.1]
    assert sorted([0.3, 0.1, 0.4], key=lower.sort_key) == [0.1, 0.3, 0.4]


@pytest.mark.parametrize("kind", [Metric, Monitor])
@pytest.mark.parametrize("better", ["less", "", None, True])
def test_another_direction_is_refused(kind, better):
    with pytest.raises(ValueError, match='write better="higher" or better="lower"'):
        kind("x", better=better)


def test_a_metric_is_written_as_it_is_read():
    assert Metric("accuracy", better="higher").text(0.88641) == "0.8864"
    assert Metric("word_error_rate", better="lower", format=".2%").text(0.00013) == "0.01%"
    assert Metric("bleu", better="higher", format=".2f").text(35.704) == "35.70"
    assert Metric("mse", better="lower").text(0.0000703) == "7.0e-05"
    assert Metric("f1", better="higher").text(0.0) == "0.0000"


def test_json_gives_back_all_of_it():
    scores = Scores(
        values={"accuracy": 0.5, "rows": 2},
        tables={"per_speaker": {"ada": {"rows": 2}}, "checks": {}, "per_class": {"a": {}, "b": {}}},
        confusion=ConfusionMatrix(["a", "b"], [[1, 0], [1, 0]]),
        signatures={"accuracy": "by hand"},
    )
    stored = json.loads(json.dumps(scores.to_json()))
    assert stored["accuracy"] == 0.5
    assert stored["confusion"] == [[1, 0], [1, 0]]
    assert "labels" not in stored  # a table has them
    assert Scores.from_json(stored) == scores
    assert scores["rows"] == 2
    for tables in ({}, {"per_speaker": {"ada": {}, "bo": {}}}):
        alone = Scores({}, tables, scores.confusion)
        assert alone.to_json()["labels"] == ["a", "b"]
        assert Scores.from_json(alone.to_json()) == alone


def test_what_is_no_score_in_a_file_of_another_is_ignored():
    stored = {"accuracy": 1.0, "remark": "good", "curve": [1, 2], "nested": {"a": {"b": [1]}}}
    assert Scores.from_json(stored) == Scores({"accuracy": 1.0})


def stored_metrics():
    """Yields each stored test score and baseline of the packed models and of `results/`."""
    found = []
    for path in sorted((ROOT / "recipes" / "pretrained").glob("*.tar.xz")):
        with tarfile.open(path) as pack:
            (name,) = [each for each in pack.getnames() if each.endswith("metrics.json")]
            found.append((path.name, json.load(pack.extractfile(name))))
    for path in sorted((ROOT / "results").glob("*.json")):
        result = json.loads(path.read_text())
        if result["kind"] == "score":
            found.append((path.name, result["metrics"]))
    return [
        (f"{name} {part}", scores)
        for name, metrics in found
        for part, scores in {"": metrics["test"], **metrics["baseline"]}.items()
    ]


def test_what_earlier_versions_stored_is_read_and_would_be_written_the_same():
    everything = stored_metrics()
    assert len(everything) > 50
    for name, stored in everything:
        scores = Scores.from_json(stored)
        assert scores.to_json() == stored, name
        if scores.confusion:
            assert scores.confusion.labels == [*scores.tables["per_class"]], name
    kept = [Scores.from_json(stored) for _, stored in everything]
    tables = {table for scores in kept for table in scores.tables}
    assert {"per_class", "per_speaker", "checks"} <= tables
    assert any(scores.signatures for scores in kept)


def test_headings_are_of_what_a_row_is():
    assert [heading(name) for name in ("per_class", "checks", "per_age_group")] == [
        "class",
        "checks",
        "age group",
    ]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"values": {"a": "0.5"}}, "Score 'a' is of type str"),
        ({"values": {}, "tables": {"t": {"row": {"c": None}}}}, "Score 'c' is of type NoneType"),
        ({"values": {"t": 1}, "tables": {"t": {}}}, "value or a table 't'"),
        ({"values": {"confusion": 1}}, "value or a table 'confusion'"),
    ],
)
def test_what_is_no_score_is_refused(arguments, message):
    with pytest.raises(ZooError, match=message):
        Scores(**arguments)


def test_a_matrix_of_another_size_is_refused():
    with pytest.raises(ValueError, match="must be 2 by 2"):
        ConfusionMatrix(["a", "b"], [[1, 2]])


def test_it_imports_nothing_heavy():
    code = (
        "import sys, zoo.scores; heavy = 'tensorflow keras numpy pandas sklearn'.split();"
        "print([name for name in heavy if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def classified(matrix):
    labels = ["good", "rare"]
    recall = [row[place] / max(1, sum(row)) for place, row in enumerate(matrix)]
    classes = {
        label: {"recall": recall[place], "support": sum(matrix[place])}
        for place, label in enumerate(labels)
    }
    return Scores({"macro_f1": 0.5}, {"per_class": classes}, ConfusionMatrix(labels, matrix))


def test_a_classifier_says_how_it_treats_its_classes():
    (line,) = evenness(classified([[90, 2], [3, 5]]))
    assert line == "macro-F1 0.5000; recall of the rarest class 'rare' (8 rows) 0.6250"
    _, warning = evenness(classified([[92, 0], [8, 0]]))
    assert warning.startswith("warning: it answers 'good' to every row. Train longer")
    assert evenness(Scores({"bleu": 3.0})) == []
    # Where only one class is asked for, one answer is right.
    assert one_class(classified([[92, 0], [0, 0]])) == ""
