"""`zoo.train` with objects, callbacks and class weights; what a run can be asked."""

import io
import sys
import types

import keras
import numpy as np
import pandas as pd
import pytest
from support.cli import three_classes

import zoo
from zoo.data import Batches
from zoo.training.callbacks import Progress
from zoo.training.checkpoint import State
from zoo.training.class_weight import (
    default_class_weight,
    parse_class_weight,
    weight_by_class,
    weighted,
    weighted_validation,
)

SMALL = {"units": 4, "embedding": 4, "patience": 0}
FRAME = pd.DataFrame(three_classes(), columns=["review", "label", "id"])
OPTIONS = {"columns": {"text": "review"}, "settings": SMALL, "baselines": False, "quiet": True}


class Recorder(keras.callbacks.Callback):
    """Notes what it is called with, and ends training after two epochs."""

    def __init__(self):
        super().__init__()
        self.calls = []

    def on_train_begin(self, logs=None):
        self.calls.append("begin")

    def on_epoch_end(self, epoch, logs=None):
        self.calls.append((epoch, sorted(logs)))
        self.model.stop_training = epoch == 1

    def on_train_end(self, logs=None):
        self.calls.append("end")


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run on a DataFrame with callbacks; the callback is `run.recorder`."""
    recorder = Recorder()
    folder = tmp_path_factory.mktemp("objects") / "run"
    run = zoo.train(
        "imdb-gru", folder, data=FRAME, epochs=5, batch_size=4, callbacks=[recorder],
        class_weight={next(iter(FRAME["label"])): 2.0}, **OPTIONS,
    )  # fmt: skip
    return types.SimpleNamespace(run=run, recorder=recorder, folder=folder)


def test_arguments_are_settings(run):
    config = zoo.load(run.run).config
    assert (config.epochs, config.batch_size, config.units) == (5, 4, 4)
    with pytest.raises(zoo.UsageError, match="epochs is given twice"):
        zoo.train("imdb-gru", epochs=1, settings={"epochs": 2})


def test_callbacks_see_one_training_and_can_end_it(run):
    keys = ["accuracy", "loss", "val_accuracy", "val_loss"]
    assert run.recorder.calls == ["begin", (0, keys), (1, keys), "end"]
    assert len(run.run.history) == 2
    assert run.run.complete
    with pytest.raises(zoo.UsageError, match=r"list of keras\.callbacks\.Callback; got .* str"):
        zoo.train("imdb-gru", callbacks=["early"])


def test_a_run_is_asked(run, tmp_path):
    texts = FRAME["review"].tolist()[:3]
    answers = run.run.predict(texts)
    assert answers == zoo.load(run.folder).predict(texts)
    assert run.run.predict(FRAME[:3], columns={"text": "review"}) == answers
    assert run.run.plot().save(tmp_path / "curves.png").read_bytes()[:4] == b"\x89PNG"
    assert run.run.plot().png == (run.folder / "curves.png").read_bytes()
    scores = run.run.evaluate(FRAME, columns={"text": "review"}, baselines=False)
    assert scores["rows"] == len(FRAME)
    assert zoo.inspect(run.run, texts, what=["states"])["rows"] == 3


def test_a_run_says_what_it_is(run, tmp_path):
    shown = repr(run.run)
    assert shown.startswith(f"Run({str(run.folder)!r}; imdb-gru; many-to-one, sentiment; trained ")
    assert f"accuracy {run.run.metrics['test']['accuracy']:.4f}" in shown
    page = run.run._repr_html_()
    assert "data:image/png;base64," in page
    assert "<h2>Scores on the test split</h2>" in page
    assert repr(type(run.run)(tmp_path)) == f"Run({str(tmp_path)!r}; no run yet)"


def test_a_card_cannot_bring_html_into_a_notebook():
    from zoo.report.page import card_html

    text = "# x\n\n<script>a()</script> <b>b</b> [c](javascript:d()) ![e](f)\n\n"
    card = text + "| a |\n| --- |\n| <i> |"
    page = card_html("<u>", card)
    for wrong in ("<script", "<b>b", "<a ", "<u>", "<i>", 'src="f"'):
        assert wrong not in page
    assert "<table>" in page


class Doubled:
    """Weights targets that are twice the class: a `Weighting`."""

    def classes(self, y):
        return (y / 2).astype(int)

    def weighted(self, y, weights):
        classes = y if y.dtype.kind == "i" else self.classes(y)
        return 2.0 * weights[classes]


def rows_of(y, weighting=None):
    return Batches(np.zeros(len(y)), y, 2, weighting=weighting)


def test_class_weights():
    rows = rows_of(np.array([0, 0, 0, 1]))
    own = rows_of(np.array([0.0, 0.0, 0.0, 2.0]), Doubled())
    assert weight_by_class("balanced", ["a", "b"], rows, 1) == {0: 4 / 6, 1: 2.0}
    assert weight_by_class("balanced", ["a", "b"], own, 2) == {0: 4 / 6, 1: 2.0}
    assert weight_by_class({"b": 3.0}, ["a", "b"], rows, 1) == {0: 1.0, 1: 3.0}
    assert weight_by_class(None, None, rows, 2) is None
    assert parse_class_weight({1: 2}) == {"1": 2.0}
    unknown = rows_of(np.zeros((4, 2, 2), "float32"))  # only their recipe knows the classes
    for value, labels, found, replicas, says in (
        ({"c": 1.0}, ["a", "b"], rows, 1, "no class 'c'"),
        ("balanced", None, rows, 1, "one class for each row"),
        ("balanced", ["a", "b"], unknown, 1, "one class for each row"),
        ("balanced", ["a", "b"], rows, 2, "one device"),
    ):
        with pytest.raises(zoo.UsageError, match=says):
            weight_by_class(value, labels, found, replicas)
    for value, says in (("even", "'none' or a dict"), ({"a": 0}, "above 0"), ({}, "a dict")):
        with pytest.raises(zoo.UsageError, match=says):
            parse_class_weight(value)


def test_a_rare_class_is_weighted_by_default():
    y = np.array([0] * 19 + [1])
    rows, even = rows_of(y), rows_of(np.arange(20) % 2)
    assert default_class_weight(["a", "b"], rows, 1) == "balanced"
    assert default_class_weight(["a", "b"], rows, 2) is None
    assert default_class_weight(["a", "b"], rows_of(2.0 * y, Doubled()), 2) == "balanced"
    assert default_class_weight(["a", "b"], even, 1) is None
    assert default_class_weight(None, rows, 1) is None
    assert weight_by_class("none", ["a", "b"], rows, 1) is None


def test_targets_that_are_no_classes_are_weighted_as_their_recipe_does():
    both = {0: 2.0, 1: 3.0}
    own = rows_of(np.array([0.0, 2.0, 0.0]), Doubled())
    batches, left = weighted(own, both)
    assert (batches.y.tolist(), left) == ([4.0, 6.0, 4.0], None)
    validation, left = weighted_validation(rows_of(np.array([1, 0])), own, both)
    assert (validation.y.tolist(), left) == ([6.0, 4.0], None)
    plain = rows_of(np.array([0, 1, 1]))
    assert weighted(plain, both) == weighted_validation(plain, plain, both) == (plain, both)
    assert weighted_validation(plain, own, None) == (plain, None)


def test_the_validation_loss_counts_classes_as_training_does(tmp_path):
    """Else the epoch is best that answers the most frequent class alone."""
    losses = {}
    for weight in (1.0, 3.0):
        run = zoo.train(
            "imdb-gru", tmp_path / f"{weight}", data=FRAME, epochs=1, batch_size=4,
            class_weight=dict.fromkeys(set(FRAME["label"]), weight),
            **{**OPTIONS, "settings": {**SMALL, "wide": False, "learning_rate": 1e-9}},
        )  # fmt: skip
        losses[weight] = run.history[0]["val_loss"]
    assert losses[3.0] == pytest.approx(3 * losses[1.0], rel=1e-3)


def test_class_weights_change_the_training(run, tmp_path):
    other = zoo.train(
        "imdb-gru", tmp_path / "run", data=FRAME, epochs=1, batch_size=4,
        class_weight="balanced", **OPTIONS,
    )  # fmt: skip
    # The classes are of one size: weights of 1, where the other run doubles one of them.
    assert run.run.history[0]["loss"] > 1.1 * other.history[0]["loss"]
    with pytest.raises(zoo.UsageError, match=r"another run \(class_weight: 'balanced', now None\)"):
        zoo.train("imdb-gru", tmp_path / "run", data=FRAME, epochs=1, batch_size=4, **OPTIONS)


def test_progress_in_a_notebook_draws_over_its_line(monkeypatch):
    shell = type("ZMQInteractiveShell", (), {})()
    monkeypatch.setitem(sys.modules, "IPython", types.SimpleNamespace(get_ipython=lambda: shell))
    out = io.StringIO()
    monkeypatch.setattr(sys, "stdout", out)
    progress = Progress(epochs=2, steps=2)
    progress.step(State(step=1), {"loss": 1.0})
    progress.step(State(step=2), {"loss": 0.5})
    progress.log("done")
    first, second, last = out.getvalue().split("\r")
    assert first.startswith("epoch 1/2  ")
    assert "1/2  loss 1.0000" in first
    assert "2/2  loss 0.5000" in second
    assert last.rstrip() == "done"
    assert len(last.rstrip("\n")) >= len(second.rstrip())  # nothing of the bar is left
    assert "\x1b" not in out.getvalue()
    out.truncate(0)
    Progress(1, 1, quiet=True).step(State(step=1), {"loss": 1.0})
    assert not out.getvalue().strip("\0")


def test_only_experts_see_details(capsys):
    Progress(1, 1).detail("norms")
    Progress(1, 1, verbose=True).detail("norms of experts")
    assert capsys.readouterr().out == "norms of experts\n"
