"""A training in stages, and the interval of what it ends with."""

import json

import pytest

from benchmarks.intervals import add_intervals
from benchmarks.stages import train_in_stages
from zoo.errors import UsageError, ZooError

COMMON = {"length": "8", "units": "4", "batch_size": "10"}


def test_a_stage_goes_on_from_the_one_before(tmp_path):
    lines, path = [], tmp_path / "a.json"
    options = {"runs": tmp_path / "runs", "data": "sample", "settings": COMMON, "log": lines.append}
    stages = [{"epochs": "2"}, {"epochs": "1", "learning_rate": "1e-9"}]
    result = train_in_stages("adding-gru", stages, path, **options)
    first, second = result["stages"]
    assert first["settings"]["epochs"] == "2"
    assert second["settings"] == {**COMMON, **stages[1]}
    assert second["validation"] == pytest.approx(first["validation"], rel=1e-5)
    assert result == json.loads(path.read_text())
    assert result["interval"]["low"] <= result["score"] <= result["interval"]["high"]
    assert [*result["comparisons"]] == ["always 1"]
    assert [line.split(":")[0] for line in lines[:2]] == ["stage 1", "stage 2"]

    # The interval of a run is written into the file that is named, and into no other.
    run = tmp_path / "runs" / "adding-gru-2"
    with pytest.raises(ZooError, match=rf"collect {run} -o .*b.json` writes it"):
        add_intervals([run], data="sample", output=tmp_path / "b.json")
    del result["interval"]
    path.write_text(json.dumps(result))
    (again,) = add_intervals([run], data="sample", output=path)
    assert again["interval"] == json.loads(path.read_text())["interval"]


def test_a_mistake_in_a_stage_is_found_before_the_first_is_trained(tmp_path):
    with pytest.raises(UsageError, match="'unit'"):
        train_in_stages("adding-gru", [{}, {"unit": "3"}], tmp_path / "a.json", runs=tmp_path)
    with pytest.raises(UsageError, match="one stage or more"):
        train_in_stages("adding-gru", [], tmp_path / "a.json")
    assert not list(tmp_path.iterdir())
