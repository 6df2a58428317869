"""Runs of one task are drawn side by side."""

import json

import pytest

import zoo
from benchmarks.profiles import profiles


def test_profiles_stand_side_by_side(run_of, settings, tmp_path):
    names = ["imdb-simplernn", "news-gru"]
    runs = [run_of(name) for name in names]
    profiles(runs, tmp_path / "new" / "two.png", rows=2)
    records = json.loads((tmp_path / "new" / "two.json").read_text())["runs"]
    assert [each["recipe"] for each in records] == names
    for each in records:
        assert len(each["curve"]) == settings["epochs"]
        assert len(each["gradients"]["median"]) == len(each["memory"]["median"]) > 1
    assert (tmp_path / "new" / "two.png").stat().st_size > 10_000

    other = run_of("adding-simplernn")
    with pytest.raises(zoo.UsageError, match="have different metrics"):
        profiles([runs[0], other], tmp_path / "x.png", rows=2)
    with pytest.raises(zoo.UsageError, match="no complete run"):
        profiles([names[0]], tmp_path / "x.png")
