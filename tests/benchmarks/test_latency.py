"""`python -m benchmarks latency`: answers of every engine beside PyTorch's."""

import pytest

from benchmarks.latency_table import render


@pytest.mark.slow  # torch.compile runs a compiler of C++
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of torch.compile
def test_engines_answer_in_turn(tmp_path):
    pytest.importorskip("torch", reason="the extra [bench] is not installed")
    from benchmarks.latency import measure
    from zoo import files

    path = tmp_path / "latency.json"
    result = measure(path, ["imdb-gru"], rows=(1, 2), units=(4,), rounds=2)
    assert result == files.read_json(path)
    one, two = result["networks"]["imdb-gru"].values()
    ours = {"pytorch", "keras", "saved_model", "saved_model_text"}
    assert ours <= set(one) | set(result["problems"])
    assert not {"onnx", "litert"} & set(two)
    for each in one.values():
        assert 0 < each["fastest"] <= each["milliseconds"]
    assert {row["layer"] for row in result["layers"]} == {"SimpleRNN", "LSTM", "GRU"}


def test_the_table():
    theirs = {"fastest": 2.0, "ratio": 1.0, "ratio_of_fastest": 1.0}
    engines = {"pytorch": theirs, "onnx": {"ratio": 0.3, "ratio_of_fastest": 0.25}}
    table = render({"networks": {"a": {"1": engines, "32": {"pytorch": theirs}}}})
    assert "| `a` | 1 | 2 ms | – | – | – | – | 0.25 (0.30) |" in table
    assert len(table.splitlines()) == 4
