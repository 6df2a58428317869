"""The speed of generating, beside a loop in Python."""

import json

from benchmarks.generation import generation_race


def test_the_speed_is_measured(run_of, tmp_path):
    run = run_of("shakespeare-lstm")
    result = generation_race(run, tmp_path / "g.json", loop_steps=5, steps=20, rows=3)
    assert json.loads((tmp_path / "g.json").read_text()) == result
    assert result["loop"]["ids"] == 5
    assert result["batch"]["ids"] == 60
    assert result["ratio"] == result["batch"]["per_second"] / result["loop"]["per_second"]
    assert result["ratio"] > 1
