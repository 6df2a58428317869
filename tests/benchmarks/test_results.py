"""The table of results says what the JSON files say."""

import dataclasses
import datetime
import json
import types
from pathlib import Path
from typing import ClassVar

import pytest

from benchmarks import results, score_tables
from zoo.errors import UsageError, ZooError

ROOT = Path(__file__).parents[2]
ENVIRONMENT = {
    "cores": 2, "cpu": "A CPU", "memory_gib": 24, "gpus": [], "tensorflow": "2.21.0",
    "keras": "3.15.1",
}  # fmt: skip


@dataclasses.dataclass
class Defaults:
    ALIASES: ClassVar = {}
    units: int = 8


def score(name, value):
    return {
        "kind": "score",
        "recipe": name,
        "task": "films",
        "metric": "accuracy",
        "better": "higher",
        "score": value,
        "baseline": {"linear": 0.75},
        "metrics": {
            "test": {"accuracy": value, "rows": 400},
            "parameters": 1234,
            "epochs": 3,
            "best_epoch": 2,
        },
        "data": {"title": "films"},
        "seed": 7,
        "config": {"units": 8},
        "environment": ENVIRONMENT,
    }


@pytest.fixture
def measured(tmp_path):
    race = {
        "kind": "race",
        "metric": "accuracy",
        "target": 0.7,
        "data": {"title": "films"},
        "recipe": {"name": "a", "seconds": 10.4},
        "peer": {
            "source": "https://example.org",
            "seconds": 100.2,
            "score": 0.69,
            "epochs": [{"test_accuracy": 0.71}, {"test_accuracy": 0.69}],
        },
        "ratio": 0.1038,
    }
    for name, value in (("a", score("a", 0.8)), ("b", score("b", 0.7)), ("race", race)):
        (tmp_path / f"{name}.json").write_text(json.dumps(value))
    return tmp_path


def test_networks_and_baselines_have_a_table_each(measured):
    row = score("a", 0.8) | {"date": "2026-11-27"}
    row["metrics"]["train_seconds"] = 754.0
    (measured / "a.json").write_text(json.dumps(row))
    lines = results.render_table(measured).splitlines()
    assert lines[0] == "### Films: accuracy"
    assert lines[2] == (
        "| network | accuracy ↑ | 95 % interval (Wilson, rows) | against the best baseline "
        "| parameters | best epoch | training | MB | ms | date |"
    )
    lost = "– (weights not kept)"
    assert lines[4] == (
        f"| `a` | **0.8000** | 0.7580–0.8363 | {lost} | 1,234 | 2 of 3 | 13 min | – | – "
        "| 2026-11-27 |"
    )
    assert lines[5] == (
        f"| `b` | **0.7000** | 0.6534–0.7428 | {lost} | 1,234 | 2 of 3 | – | – | – | – |"
    )
    assert lines[7] == "| baseline | accuracy ↑ | 95 % interval (Wilson, rows) |"
    assert lines[9] == "| linear | 0.7500 | 0.7053–0.7899 |"
    (machines,) = (line for line in lines if line.startswith("Scored on"))
    assert "2 cores of A CPU, 24 GiB, no GPU" in machines
    assert machines.endswith("seed 7.")
    assert "`a` 10 s" in lines[-1]
    assert "100 s for its 2 epochs (best score with this seed: 0.7100)" in lines[-1]
    assert "ratio **0.10**" in lines[-1]


@pytest.mark.parametrize(
    ("metrics", "shown"),
    [
        ({"train_seconds": 17.4}, "17 s"),
        ({"train_seconds": 5_500.0}, "1.5 h"),
        ({"train_seconds": None}, "–"),
        ({"train_seconds": None, "weights": "rounded to 11 bits"}, "–"),
        (
            {"train_seconds": None, "weights": "by PyTorch on one NVIDIA H200 in 233 s"},
            "4 min (GPU)",
        ),
        ({"train_seconds": None, "weights": "trained by JAX on a CPU in 1,002 s, "}, "17 min"),
        ({"train_seconds": 60.0, "weights": "trained on one NVIDIA H200 in 83 s, rounded"}, "60 s"),
    ],
)
def test_the_time_of_training_says_where_it_was_a_gpu(metrics, shown):
    assert score_tables.training_time(metrics) == shown


@pytest.mark.parametrize(
    ("size", "shown"), [(36_272, "<0.1"), (50_036, "0.1"), (14_544_024, "14.5")]
)
def test_no_model_has_a_size_of_zero(size, shown):
    assert score_tables.megabytes(size) == shown


