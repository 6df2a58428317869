"""`zoo evaluate` and `zoo export`."""

import json
from pathlib import Path

import pytest

import zoo

KEYS = ["model", "data", "rows", "metric", "metrics", "baseline", "notes"]


def test_evaluate_where_it_was_trained(cli, sample_run):
    metrics = json.loads((sample_run / "metrics.json").read_text())
    result = json.loads(cli("evaluate", sample_run, "--json").out)
    assert list(result) == KEYS
    assert result["model"] == "imdb-lstm"
    assert result["metrics"] == metrics["test"]
    assert result["baseline"] == metrics["baseline"]
    assert result == zoo.evaluate(sample_run)


def test_evaluate_the_split_that_chose_the_epoch(cli, sample_run, own_run, own):
    arguments = ["evaluate", sample_run, "--split", "validation", "--json"]
    result = json.loads(cli(*arguments).out)
    metrics = json.loads((sample_run / "metrics.json").read_text())
    assert result["metrics"]["accuracy"] == pytest.approx(metrics["validation"])
    assert result["data"].endswith("validation split")
    assert result["baseline"]  # fitted anew: those of the run are of its test split
    done = cli("evaluate", own_run, "--data", own, "--split", "validation", code=2)
    assert "no splits" in done.err
    with pytest.raises(zoo.UsageError, match="Unknown split 'train'"):
        zoo.evaluate(sample_run, split="train")


def test_evaluate_table(cli, sample_run):
    metrics = json.loads((sample_run / "metrics.json").read_text())
    lines = cli("evaluate", sample_run).out.splitlines()
    assert lines[0] == "imdb-lstm on imdb (sample of 12 rows): 2 rows"
    # Notes come before the table.
    head = [line.split()[:1] for line in lines].index(["accuracy"])
    assert lines[head + 1].split()[:2] == ["network", f"{metrics['test']['accuracy']:.4f}"]
    last = head + 2 + len(metrics["baseline"])
    assert [line.split()[0] for line in lines[head + 2 : last]] == list(metrics["baseline"])
    assert [line.split()[0] for line in lines[-2:]] == ["negative", "positive"]
    lines = cli("evaluate", sample_run, "--no-baselines").out.splitlines()
    assert lines[head + 2] == ""


def test_evaluate_custom_folder_with_names_of_its_own_for_columns(cli, own_run, own):
    folder = Path("mine")
    folder.mkdir()
    for name in ("train", "test"):
        (folder / f"{name}.csv").write_text(Path(own).read_text())
    arguments = ["evaluate", own_run, "--data", "mine", "--column", "text=review", "--json"]
    result = json.loads(cli(*arguments, "--no-baselines").out)
    assert (result["data"], result["rows"]) == ("mine (custom data)", 18)


def test_evaluate_own_file(cli, own_run, own, monkeypatch):
    arguments = ["evaluate", own_run, "--data", own, "--column", "text=review", "--json"]
    result = json.loads(cli(*arguments).out)
    assert (result["data"], result["rows"]) == ("own.csv", 18)
    assert result["metrics"]["rows"] == 18
    assert list(result["metrics"]["per_class"]) == ["bad", "good", "so-so"]
    # Fitted on the training rows of the same file, whose classes have words of their own.
    assert max(scores["accuracy"] for scores in result["baseline"].values()) == 1.0
    assert json.loads(cli(*arguments, "--no-baselines").out)["baseline"] == {}
    # Some rows were trained on; the baselines are not fitted again for the same rows.
    assert [note for note in result["notes"] if "of the 18 rows were used for training" in note]
    with monkeypatch.context() as patched:
        patched.setattr("recipes.classifying.baselines.tfidf_linear", None)
        assert json.loads(cli(*arguments).out)["baseline"] == result["baseline"]


@pytest.mark.parametrize(
    ("content", "arguments", "message", "code"),
    [
        ("text,label\na,good\nb,great\n", [], "line 3 has a label that is not one of 'bad'", 1),
        ("text,label\na,great\n", ["--drop-bad"], "No row can be used: rename the classes", 1),
        ("text,label\na,good\nb,\n", [], "line 3 has an empty 'label'.", 1),
        ("review,label\na,good\n", [], "has no column 'text'.", 1),
        ("review,label\na,good\n", ["--column", "txt=review"], "Did you mean 'text'?", 2),
        ("", [], "own.csv is empty.", 1),
        ("text,label\na,good\n", ["--min-count", "1"], "--min-count counts the training rows", 2),
    ],
)
def test_evaluate_wrong_file(cli, own_run, content, arguments, message, code):
    Path("own.csv").write_text(content)
    result = cli("evaluate", own_run, "--data", "own.csv", *arguments, code=code)
    assert message in result.err
    assert result.out == ""


