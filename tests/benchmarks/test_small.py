"""Few rows: what was measured is not measured again, and a draw follows from its seed."""

import json

import pytest

from benchmarks import small
from zoo.errors import UsageError


def test_a_stopped_measurement_goes_on(tmp_path, monkeypatch):
    train = {"text": [f"text {number}" for number in range(90)], "label": ["a", "b"] * 45}
    monkeypatch.setattr(small, "_parts", lambda dataset, source: (train, train))
    drawn = {}

    def measure(recipe, train, test, size, seed, base=None):
        rows = small._draw(train, size, f"rows {seed}")["text"]
        assert drawn.setdefault((size, seed), rows) == rows
        if len(drawn) == 3:
            raise KeyboardInterrupt
        accuracy = 0.9 if base else 0.8
        return {
            "rows": len(rows),
            "accuracy": accuracy,
            "baselines": {"tfidf-linear": 0.7},
            "start": {},
        }

    monkeypatch.setattr(small, "_measure", measure)
    monkeypatch.setattr(small, "_choice", lambda *_: {"packed": False})
    output, lines = tmp_path / "small.json", []
    with pytest.raises(KeyboardInterrupt):
        small.small(output, names=["bbc"], sizes=(50, 60), seeds=2, log=lines.append)
    assert len(lines) == 2
    result = small.small(output, names=["bbc"], sizes=(50, 200), seeds=2, log=lines.append)
    assert [(run["size"], run["seed"], run["rows"]) for run in result["runs"]] == [
        (50, 0, 50), (50, 1, 50), (200, 0, 90), (200, 1, 90)
    ]  # fmt: skip
    assert len(lines) == 4
    assert drawn[50, 0] != drawn[50, 1]
    assert json.loads(output.read_text()) == result
    small.small(output, names=["bbc"], sizes=(50,), seeds=1, packed=True, log=lines.append)
    assert lines[4:] == ["bbc, 50 rows, seed 0: --from news-gru 0.9000, tfidf-linear 0.7000"]
    assert json.loads(output.read_text())["runs"][0]["packed"] == 0.9
    # The default has changed since.
    result["runs"] = [{**run, "accuracy": 0.5} for run in result["runs"]]
    for run in result["runs"]:
        del run["start"]
    output.write_text(json.dumps(result))
    monkeypatch.setattr(small, "_choice", lambda *key: {"packed": key[-2:] == (50, 1)})
    changed = small.small(output, names=["bbc"], sizes=(50, 200), seeds=2, log=lines.append)
    found = {(run["size"], run["seed"]): run["accuracy"] for run in changed["runs"]}
    assert found == {(50, 0): 0.5, (50, 1): 0.8, (200, 0): 0.5, (200, 1): 0.5}
    with pytest.raises(UsageError, match="Did you mean 'bbc'"):
        small.small(output, names=["bbcc"])


def test_weights_that_have_seen_the_rows_are_no_start(tmp_path, monkeypatch):
    bases = []
    monkeypatch.setattr(small, "_parts", lambda *_: ({"text": []}, {}))
    found = {"rows": 0, "accuracy": 0.9, "baselines": {"tfidf-linear": 0.7}}
    monkeypatch.setattr(small, "_measure", lambda *given: bases.append(given[-1]) or found)
    small.small(tmp_path / "out.json", sizes=(50,), seeds=1, log=lambda line: None)
    assert dict(zip(small.CASES, bases, strict=True)) == {
        "imdb": "none", "ag-news": "none", "sst-2": None, "bbc": None
    }  # fmt: skip


def test_the_command_ends_with_the_means(cli, tmp_path):
    run = {"data": "bbc", "size": 200, "recipe": "news-gru", "rows": 200, "macro_f1": 0.5}
    run |= {"seconds": 1.0, "parts": None, "start": {"packed": False}}
    runs = [
        {**run, "seed": seed, "accuracy": 0.8 + seed / 10,
         "baselines": {"tfidf-linear": 0.7, "nbsvm-bigram": 0.6 + seed / 10}}
        for seed in (0, 1)
    ]  # fmt: skip
    (tmp_path / "small.json").write_text(json.dumps({"kind": "small", "runs": runs}))
    out = cli("small", "bbc", "--rows", 200, "--seeds", 2, "-o", "small.json")
    assert (
        "bbc 200: news-gru 0.8500, tfidf-linear 0.7000, nbsvm-bigram 0.6500 (mean of 2)" in out.out
    )