def test_collected_results_have_a_date(tmp_path, monkeypatch):
    predictor = types.SimpleNamespace(
        name="a",
        metrics={"metric": "accuracy", "test": {"accuracy": 0.8}, "baseline": {}},
        data={"source": "tfds"},
        run={"seed": 0, "data": "tfds", "base": None},
        resolved={"config": {}},
        about=tmp_path,
        recipe=types.SimpleNamespace(
            topology="many-to-one", task="films", metric=types.SimpleNamespace(better="higher")
        ),
    )
    (tmp_path / "environment.json").write_text(json.dumps(ENVIRONMENT))
    monkeypatch.setattr("zoo.serving.load", lambda model: predictor)
    written = json.loads(results.collect("a", tmp_path / "a.json").read_text())
    assert datetime.date.fromisoformat(written["date"]) <= datetime.date.today()


def first_cells(table):
    """Returns the names of networks and baselines, from the top."""
    cells = [line.split("|")[1].strip(" `") for line in table.splitlines() if line[:1] == "|"]
    return [cell for cell in cells if cell not in ("network", "baseline", "---")]


@pytest.mark.parametrize(
    ("better", "expected"),
    [
        ("higher", ["b", "a", "good", "poor"]),
        ("lower", ["a", "b", "poor", "good"]),
    ],
)
def test_the_best_of_each_table_stands_first(tmp_path, better, expected):
    for name, value in (("a", 0.2), ("b", 0.3)):
        row = {**score(name, value), "metric": "anything", "better": better}
        row["baseline"] = {"good": 0.6, "poor": 0.5}
        (tmp_path / f"{name}.json").write_text(json.dumps(row))
    assert first_cells(results.render_table(tmp_path)) == expected


def test_scores_of_one_table_have_one_scale(measured):
    (measured / "b.json").write_text(
        json.dumps(score("b", 52.81) | {"metric": "bleu", "baseline": {"copy": 0.584}})
    )
    table = results.render_table(measured)
    assert "| `b` | **52.81** |" in table
    assert "| copy | 0.58 |" in table


def test_runs_of_one_recipe_say_in_what_they_differ(measured):
    for name, units in (("b", 8), ("c", 16)):
        result = score("b", units / 100)
        result["config"] = {**result["config"], "units": units}
        (measured / f"{name}.json").write_text(json.dumps(result))
    table = results.render_table(measured)
    assert "| `b`, units=8 | **0.0800** |" in table
    assert "| `b`, units=16 | **0.1600** |" in table


@pytest.mark.parametrize(
    ("mean", "deviation", "shown"),
    [(0.9158, 0.0004, "0.0004"), (0.9836, 0.0, "0.0000"), (0.0002, 0.00003, "3.0e-05")],
)
def test_a_deviation_has_the_decimals_of_its_mean(mean, deviation, shown):
    assert score_tables.deviation_of(mean, deviation, mean, "accuracy") == shown


@pytest.mark.parametrize(("share", "alone"), [(1.0, ", its linear part alone"), (0.9, "")])
def test_a_network_that_a_linear_model_answers_for_is_named(measured, share, alone):
    result = score("b", 0.9)
    result["metrics"]["parts"] = {"share": share}
    (measured / "b.json").write_text(json.dumps(result))
    assert f"| `b`{alone} | **0.9000** |" in results.render_table(measured)


def test_intervals_and_tests_stand_beside_the_scores(tmp_path):
    row = {**score("conll-a", 0.9), "metric": "f1", "config": {"units": 8, "vectors": "glove-50"}}
    row |= {
        "baseline": {"crf": 0.84, "lookup": 0.6},
        "interval": {"low": 0.891, "high": 0.909, "kind": "bootstrap, sentences", "units": 40},
        "baseline_intervals": {
            "crf": {"low": 0.83, "high": 0.85, "kind": "bootstrap, sentences", "units": 40}
        },
        "comparisons": {
            "crf": {"verdict": "beats", "test": "paired bootstrap", "p": 2e-4, "holm": 4e-4}
        },
    }
    (tmp_path / "a.json").write_text(json.dumps(row))
    counted = {"title": "news", "test": 900, "overlap": 12, "labelled": 11}
    (tmp_path / "z.json").write_text(json.dumps({"kind": "overlaps", "data": [counted]}))
    lines = results.render_table(tmp_path).splitlines()
    assert (
        "| F1 ↑ | 95 % interval (bootstrap, sentences) | against the best baseline (paired "
        in (lines[2])
    )
    assert lines[4].startswith(
        "| `conll-a`, vectors=glove-50 | **0.9000**† | 0.8910–0.9090 | **beats** crf (p 0.0004) |"
    )
    assert lines[8] == "| crf | 0.8400 | 0.8300–0.8500 |"
    assert lines[9] == "| lookup | 0.6000 | – (not measured again) |"
    (seen,) = (line for line in lines if line.startswith("†"))
    assert "Chosen with earlier test scores in view: the depth of the taggers." in seen
    assert lines[-1].endswith("a training row, too: news 12 of 900 (11 with the same answer).")


