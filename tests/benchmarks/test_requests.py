"""`python -m benchmarks requests`: the time of one request to each packed model."""

from benchmarks.requests import measure
from zoo import files


def test_models_are_asked_in_turn(tmp_path):
    names = ["digits-mlp", "adding-gru"]
    said = []
    result = measure(tmp_path / "requests.json", names, rounds=2, log=said.append)
    assert said == [f"{name} is loaded" for name in names]
    assert result == files.read_json(tmp_path / "requests.json")
    assert sorted(result["models"]) == sorted(names)
    for each in result["models"].values():
        assert 0 < each["fastest"] <= each["milliseconds"]
