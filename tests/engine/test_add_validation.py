"""Training on validation rows as well: `zoo.train(…, add_validation=…)`."""

import json

import pytest

import zoo
from zoo.serving.evaluation import splits_of

ADDED = {"add_validation": 0.75, "epochs": 1, "quiet": True, "baselines": False}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return zoo.train("digits-mlp", tmp_path_factory.mktemp("added") / "run", **ADDED)


def test_a_run_says_which_rows_it_had(run):
    data = json.loads((run.path / "data.json").read_text())
    assert data["rows"] == {"train": 1439 + 139, "validation": 40, "test": 179}
    assert any(note.startswith("139 of 179 validation rows added") for note in data["notes"])
    assert "add_validation `0.75`" in (run.path / "card.md").read_text()


def test_it_is_scored_on_the_rows_that_chose_the_epoch(run):
    scored = zoo.evaluate(run, split="validation", baselines=False)
    assert scored["rows"] == 40
    assert scored["metrics"]["accuracy"] == pytest.approx(run.metrics["validation"], abs=1e-6)
    assert not any("differs" in note for note in scored["notes"])
    kept = splits_of(zoo.load(run)).validation["pixels"]
    plain = zoo.get_recipe("digits-mlp").dataset.load().validation["pixels"]
    assert {*map(str, kept)} < {*map(str, plain)}


def test_named_by_hand_its_data_are_the_same_ones(run):
    scored = zoo.evaluate(run, "sklearn", split="validation", baselines=False)
    assert (scored["rows"], scored["notes"]) == (40, [])
    assert zoo.evaluate(run, "sample", split="validation", baselines=False)["rows"] != 40


def test_another_share_is_another_run(run):
    assert zoo.train("digits-mlp", run.path, **ADDED).path == run.path
    with pytest.raises(zoo.UsageError, match=r"another run \(add_validation: 0.75, now 0.5\)"):
        zoo.train("digits-mlp", run.path, **{**ADDED, "add_validation": 0.5})


def test_a_run_of_a_version_without_the_option_goes_on(tmp_path):
    options = {**ADDED, "add_validation": 0.0}
    run = zoo.train("digits-mlp", tmp_path / "run", **options)
    config = json.loads((run.path / "config.json").read_text())
    del config["run"]["add_validation"]
    (run.path / "config.json").write_text(json.dumps(config))
    assert zoo.train("digits-mlp", run.path, **options).metrics == run.metrics
    assert zoo.evaluate(run, split="validation", baselines=False)["rows"] == 179


@pytest.mark.parametrize("share", [1, -0.1, float("nan")])
def test_a_share_that_is_none_is_refused(share, tmp_path):
    with pytest.raises(zoo.UsageError, match="add_validation must be"):
        zoo.train("digits-mlp", tmp_path / "run", add_validation=share)
    assert not (tmp_path / "run").exists()