def test_rows_with_other_kinds_of_intervals_name_them(measured):
    row = score("b", 0.7) | {"interval": {"low": 0.6, "high": 0.8, "kind": "bootstrap, pieces"}}
    row["comparisons"] = {"linear": {"verdict": "below", "test": "McNemar", "holm": 0.02}}
    (measured / "b.json").write_text(json.dumps(row))
    row = score("c", 0.6)
    row["comparisons"] = {"linear": {"verdict": "below", "test": "another", "holm": None}}
    (measured / "c.json").write_text(json.dumps(row))
    table = results.render_table(measured)
    assert "| 95 % interval | against the best baseline |" in table
    assert "| 0.6000–0.8000 (bootstrap, pieces) | **below** linear (McNemar, p 0.02) |" in table
    assert "(Wilson, rows) | **below** linear (another) |" in table


def test_errors_of_words_have_an_interval_over_speakers(tmp_path):
    row = {**score("a", 0.2), "metric": "word_error_rate", "better": "lower", "baseline": {}}
    speakers = {
        name: {"word_error_rate": rate, "words": 100} for name, rate in (("x", 0.1), ("y", 0.3))
    }
    row["metrics"]["test"] = {"word_error_rate": 0.2, "per_speaker": speakers}
    (tmp_path / "a.json").write_text(json.dumps(row))
    table = results.render_table(tmp_path)
    assert "95 % interval (bootstrap, speakers)" in table
    assert "| **0.2000** | 0.1000–0.3000 |" in table
    assert "| baseline |" not in table  # there is none


def test_forecasters_have_seeds_intervals_and_a_test_of_each_pair(measured):
    bands = {"coverage_50": 0.501, "coverage_80": 0.796, "coverage_95": 0.947}
    one = {
        "qlike": 0.5, "crps": 0.64, "mae": 0.87, "rse": 0.02, "direction": None,
        "direction_always_up": 0.517, "qlike_interval": [0.4, 0.6], "crps_interval": [0.6, 0.7],
        **bands,
    }  # fmt: skip
    network = {**one, "qlike": 0.49, "qlike_deviation": 0.01, "crps_deviation": 0.02}
    said = {"verdict": "beats", "holm": 0.004}
    tests = {
        measure: {"a": {"HAR": [said], "linear": [{**said, "verdict": each}]}}
        for measure, each in (("qlike", "beats"), ("qlike_squared", "ties"), ("crps", "ties"))
    }
    row = {
        "kind": "forecasters",
        "data": {"title": "stocks"},
        "reference": "a",
        "series": ["X", "Y"],
        "days": ["2015-01-02", "2017-12-29", 755],
        "horizon": 1,
        "seeds": {"a": [0, 1, 2]},
        "networks": {"a": [{**network, "direction": 0.5}]},
        "methods": {"HAR": [{**one, "qlike": 0.6}], "linear": [one]},
        "tests": tests,
    }
    (measured / "one.json").write_text(json.dumps(row))
    lines = results.render_table(measured).splitlines()
    start = next(i for i, line in enumerate(lines) if line.startswith("A day ahead"))
    assert lines[start + 4] == (
        "| **`a`** | 3 | 0.4900 ± 0.0100 | 0.4000–0.6000 | 0.6400 ± 0.0200 | 0.6000–0.7000 "
        "| 0.8700 | 50.0 | 50.1, 79.6, 94.7 |"
    )
    assert [line.split(" |")[0] for line in lines[start + 5 : start + 8]] == [
        "| linear", "| HAR", "| always up",
    ]  # fmt: skip
    assert "| linear | beats (0.004) | ties (0.004) | ties (0.004) |" in lines
    assert lines[-1] == ("`a` beats HAR on both proxies of the variance; it does not beat linear.")


def over_seeds(**changed):
    """Returns a file of three seeds of the recipe "a", whose seed 7 has 0.8."""
    return {
        "kind": "seeds", "recipe": "a", "metric": "accuracy", "mean": 0.79, "deviation": 0.0173,
        "scores": {"7": 0.8, "8": 0.77, "9": 0.8}, "data": {"title": "films"},
        "config": {"units": 8}, **changed,
    }  # fmt: skip


def test_the_score_of_several_seeds_is_their_mean():
    row = score("a", 0.8)
    row["comparisons"] = {"linear": {"verdict": "beats", "test": "McNemar", "holm": 0.02}}
    found = score_tables.across_seeds(row, [over_seeds()])
    assert found["score"] == 0.8  # by which the pack is known
    (line,) = (line for line in score_tables._tables_of([found], {}) if line.startswith("| `a`"))
    assert line.startswith(
        "| `a` | **0.7900** ± 0.0173 (3 seeds) | 0.7580–0.8363, seed 7 "
        "| **beats** linear (p 0.02, seed 7) |"
    )


