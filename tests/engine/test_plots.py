import subprocess
import sys

import numpy as np
import pytest
from matplotlib.image import imread

from zoo import ZooError
from zoo.report import plots
from zoo.scores import ConfusionMatrix, Monitor

HISTORY = [
    {"epoch": 1, "loss": 0.6, "val_loss": 0.5, "accuracy": 0.7, "val_accuracy": 0.8, "lr": 1e-3},
    {"epoch": 2, "loss": 0.4, "val_loss": 0.3, "accuracy": 0.8, "val_accuracy": 0.9, "lr": 1e-3},
    {"epoch": 3, "loss": 0.2, "val_loss": 0.4, "accuracy": 0.9, "val_accuracy": 0.9, "lr": 1e-3},
]


def test_curves_show_each_value_and_mark_the_best_epoch(tmp_path, figures):
    plots.curves(HISTORY, tmp_path / "new" / "curves.png", Monitor("val_accuracy", better="higher"))
    loss, accuracy = figures[0].axes
    assert (loss.get_ylabel(), accuracy.get_ylabel()) == ("loss", "accuracy")
    assert loss.get_xlabel() == accuracy.get_xlabel() == "epoch"
    lines = {line.get_label(): line for line in accuracy.lines}
    assert lines["train"].get_ydata().tolist() == [0.7, 0.8, 0.9]
    assert lines["validation"].get_ydata().tolist() == [0.8, 0.9, 0.9]
    # Of two equal epochs the first is the best one: its weights were kept.
    assert lines["best epoch (2): 0.9000"].get_xydata().tolist() == [[2.0, 0.9]]
    # By the loss, another epoch might be better.
    assert loss.lines[-1].get_label() == "epoch 2: 0.3000"
    assert imread(tmp_path / "new" / "curves.png").std() > 0
    assert [file.name for file in (tmp_path / "new").iterdir()] == ["curves.png"]


@pytest.mark.parametrize("name", ["val_loss", "val_brier", "val_perplexity"])
def test_the_best_epoch_follows_the_direction_and_no_name(tmp_path, figures, name):
    history = [{**row, name: row["val_loss"]} for row in HISTORY]
    for better, label in (
        ("lower", "best epoch (2): 0.3000"),
        ("higher", "best epoch (1): 0.5000"),
    ):
        plots.curves(history, tmp_path / "curves.png", Monitor(name, better))
        assert label in [line.get_label() for line in figures[-1].axes[0].lines]


def test_curves_take_a_history_as_csv_gives_it(tmp_path, figures):
    rows = [{key: str(value) for key, value in row.items()} for row in HISTORY]
    rows[1]["val_loss"] = ""  # an epoch that was not validated
    plots.curves(rows, tmp_path / "curves.png")
    validation = figures[0].axes[0].lines[1].get_ydata()
    np.testing.assert_array_equal(validation, [0.5, np.nan, 0.4])
    assert "best epoch (3): 0.4000" in [line.get_label() for line in figures[0].axes[0].lines]


def test_legends_cover_no_curve(tmp_path, figures):
    plots.curves(HISTORY, tmp_path / "curves.png")
    figures[0].draw_without_rendering()
    for axes in figures[0].axes:
        assert axes.get_legend().get_window_extent().y0 >= axes.get_window_extent().y1


def test_curves_without_validation_mark_nothing(tmp_path, figures):
    plots.curves([{"epoch": 1, "loss": 1.0}], tmp_path / "curves.png")
    assert [line.get_label() for line in figures[0].axes[0].lines] == ["train"]


def test_no_epoch_is_an_error_that_writes_nothing(tmp_path):
    with pytest.raises(ZooError, match="no epoch"):
        plots.curves([], tmp_path / "curves.png")
    assert not list(tmp_path.iterdir())


def test_confusion_shows_counts_and_shares(tmp_path, figures):
    plots.confusion(ConfusionMatrix(["no", "yes"], [[3, 1], [0, 0]]), tmp_path / "confusion.png")
    axes = figures[0].axes[0]
    assert [text.get_text() for text in axes.texts] == [
        "3\n75.0%",
        "1\n25.0%",
        "0\n0.0%",
        "0\n0.0%",
    ]
    assert [tick.get_text() for tick in axes.get_yticklabels()] == ["no", "yes"]
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("predicted", "true")
    assert axes.images[0].get_array().tolist() == [[0.75, 0.25], [0.0, 0.0]]


@pytest.mark.parametrize("classes", [1, 5, 26, 200])
def test_confusion_of_any_size(tmp_path, classes):
    labels = [f"$x_{i}" for i in range(classes)]  # not a formula, and no broken one
    matrix = np.eye(classes, dtype=int).tolist()
    plots.confusion(ConfusionMatrix(labels, matrix), tmp_path / "confusion.png")
    height, width = imread(tmp_path / "confusion.png").shape[:2]
    assert 300 < height < 2500
    assert 300 < width < 2500


def test_names_that_the_font_lacks_do_not_warn(tmp_path):
    names = ["科技", "体育"]
    plots.confusion(ConfusionMatrix(names, [[1, 0], [0, 1]]), tmp_path / "confusion.png")
    assert (tmp_path / "confusion.png").stat().st_size > 0


def test_no_backend_is_chosen_for_the_process(tmp_path):
    code = (
        "import sys, pathlib; from zoo.report import plots; from zoo.scores import ConfusionMatrix;"
        "plots.confusion(ConfusionMatrix(['a'], [[1]]), pathlib.Path(sys.argv[1]));"
        "print('matplotlib.pyplot' in sys.modules)"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "confusion.png")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
