"""`zoo train`."""

import inspect
import json
import re
from pathlib import Path

import pytest

from zoo.config import PRECISIONS, STRATEGIES
from zoo.data.reading import ReadOptions


@pytest.fixture
def called(monkeypatch, sample_run):
    """What `zoo.train` is called with; nothing is trained."""
    from zoo.training import Run, train

    calls = []

    def record(*arguments, **options):
        calls.append(inspect.signature(train).bind(*arguments, **options).arguments)
        return Run(sample_run)

    monkeypatch.setattr("zoo.training.train", record)
    return calls


def test_defaults_are_those_of_the_function(cli, called):
    cli("train", "imdb-lstm")
    from zoo.training.fit import train

    defaults = {
        name: parameter.default for name, parameter in inspect.signature(train).parameters.items()
    }
    in_python_only = {"epochs", "batch_size", "callbacks", "stop"}
    given = {
        **defaults,
        "name": "imdb-lstm",
        "settings": {},
        "columns": {},
        "reading": ReadOptions(),
    }
    assert called == [{name: given[name] for name in given if name not in in_python_only}]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["-o", "here"], {"output": "here"}),
        (["--output", "here"], {"output": "here"}),
        (["--data", "wheel"], {"data": "wheel"}),
        (["--column", "text=a", "--column", "label=b"], {"columns": {"text": "a", "label": "b"}}),
        (["--set", "units=3", "--set", "cell=gru"], {"settings": {"units": "3", "cell": "gru"}}),
        (["--epochs", "7", "--batch-size", "9"], {"settings": {"epochs": "7", "batch_size": "9"}}),
        (["--seed", "5"], {"seed": 5}),
        (["--deterministic"], {"deterministic": True}),
        (["--strategy", "mirrored"], {"strategy": "mirrored"}),
        (["--precision", "mixed_bfloat16"], {"precision": "mixed_bfloat16"}),
        (["--from", "runs/other"], {"base": "runs/other"}),
        (["--resume"], {"resume": True}),
        (["--overwrite"], {"overwrite": True}),
        (["--tiny"], {"tiny": True}),
        (["--class-weight", "balanced"], {"class_weight": "balanced"}),
        (
            ["--class-weight", "a=b=2", "--class-weight", "c=1"],
            {"class_weight": {"a=b": 2, "c": 1}},
        ),
        (["--no-baselines"], {"baselines": False}),
        (["--checkpoint-seconds", "2.5"], {"checkpoint_seconds": 2.5}),
        (["--add-validation", "0.9"], {"add_validation": 0.9}),
        (["-q"], {"quiet": True}),
        (["-v"], {"verbose": True}),
        (
            ["--sep", "tab", "--encoding", "cp1252", "--quoting", "none", "--sheet", "A"],
            {"reading": ReadOptions("tab", "cp1252", "none", sheet="A")},
        ),
        (
            ["--decimal", "comma", "--dayfirst"],
            {"reading": ReadOptions(decimal="comma", dayfirst=True)},
        ),
        (
            ["--monthfirst", "--records", "a.b"],
            {"reading": ReadOptions(dayfirst=False, records="a.b")},
        ),
        (["--drop-bad", "--min-count", "5"], {"reading": ReadOptions(drop_bad=True, min_count=5)}),
    ],
)
def test_each_option_reaches_the_function(cli, called, options, expected):
    cli("train", "imdb-lstm", *options)
    assert {key: called[0][key] for key in expected} == expected


def test_result(cli, called, sample_run):
    metrics = json.loads((sample_run / "metrics.json").read_text())
    lines = cli("train", "imdb-lstm", "-q").out.splitlines()
    assert lines[0] == f"accuracy {metrics['test']['accuracy']:.4f} on the test split"
    last = 1 + len(metrics["baseline"])
    assert [line.split()[1] for line in lines[1:last]] == list(metrics["baseline"])
    assert lines[last].startswith("macro-F1 ")
    assert lines[-2:] == [f"saved in {sample_run}; try", f'  zoo predict {sample_run} "…"']