@pytest.mark.parametrize(
    "changed",
    [
        {"recipe": "b"},
        {"metric": "f1"},
        {"data": {"title": "news"}},
        {"config": {"units": 16}},
        {"scores": {"8": 0.77, "9": 0.8}},
        {"scores": {"7": 0.81, "8": 0.77}},
    ],
)
def test_seeds_of_another_training_change_no_score(changed):
    row = score("a", 0.8)
    assert score_tables.across_seeds(row, [over_seeds(**changed)]) == row


def forecast(verdict="ties", seeds=(7, 8, 9)):
    """Returns a file of forecasters; on the second day ahead, another verdict."""
    days = [{"verdict": each, "holm": 0.24, "p": 0.02} for each in (verdict, "beats")]
    ahead = [{"qlike": 0.513, "qlike_deviation": 0.0017}, {"qlike": 0.4, "qlike_deviation": 0.1}]
    return {
        "kind": "forecasters", "data": {"title": "films"}, "config": {"units": 8},
        "seeds": {"a": [*seeds]}, "networks": {"a": ahead}, "methods": {"linear": ahead},
        "tests": {"qlike": {"a": {"linear": days}}},
    }  # fmt: skip


@pytest.mark.parametrize("verdict", ["ties", "below"])
def test_the_verdict_on_a_forecaster_is_of_all_seeds_and_the_day_of_the_score(verdict):
    row = {**score("a", 0.515), "metric": "qlike", "better": "lower", "baseline": {"linear": 0.502}}
    row["comparisons"] = {
        "linear": {"verdict": "below", "test": "paired bootstrap", "holm": 0.01, "p": 0.01}
    }
    found = score_tables.across_seeds(row, [forecast(verdict)])
    lines = score_tables._tables_of([found], {})
    assert "against the best baseline (Diebold & Mariano, mean loss of 3 seeds)" in lines[0]
    assert lines[2].startswith("| `a` | **0.5130** ± 0.0017 (3 seeds) |")
    assert f"| **{verdict}** linear (p 0.2) |" in lines[2]
    assert score_tables.across_seeds(row, [forecast(seeds=(8, 9))]) == row


def test_rows_of_a_few_speakers_are_not_called_independent():
    row = score("a", 0.8)
    row["metrics"]["test"]["per_speaker"] = {"x": {"accuracy": 0.7}, "y": {"accuracy": 0.9}}
    lines = score_tables._tables_of([row], {})
    head = "95 % interval (Wilson, rows; these are of 2 speakers, not independent)"
    assert head in lines[0]
    assert head in lines[4]


def test_the_speed_of_decoding_has_a_line(measured):
    speeds = {"loop": 0.5, "single": 20.0, "greedy": 1000.4, "beam": 250.0}
    result = {
        "kind": "decoding",
        "recipe": "b",
        "source": "https://example.org",
        "searched": 5,
        "batch_size": 64,
        **{way: {"per_second": speed} for way, speed in speeds.items()},
        "single_ratio": 40.0,
        "ratio": 2000.8,
        "beam_ratio": 500.0,
    }
    (measured / "z.json").write_text(json.dumps(result))
    assert results.render_table(measured).splitlines()[-1] == (
        "Sentences a second that `b` translates greedily, in one run: by [a loop over `predict`]"
        "(https://example.org) 0.50; by one graph 20 one by one (**40** times as many) and 1,000 "
        "in batches of 64 (2,001 times), with a beam of 5 250."
    )


def test_a_peer_has_a_line(measured):
    def over(ratio, total):
        return {"ratio": ratio, "total_ratio": total}

    trained = {"seconds": 62.4, "score": 0.881, "reached": True}
    result = {
        "kind": "twins",
        "metric": "accuracy",
        "recipe": "a",
        "peer": {"title": "Another 1.0", "source": "https://example.org", "fixed": 400},
        "steps": {
            "a": {
                "same_batches": over(0.91, 2),
                "same_network": {"layout": "packed", **over(0.125, 1)},
                "batching": over(3, 0.52),
                "whole": over(4, 0.68),
            }
        },
        "to_target": {
            "target": 0.88,
            "ours": trained,
            "theirs": {"seconds": 208.0, "score": 0.8693, "reached": False, "epochs": 4},
            "ratio": 0.3,
        },
        "answers": {"32": {"ids": over(1.25, 5), "raw": over(1.5, 6)}},
        "threads": 2,
        "environment": ENVIRONMENT,
    }
    (measured / "twins.json").write_text(json.dumps(result))
    line = results.render_table(measured).splitlines()[-1]
    assert "[Another 1.0](https://example.org), in one run, 2 threads each" in line
    assert "on the same batches `a` 0.91 (of a network that reads padding too; 0.12 of the" in line
    assert "same one, packed); our batches by length over theirs padded to 400" in line
    assert "cut to that in both, 0.52; with our rows not cut, 0.68." in line
    assert "accuracy 0.8800: `a` 62 s, a plain script 208 s for its 4 epochs, best score" in line
    assert "best score 0.8693: ratio **0.30**." in line
    assert "1.25 (1.50 with its raw input made into ids) for 32 at once." in line