def test_evaluate_a_folder_with_classes_that_the_model_does_not_know(cli, own_run):
    folder = Path("other")
    folder.mkdir()
    for split in ("train", "test"):
        rows = "".join(f"{split} {n},{label}\n" for n in range(12) for label in ("good", "great"))
        (folder / f"{split}.csv").write_text(f"text,label\n{rows}")
    arguments = ("evaluate", own_run, "--data", "other", "--no-baselines")
    found = cli(*arguments, code=1).err
    assert "other (custom data), test split: rows 2, 4, 6, 8, 10 and 7 more have a label" in found
    result = json.loads(cli(*arguments, "--drop-bad", "--json").out)
    assert result["rows"] == 12
    assert "('great'); omitted" in result["notes"][0]


def test_baselines_are_not_fitted_on_rows_that_have_changed(cli, own_run):
    Path("new.csv").write_text("text,label\na lovely film,good\na dull mess,bad\n")
    arguments = ("evaluate", own_run, "--data", "new.csv", "--json")
    assert json.loads(cli(*arguments).out)["baseline"]
    trained_on = own_run.with_suffix(".csv")
    before = trained_on.read_text()
    try:
        trained_on.write_text(before.replace("number", "no."))
        result = json.loads(cli(*arguments).out)
    finally:
        trained_on.write_text(before)
    assert result["baseline"] == {}
    assert "training data are not available (they have changed since)" in " ".join(result["notes"])


def test_evaluate_wrong_usage(cli, own_run):
    assert "no file" in cli("evaluate", own_run, "--data", "none.csv", code=2).err
    for data in ([], ["--data", "sample"]):
        arguments = ["evaluate", own_run, *data, "--column", "text=review"]
        assert "for custom data only" in cli(*arguments, code=2).err
    assert "not a pretrained model" in cli("evaluate", "none", code=2).err


def test_export(process, cli, own_run, tmp_path):
    done = process("export", own_run, "served")
    assert (done.returncode, done.stdout, done.stderr) == (0, b"served/1\n", b"")
    assert cli("export", own_run, "served", "--warmup", "0").out == "served/2\n"
    warmup = "assets.extra/tf_serving_warmup_requests"
    assert (tmp_path / "served/1" / warmup).is_file()
    assert not (tmp_path / "served/2" / warmup).exists()
    assert (tmp_path / "served/2/saved_model.pb").is_file()
    # The newest version answers as the run does.
    texts = ["a lovely film", "a dull mess"]
    exported = cli("predict", "served", *texts, "--json").out
    assert exported == cli("predict", own_run, *texts, "--json").out


def test_export_keras(cli, own_run):
    assert cli("export", own_run, "kept", "--format", "keras").out == "kept/1\n"
    assert Path("kept/1/model.keras").is_file()
    assert not Path("kept/1/saved_model.pb").exists()
    assert cli("predict", "kept/1", "a text").out == cli("predict", own_run, "a text").out


@pytest.mark.parametrize(
    ("arguments", "message", "code"),
    [
        (["none", "there"], "'none' is not a pretrained model", 2),
        (["RUN"], "Missing argument 'DIR'.", 2),
        (["RUN", "there", "--format", "h5"], "'h5' is not one of 'saved_model', 'keras', ", 2),
        (["RUN", "there", "--warmup", "1001"], "1001 is not in the range 0<=x<=1000.", 2),
        (["RUN", "file"], "file is a file. Name a directory.", 2),
        (["RUN", "file/below"], "Cannot write to file/below", 1),
    ],
)
def test_export_wrong_usage(cli, own_run, arguments, message, code):
    Path("file").touch()
    arguments = [own_run if argument == "RUN" else argument for argument in arguments]
    assert message in cli("export", *arguments, code=code).err
    assert [path.name for path in Path().iterdir()] == ["file"]