def test_a_smoke_test_shows_no_score(cli, called):
    out = cli("train", "imdb-lstm", "-q", "--tiny").out
    assert out.startswith("smoke test (--tiny)")
    assert "accuracy" not in out


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            ["--class-weight", "even"],
            "is balanced, none or CLASS=WEIGHT; got 'even'.",
        ),
        (
            ["--class-weight", "balanced", "--class-weight", "a=2"],
            "'balanced': balanced stands alone",
        ),
        (["--class-weight", "a=1", "--class-weight", "a=2"], "of 'a' is given twice"),
        (["--class-weight", "a=0"], "class_weight of 'a' must be a number above 0"),
        (["--set", "unts=3"], "Unknown setting 'unts'. Did you mean 'units'?"),
        (["--set", "units=many"], "Setting 'units' takes a value of type int; got 'many'."),
        (["--set", "cell=gruu"], "Did you mean 'gru'?"),
        (["--set", "units"], "Setting 'units' is not of the form key=value."),
        (["--set", "units=1", "--set", "units=2"], "Setting 'units' is given twice."),
        (["--epochs", "2", "--set", "epochs=3"], "epochs is given twice."),
        (["--epochs", "0"], "0 is not in the range x>=1."),
        (["--add-validation", "1"], "1.0 is not in the range 0<=x<1."),
        (["--resume", "--overwrite"], "--resume and --overwrite exclude each other."),
        (["--strategy", "best"], ", ".join(map(repr, STRATEGIES))),
        (["--precision", "half"], ", ".join(map(repr, PRECISIONS))),
        (["--column", "text"], "Setting 'text' is not of the form key=value."),
        (["--resume", "-o", "nowhere"], "There is no run to resume in nowhere."),
        (["--data", "nowhere.csv"], "There is no file or folder nowhere.csv."),
        (["--data", "whel"], "Did you mean 'wheel'?"),
        (["--data", "sample", "--column", "text=a"], "for custom data only"),
        (["--from", "nowhere"], "'nowhere' is not a pretrained model, run folder or export."),
        (["--data", "sample", "--strategy", "mirrored"], "needs at least two devices"),
    ],
)
def test_wrong_usage(cli, tmp_path, options, message):
    import tensorflow as tf

    if "mirrored" in options and len(tf.config.list_logical_devices("CPU")) > 1:
        pytest.skip("another test gave this process several devices")
    assert message in cli("train", "imdb-lstm", *options, code=2).err
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "own.csv is empty."),
        (b"text,label\n", "own.csv has a header but no rows."),
        (b"text,label\n" + b"a text,good\n" * 9, "every row has the label 'good'"),
        (b"txt,label\na,b\n", "has no column 'text'."),
        (b"txt,class\na,b\n", "`--column text=NAME --column label=NAME`"),
        ("text,label\né,b\n".encode() + b"c\xff,d\n", "UTF-8, but not byte 0xff on line 3"),
        (b"text,label\na,b\nc\n", "line 3 has another number of fields"),
        (b"text,label\na,b\nc,\n", "line 3 has an empty 'label'."),
        (b"text,label\na,x\nb,y\n", "too few have 'x' (1), 'y' (1)"),
    ],
)
def test_bad_file_leaves_nothing(cli, tmp_path, content, message):
    (tmp_path / "own.csv").write_bytes(content)
    assert message in cli("train", "imdb-lstm", "--data", "own.csv", "-o", "run", code=1).err
    assert [path.name for path in tmp_path.iterdir()] == ["own.csv"]


def test_no_network_is_one_line(cli, tmp_path, tmp_path_factory, monkeypatch):
    monkeypatch.setenv("ZOO_HOME", str(tmp_path_factory.mktemp("empty-home")))
    assert "ZOO_OFFLINE is set" in cli("train", "imdb-lstm", code=1).err
    assert not list(tmp_path.iterdir())


def test_own_classes(cli, own):
    """Another column, other classes and `--from` a run with fewer of them; then again."""
    command = ["train", "imdb-gru", "--data", "own.csv", "--column", "text=review"]
    small = ["--set", "units=4", "--set", "embedding=4", "--epochs", "1"]
    result = cli(*command, *small, "--no-baselines", "-o", "first")
    lines = result.out.splitlines()
    # Six rows of each class: one for validation, one for the test, four to train.
    assert lines[0].startswith("imdb-gru trains for at most 1 epoch on own.csv (less than 0.1 MB).")
    assert "imdb-gru on own.csv (custom data): 12 train, 3 validation, 3 test" in lines
    assert "does not start from the packed imdb-gru: it has units=128, not 4; embed" in result.out
    epochs = [line for line in lines if line.startswith("epoch 1/1  accuracy ")]
    assert len(epochs) == 1
    assert epochs[0].endswith(" s  best")
    assert "\x1b" not in result.out
    assert "\r" not in result.out
    assert json.loads(Path("first/assets.json").read_text())["labels"] == ["bad", "good", "so-so"]
    config = json.loads(Path("first/config.json").read_text())
    assert config["run"]["columns"] == {"text": "review"}
    assert config["config"]["units"] == 4

    lines = own.read_text().splitlines()
    Path("two.csv").write_text("\n".join(line for line in lines if "so-so" not in line))
    command[3] = "two.csv"
    result = cli(*command, "--from", "first", "--no-baselines", "-o", "second")
    assert re.search(r"^  layer correction starts from scratch", result.out, re.M)
    assert "the packed" not in result.out
    assert json.loads(Path("second/assets.json").read_text())["labels"] == ["bad", "good"]
    # The config is that of the model it goes on from.
    assert json.loads(Path("second/config.json").read_text())["config"]["units"] == 4

    answers = cli("predict", "second", "a text", "--json").out
    assert list(json.loads(answers)["probabilities"]) == ["bad", "good"]
    again = cli(*command, "--from", "first", "--no-baselines", "-o", "second")
    line = "second is complete already; --overwrite starts it from scratch."
    assert again.out.splitlines()[0] == line
    refused = cli(*command, "--no-baselines", "-o", "first", code=2).err
    assert "first holds another run (" in refused
    assert "Choose another folder with -o" in refused


def test_from_another_recipe_is_refused(cli, sample_run):
    arguments = ["train", "imdb-gru", "--data", "sample", "--from", sample_run]
    assert "was trained by 'imdb-lstm'" in cli(*arguments, code=2).err


def test_overwrite_deletes_no_folder_that_is_no_run(cli):
    Path("mine").mkdir()
    Path("mine/letter.txt").write_text("dear")
    arguments = ["train", "imdb-lstm", "--data", "sample", "-o", "mine"]
    for option in ([], ["--overwrite"]):
        assert "is not a run folder" in cli(*arguments, *option, code=2).err
    assert Path("mine/letter.txt").read_text() == "dear"