def test_nats_have_three_digits_and_the_speed_of_generation_a_line(measured):
    nats = {"metric": "nats_per_character", "baseline": {"5-gram": 1.64}}
    (measured / "b.json").write_text(json.dumps(score("b", 1.43219) | nats))
    speeds = {"loop": 20.0, "single": 1500.0, "batch": 30_000.4}
    result = {
        "kind": "generation",
        "recipe": "b",
        "source": "https://example.org",
        "rows": 64,
        **{way: {"per_second": speed} for way, speed in speeds.items()},
        "single_ratio": 75.0,
        "ratio": 1500.02,
    }
    (measured / "z.json").write_text(json.dumps(result))
    table = results.render_table(measured)
    assert "| `b` | **1.432** |" in table
    assert "| 5-gram | 1.640 |" in table
    assert table.splitlines()[-1] == (
        "Ids a second that `b` draws, in one run: by [a loop over `predict`](https://example.org) "
        "20; by one graph 1,500 (**75** times as many), and 30,000 with 64 sequences at once "
        "(1,500 times)."
    )


def test_what_recovered_has_a_line_without_what_could_not_be_tried(measured):
    result = {
        "kind": "recovery", "recipe": "a", "equal": 2, "all": 3, "kills": 2, "seed": 5,
        "data": {"title": "films"},
        "cases": [
            {"case": "SIGKILL, steps", "equal": True},
            {"case": "SIGKILL, export", "equal": True},
            {"case": "disk full", "equal": False},
            {"case": "read-only disk, from the beginning", "equal": None},
        ],
    }  # fmt: skip
    (measured / "recovery.json").write_text(json.dumps(result))
    line = results.render_table(measured).splitlines()[-1]
    assert line.startswith("Runs of `a` on films that were disturbed")
    assert "**2 of 3**" in line
    assert "(SIGKILL 2 of 2, disk full 0 of 1; 2 kills at moments drawn from seed 5)" in line


def test_the_table_replaces_what_stands_between_the_markers(measured):
    readme = measured / "README.md"
    readme.write_text(f"before\n{results.BEGIN}\nold\n{results.END}\nafter\n")
    assert results.write_table(readme, measured)
    text = readme.read_text()
    assert text.startswith("before\n")
    assert text.endswith(f"{results.END}\nafter\n")
    assert "old" not in text
    assert not results.write_table(readme, measured), "a second time changes nothing"


def test_a_readme_without_markers_is_refused(measured):
    readme = measured / "README.md"
    readme.write_text("no markers\n")
    with pytest.raises(ZooError, match="needs the lines"):
        results.write_table(readme, measured)


def test_no_results_are_no_table(tmp_path):
    with pytest.raises(ZooError, match="no results"):
        results.render_table(tmp_path)


