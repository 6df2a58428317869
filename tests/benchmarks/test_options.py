"""Options of training are compared round by round, and XLA's time to compile counts."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

import zoo
from benchmarks.options import compared, training_ratio

ROOT = Path(__file__).parents[2]
NAME = next(row["name"] for row in zoo.list_models() if row["topology"] == "one-to-one")


def test_ways_are_compared_by_the_median_of_their_rounds():
    # A machine that is twice as slow in the second round, and a pause in one pass of the third.
    measured = compared({"default": [1.0, 2.0, 1.0], "other": [0.5, 1.0, 9.0]}, steps=10)
    assert measured["default"] == {"step_seconds": 0.1, "ratio": 1.0}
    assert measured["other"] == {"step_seconds": 0.1, "ratio": 0.5}


def test_a_training_pays_for_each_new_shape():
    # 100 steps of 0.2 s become 100 of 0.1 s, and 4 shapes take 5 s each to compile.
    assert training_ratio(0.5, 5.0, 4, 0.2, 100) == pytest.approx((100 * 0.1 + 4 * 5) / (100 * 0.2))


# In a separate process: XLA is refused where another test has asked for determinism.
SHORT = """
import sys
from benchmarks import options

# Each way takes a second to trace.
options.VARIANTS = {name: options.VARIANTS[name] for name in ("default", "steps_per_execution=8")}
options.MIN_SECONDS = 0.0
options.measure_options([sys.argv[1]], sys.argv[2], data="sample", steps=2, rounds=1, log=print)
"""


def test_a_short_measurement_is_written_whole(tmp_path):
    path = tmp_path / "o.json"
    done = subprocess.run(
        [sys.executable, "-c", SHORT, NAME, str(path)], capture_output=True, text=True, cwd=ROOT
    )
    assert done.returncode == 0, done.stderr
    result = json.loads(path.read_text())
    assert result["kind"] == "options"
    measured = result["recipes"][NAME]
    assert measured["ways"].keys() == {"default", "steps_per_execution=8"}
    assert measured["ways"]["default"]["ratio"] == 1.0
    assert all(way["step_seconds"] > 0 for way in measured["ways"].values())
    assert measured["xla"]["training_ratio"] >= measured["xla"]["ratio"] > 0
    assert measured["shapes"] == 1  # images are all of one size, and the sample is one batch
    assert "jit_compile" in done.stdout
