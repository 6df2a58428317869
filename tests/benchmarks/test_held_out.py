"""Each speaker held out in turn."""

import json

import numpy as np
import pytest
import scipy.io.wavfile

from benchmarks.held_out import held_out
from zoo.errors import UsageError

SMALL = {"epochs": "1", "units": "4", "layers": "1", "stack": "3"}


def test_each_speaker_is_held_out_once(tmp_path):
    folder, lines = tmp_path / "recordings", []
    folder.mkdir()
    generator = np.random.default_rng(0)
    for row in range(16):
        sound = generator.normal(0, 3000, 900 + 20 * row).astype("i2")
        name = f"{row % 2}_{('ada', 'bob')[row // 2 % 2]}_{row + 10}.wav"
        scipy.io.wavfile.write(folder / name, 8000, sound)
    options = {"runs": tmp_path / "runs", "data": str(folder), "settings": SMALL}
    result = held_out("digits-gru", "speaker", tmp_path / "a.json", log=lines.append, **options)
    assert list(result["scores"]) == ["ada", "bob"]
    assert result["mean"] == pytest.approx(sum(result["scores"].values()) / 2)
    assert [line.split(":")[0] for line in lines] == ["speaker ada", "speaker bob"]
    for who, row in json.loads((tmp_path / "a.json").read_text())["runs"].items():
        assert row["test"]["per_speaker"] == {who: {"accuracy": result["scores"][who], "rows": 8}}
    # What is complete is not trained again.
    weights = sorted((tmp_path / "runs").rglob("metrics.json"))
    times = [path.stat().st_mtime_ns for path in weights]
    again = held_out("digits-gru", "speaker", tmp_path / "b.json", log=lines.append, **options)
    assert again["scores"] == result["scores"]
    assert [path.stat().st_mtime_ns for path in weights] == times


def test_what_cannot_be_held_out_is_said(tmp_path):
    with pytest.raises(UsageError, match="has no setting 'voice' to hold out"):
        held_out("digits-gru", "voice", tmp_path / "a.json")
    with pytest.raises(UsageError, match="The data have no column 'units'"):
        held_out("digits-gru", "units", tmp_path / "a.json", data="sample")