def test_the_mean_over_seeds_is_of_runs_that_differ_in_nothing_else(measured, monkeypatch):
    def fake(model):
        value, seed, units, *rows = model.split()
        row = {**score("a", float(value)), "seed": int(seed)}
        # Runs of earlier versions lack a setting, and have other notes on the same rows.
        row["config"] = {"units": int(units), **({"epochs": 1} if seed == "2" else {})}
        row["data"] = {**row["data"], "fingerprint": (rows or ["f"])[0], "notes": [seed]}
        return {**row, "topology": "many-to-one"}

    monkeypatch.setattr(results, "measurements", fake)
    more = dataclasses.make_dataclass("More", [("epochs", int, 1)], bases=(Defaults,))
    recipe = type("Recipe", (), {"config": more()})
    monkeypatch.setattr("zoo.registry.get_recipe", lambda name: recipe)
    path = results.collect_seeds(["0.7 0 9", "0.8 1 9", "0.9 2 9"], measured / "seeds.json")
    written = json.loads(path.read_text())
    assert written["mean"] == pytest.approx(0.8)
    assert written["deviation"] == pytest.approx(0.1)
    assert written["scores"] == {"0": 0.7, "1": 0.8, "2": 0.9}
    line = next(row for row in results.render_table(measured).splitlines() if "seeds:" in row)
    assert line == (
        "`a` with units=9 on films, 3 seeds: accuracy **0.8000** on average (standard deviation "
        "0.1000)."
    )
    with pytest.raises(UsageError, match="each of another seed"):
        results.collect_seeds(["0.7 0 9", "0.7 0 9"], path)
    with pytest.raises(UsageError, match="each of another seed"):
        results.collect_seeds(["0.7 0 9"], path)
    with pytest.raises(UsageError, match=r"0\.8 1 8 differs from 0\.7 0 9 in more.*config"):
        results.collect_seeds(["0.7 0 9", "0.8 1 8"], path)
    with pytest.raises(UsageError, match=r"more than its seed: data"):
        results.collect_seeds(["0.7 0 9", "0.8 1 9 other"], path)
    (measured / "first.json").write_text(json.dumps(fake("0.7 0 9")))
    results.collect_seeds([measured / "first.json", "0.8 1 9"], path)
    assert json.loads(path.read_text())["scores"] == {"0": 0.7, "1": 0.8}
    with pytest.raises(UsageError, match=r"seeds.json is not a file that .* wrote"):
        results.collect_seeds([path, "0.8 1 9"], path)
    given = {"0": {"base": "none"}, "1": {"add_validation": 0.0}, "2": {"add_validation": 0.9}}
    monkeypatch.setattr(
        results, "measurements", lambda model: {**fake(model), "options": given[model.split()[1]]}
    )
    results.collect_seeds(["0.7 0 9", "0.8 1 9"], path)
    with pytest.raises(UsageError, match=r"more than its seed: options"):
        results.collect_seeds(["0.7 0 9", "0.9 2 9"], path)


def test_validation_rows_in_training_are_told_and_change_no_baseline(tmp_path):
    rows = [score("a", 0.8), {**score("a", 0.85), "options": {"add_validation": 0.9}}]
    rows[1]["baseline"] = {"linear": 0.99}
    for number, row in enumerate(rows):
        (tmp_path / f"{number}.json").write_text(json.dumps(row))
    seeds = {**over_seeds(scores={"1": 0.5}), "options": {"add_validation": 0.9}}
    (tmp_path / "seeds.json").write_text(json.dumps(seeds))
    table = results.render_table(tmp_path)
    assert "| `a`, add_validation=0.9 |" in table
    assert "0.9900" not in table
    assert "`a` with units=8, add_validation=0.9 on films" in table


def test_networks_stand_above_the_baselines_of_their_data(tmp_path):
    for name, value, data in [("a", 0.8, "films"), ("b", 31.25, "pairs"), ("c", 0.6, "films")]:
        row = {**score(name, value), "data": {"title": data}, "task": data}
        row["metric"] = "bleu" if data == "pairs" else "accuracy"
        row["baseline"] = {"copy": value / 2}
        (tmp_path / f"{name}.json").write_text(json.dumps(row))
    table = results.render_table(tmp_path)
    assert first_cells(table) == ["a", "c", "copy", "b", "copy"]
    lost = "– (weights not kept)"
    assert f"| `b` | **31.25** | {lost} | {lost} | 1,234 | 2 of 3 |" in table
    assert "| copy | 15.62 | – (not measured again) |" in table


def test_scores_by_a_setting_are_of_runs_that_differ_in_that_alone(measured, monkeypatch):
    def found(model):
        value, units, seed = model.split()
        return score("a", float(value)) | {
            "config": {"units": int(units), "epochs": 3},
            "seed": int(seed),
            "topology": "many-to-one",
            "baseline": {"linear": 0.5 + int(units) / 100},
        }

    monkeypatch.setattr(results, "measurements", found)
    path = measured / "units.json"
    result = results.collect_settings(["0.7 4 0", "0.9 8 0"], "units", path)
    assert json.loads(path.read_text()) == result
    assert result["scores"] == {"4": 0.7, "8": 0.9}
    assert result["mean"] == pytest.approx(0.8)
    line = next(row for row in results.render_table(measured).splitlines() if "by units" in row)
    assert line == (
        "`a` by units (4 0.7000, 8 0.9000): accuracy **0.8000** on average; baselines on "
        "average: linear 0.5600."
    )
    for models, setting, says in [
        (["0.7 4 0"], "units", "two runs or more"),
        (["0.7 4 0", "0.8 4 0"], "units", "each of another units"),
        (["0.7 4 0", "0.8 8 1"], "units", "more than units: seed"),
        (["0.7 4 0", "0.8 8 0"], "unit", "Did you mean 'units'"),
    ]:
        with pytest.raises(UsageError, match=says):
            results.collect_settings(models, setting, path)


