"""Answers of packed models are stored, and what differs from them is named."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

import zoo
from benchmarks import answers

ROOT = Path(__file__).parents[2]
NAME = "digits-mlp"  # the smallest


@pytest.fixture
def results(tmp_path):
    """A folder with one result."""
    (tmp_path / "results").mkdir()
    shutil.copy(ROOT / "results" / f"{NAME}.json", tmp_path / "results")
    return tmp_path / "results"


def stored(path, results, *names):
    answers.store(path, names or (NAME,), results=results, log=lambda line: None)
    return json.loads(path.read_text())


def compared(path, results):
    return answers.compare(path, (NAME,), results=results, log=lambda line: None)


def test_all_of_a_model_is_stored(results, tmp_path):
    checksums = stored(tmp_path / "a.json", results)
    outputs = ("label", "probabilities", "score", "valid", "problem")
    assert checksums.keys() == {
        f"pack/{NAME}",
        f"inputs/{NAME}/serving_default/pixels",
        f"scores/{NAME}.json",
        *(f"answers/{NAME}/{form}/serving_default/{o}" for form in ("saved_model", "keras")
          for o in outputs),
    }  # fmt: skip
    both = [
        checksums[f"answers/{NAME}/{form}/serving_default/label"]
        for form in ("keras", "saved_model")
    ]
    assert both[0] == both[1]
    assert (both[0]["dtype"], both[0]["shape"]) == ("string", [answers.ROWS])
    assert compared(tmp_path / "a.json", results) == []


def test_every_difference_is_one_line(results, tmp_path):
    path = tmp_path / "a.json"
    checksums = stored(path, results)
    key = f"answers/{NAME}/keras/serving_default/score"
    checksums[key]["sha256"] = "0" * 64
    del checksums[f"pack/{NAME}"]
    checksums[f"answers/{NAME}/keras/other/score"] = checksums[key]
    checksums["answers/another-model/keras/other/score"] = checksums[key]  # is not asked for
    path.write_text(json.dumps(checksums))
    result = json.loads((results / f"{NAME}.json").read_text())
    result["score"] += 1e-12
    (results / f"{NAME}.json").write_text(json.dumps(result))
    lines = compared(path, results)
    assert [line.partition(": ")[0] for line in lines] == [
        f"answers/{NAME}/keras/other/score",
        key,
        f"pack/{NAME}",
        f"scores/{NAME}.json",
    ]
    assert lines[0].endswith(": missing now")
    assert "000000000000 before" in lines[1]
    assert lines[2].endswith(": new")


def test_only_scores_of_a_result_count(results, tmp_path):
    stored(tmp_path / "a.json", results)
    path = results / f"{NAME}.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "environment": {}}))
    assert compared(tmp_path / "a.json", results) == []


def test_signatures_with_options_and_with_a_state(results, tmp_path):
    checksums = stored(tmp_path / "a.json", results, "shakespeare-gru")
    for form in ("saved_model", "keras"):
        for signature in ("begin/logits", "step/logits", "generate/continuation", "score/count"):
            assert f"answers/shakespeare-gru/{form}/{signature}" in checksums


@pytest.mark.slow
def test_signatures_with_several_answers_a_row(results, tmp_path):
    checksums = stored(tmp_path / "a.json", results, "digits-ctc")
    for form in ("saved_model", "keras"):
        text = checksums[f"answers/digits-ctc/{form}/nbest/text"]
        assert text["shape"] == [answers.ROWS, answers.N_BEST]
        assert f"answers/digits-ctc/{form}/alignment/posteriors" in checksums


def test_fingerprints():
    one = answers.fingerprint(np.array([b"ab", b"c"], object))
    assert one != answers.fingerprint(np.array([b"a", b"bc"], object))
    assert (one["dtype"], one["shape"]) == ("string", [2])
    zero = answers.fingerprint(np.zeros(2, np.float32))
    assert zero["dtype"] == "float32"
    assert zero != answers.fingerprint(-np.zeros(2, np.float32))  # bytes, not values
    assert zero["sha256"] == answers.fingerprint(np.zeros(2, np.int32))["sha256"]


def test_a_model_without_a_pack(results, tmp_path):
    with pytest.raises(zoo.UsageError, match="Unknown recipe"):
        answers.store(tmp_path / "a.json", ["digits-ml"], results=results)
