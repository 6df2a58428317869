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
        return {"rows": len(rows), "accuracy": 0.9 if base else 0.8, "baseline": 0.7}

    monkeypatch.setattr(small, "_measure", measure)
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
    with pytest.raises(UsageError, match="Did you mean 'bbc'"):
        small.small(output, names=["bbcc"])