def test_scores_by_an_option_of_the_run_are_of_the_same_config(measured, monkeypatch):
    def found(model):
        value, precision, units = model.split()
        return score("a", float(value)) | {
            "config": {"units": int(units)},
            "options": {"precision": precision, "tiny": False},
            "seed": 0,
            "topology": "many-to-one",
            "baseline": {},
        }

    monkeypatch.setattr(results, "measurements", found)
    path = measured / "precision.json"
    result = results.collect_settings(["0.7 float32 4", "0.8 half 4"], "precision", path)
    assert result["scores"] == {"float32": 0.7, "half": 0.8}
    with pytest.raises(UsageError, match=r"differs .* in more than precision: config"):
        results.collect_settings(["0.7 float32 4", "0.8 half 8"], "precision", path)
    with pytest.raises(UsageError, match="Did you mean 'precision'"):
        results.collect_settings(["0.7 float32 4", "0.8 half 4"], "precisio", path)


def test_options_are_a_table(measured):
    ways = {"default": {"ratio": 1.0}, "half": {"ratio": 1.254}}
    row = {
        "kind": "options",
        "recipes": {
            "a": {"ways": ways, "xla": {"ratio": 2.0, "training_ratio": 9.81}, "shapes": 368},
            "b": {"ways": ways, "xla": {"error": "it cannot"}, "shapes": 2},
        },
    }
    (measured / "options.json").write_text(json.dumps(row))
    lines = results.render_table(measured).splitlines()
    assert lines[-4:] == [
        "| recipe | half | XLA | XLA, whole training | shapes |",
        "|---|---:|---:|---:|---:|",
        "| `a` | 1.25 | 2.00 | 9.81 | 368 |",
        "| `b` | 1.25 | – | – | 2 |",
    ]


def test_few_rows_are_a_table_with_the_number_of_draws(measured):
    def run(data, size, seed, accuracy, share):
        baselines = {"tfidf-linear": 0.7, "nbsvm-bigram": 0.6 + seed / 5}
        return {
            "data": data, "size": size, "seed": seed, "recipe": "a", "rows": min(size, 1_700),
            "accuracy": accuracy, "baselines": baselines,
            "macro_f1": 0.6, "seconds": 9.0, "parts": {"share": share},
        }  # fmt: skip

    runs = [run("bbc", 5_000, 0, 0.71, 1.0), run("bbc", 200, 0, 0.69, 0.8)]
    runs.append(run("bbc", 200, 1, 0.68, 1.0))
    runs[0]["start"] = {"packed": True}  # so the default is what `--from` would be
    runs[1] |= {"packed": 0.6, "start": {"packed": False}}
    runs[2]["packed"] = 0.7
    result = {"kind": "small", "runs": runs, "environment": {}}
    (measured / "small.json").write_text(json.dumps(result))
    made = results.render_table(measured)
    assert "| bbc | 200 | 2 | `a` | 68.5 | 70.0 | 70.0 | -1.5 | 10% | – | 65.0 |" in made
    assert "| bbc | 1,700 | 1 | `a` | 71.0 | 70.0 | 60.0 | +1.0 | 0% | 1 | 71.0 |" in made
    assert "Of 2 rows of this table, 1 are within one point" in made
    assert "the least difference is -1.5 points (bbc, 200 rows)" in made


def test_backtests_are_a_table_with_their_doubts(measured):
    bands = {"coverage_50": 0.501, "coverage_80": 0.796, "coverage_95": 0.947}
    one = {"qlike": 0.5, "crps": 0.64, "mae": 0.87, "rse": 0.02, **bands}
    simple = {**one, "qlike": 0.6, "rse": 0.03}
    test = {"qlike": [{"p": 0.0004}], "crps": [{"p": 0.03}], "mae": [{"p": None}]}
    row = {
        "kind": "backtest",
        "recipe": "a",
        "data": {"title": "stocks"},
        "series": ["X", "Y"],
        "days": ["2015-01-02", "2017-12-29", 755],
        "horizon": 24,
        "scores": {"network": [one] * 24, "HAR": [simple] * 24, "AR": [simple] * 24},
        "tests": {"HAR": test, "AR": {**test, "qlike": [{"p": 0.3}], "crps": [{"p": 0.9}]}},
    }
    better = {**row, "recipe": "b", "scores": {**row["scores"], "network": [{**one, "qlike": 0.4}]}}
    (measured / "one.json").write_text(json.dumps(row))
    (measured / "two.json").write_text(json.dumps({**better, "horizon": 1}))
    lines = results.render_table(measured).splitlines()
    start = next(i for i, line in enumerate(lines) if line.startswith("A day ahead"))
    assert "755 days of 2 series, 2015-01-02 to 2017-12-29 (stocks); p against `b`" in lines[start]
    assert "corrected by Holm's method for the 2 methods" in lines[start]
    assert lines[start + 4 : start + 8] == [
        "| `b` | **0.4000** |  | **0.6400** |  | **0.8700** |  | 50.1, 79.6, 94.7 |",
        "| `a` | **0.5000** |  | **0.6400** |  | **0.8700** |  | 50.1, 79.6, 94.7 |",
        "| HAR | 0.6000 | 0.0008 | 0.6400 | 0.06 | 0.8700 |  | 50.1, 79.6, 94.7 |",
        "| AR | 0.6000 | 0.3 | 0.6400 | 0.9 | 0.8700 |  | 50.1, 79.6, 94.7 |",
    ]
    (measured / "two.json").unlink()
    assert results.render_table(measured).splitlines()[-1] == (
        "Root relative squared error 3, 6, 12, 24 days ahead: `a` 0.0200, 0.0200, 0.0200, 0.0200; "
        "HAR 0.0300, 0.0300, 0.0300, 0.0300; AR 0.0300, 0.0300, 0.0300, 0.0300."
    )


@pytest.mark.parametrize(
    ("score", "best", "metric", "expected"),
    [
        (0.88641, 0.9, "accuracy", "0.8864"),
        (35.704, 40, "bleu", "35.70"),
        (1.2544, 2, "nats_per_token", "1.254"),
        (0.0000703, 0.16, "mse", "7.0e-05"),
        (0.0, 0.16, "f1", "0.0000"),
    ],
)
def test_numbers_have_the_digits_that_count(score, best, metric, expected):
    assert score_tables.number(score, best, metric) == expected


@pytest.mark.parametrize(("milliseconds", "shown"), [(0.2049, "0.2"), (3.14, "3.1"), (12.6, "13")])
def test_the_table_of_models_has_the_time_of_a_request(tmp_path, milliseconds, shown):
    for path in (ROOT / "results").glob("*.json"):
        if path.name != "requests.json":
            (tmp_path / path.name).symlink_to(path)
    rows = score_tables.render_models(tmp_path).splitlines()
    assert rows[0].endswith("| MB | ms |")
    assert all(row.endswith(" – |") for row in rows[2:])  # not measured
    measured = {"models": {"imdb-gru": {"milliseconds": milliseconds}}}
    (tmp_path / "requests.json").write_text(json.dumps(measured))
    (row,) = (
        row for row in score_tables.render_models(tmp_path).splitlines() if "`imdb-gru`" in row
    )
    assert row.endswith(f" {shown} |")


def test_the_short_table_has_the_best_network_of_each_dataset():
    rows = score_tables.render_models(ROOT / "results", best=True).splitlines()[2:]
    names = [row.split("`")[1] for row in rows]
    every = {
        row.split("`")[1] for row in score_tables.render_models(ROOT / "results").splitlines()[2:]
    }
    measured = {name: json.loads((ROOT / f"results/{name}.json").read_text()) for name in every}

    def key(name):
        return measured[name]["data"]["dataset"], measured[name]["metric"]

    recurrent = [name for name in every if measured[name]["topology"] != "one-to-one"]
    for name in recurrent:
        rivals = [measured[other]["score"] for other in names if key(other) == key(name)]
        sign = 1 if score_tables.better(measured[name]) == "higher" else -1
        assert max(sign * rival for rival in rivals) >= sign * measured[name]["score"]
    assert len({key(name) for name in recurrent}) + len(score_tables.ALSO) == len(names)


def test_published_scores_stand_beside_comparable_networks_only():
    name = "CoNLL-2003 English (official split)"
    row = {"data": {"title": name}, "metric": "f1", "config": {"vectors": "glove-50"}}
    assert score_tables.published(row).startswith("0.912 (Ma & Hovy 2016")
    assert score_tables.published({**row, "config": {"vectors": "none"}}) == ""
    assert score_tables.published({**row, "metric": "accuracy"}) == ""


def test_negation_has_a_row_for_each_packed_model_that_measured_it(monkeypatch):
    monkeypatch.setattr(results, "pack_of", lambda result: result["recipe"] != "d")
    said = {"all": {"accuracy": 0.5, "both": 0.1, "rows": 4}}
    linear = {"name": "baseline: linear", "scores": said}
    probes = {"kind": "probes", "models": [{"name": "a", "scores": said}, linear]}
    scores = [score(name, 0.8) for name in ("a", "c", "d")]
    for row in scores:
        row["metrics"]["test"]["negation"] = said
    models = results._with_packed(probes, [*scores, score("e", 0.7)])["models"]
    assert [model["name"] for model in models] == ["a", "c", "baseline: linear"]
