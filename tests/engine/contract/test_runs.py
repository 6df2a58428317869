"""A run of any recipe can be killed, goes on as if nothing had happened, and can be repeated."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

import zoo
from zoo import files
from zoo.cli import main


@pytest.fixture
def name(chosen_names):
    """One recipe that has a reference run: what is of the engine is the same for every recipe."""
    return chosen_names[0]


# Steps so long that a signal meets one of them.
SLOWED = """
import sys, time
from zoo.cli import main
from zoo.training import callbacks

step = callbacks.Progress.step


def slow(self, state, logs):
    time.sleep(0.25)
    step(self, state, logs)


callbacks.Progress.step = slow
sys.argv[0] = "zoo"
main()
"""


def command(name, run, settings, *more):
    chosen = [f"--set={key}={value}" for key, value in settings.items()]
    return [
        *(sys.executable, "-c", SLOWED, "train", name, "--data=sample", "--deterministic"),
        *("--checkpoint-seconds=0", "--no-baselines", "-o", str(run), *chosen, *more),
    ]


def stop(command, run, number, beyond):
    """Starts a process and signals it when its checkpoint has passed `beyond`.

    Returns:
      Its exit code and what it printed.
    """
    before = {path.stem for path in (run / "checkpoint").glob("[0-9]*.npz")}
    beyond = max([beyond, *before])  # one of this process: it can be stopped then
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        until = time.monotonic() + 240
        while process.poll() is None and time.monotonic() < until:
            if any(path.stem > beyond for path in (run / "checkpoint").glob("[0-9]*.npz")):
                process.send_signal(number)
                break
            time.sleep(0.002)
        out, _ = process.communicate(timeout=240)
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
    assert not (run / "metrics.json").exists(), f"it was not stopped in the middle:\n{out}"
    return process.returncode, out


def assert_same_run(run, reference, weights):
    assert (run / "history.csv").read_bytes() == (reference / "history.csv").read_bytes()
    for file in ("model-last.keras", "model-best.keras"):
        ours, theirs = weights(run / file), weights(reference / file)
        assert ours.keys() == theirs.keys()
        for key, value in theirs.items():
            np.testing.assert_array_equal(ours[key], value, err_msg=f"{file} {key}")


# They differ in what is restored: arrays, rows of unequal length with several inputs and a loss
# that is a layer's, an augmentation, a state from batch to batch. Slow for the others.
@pytest.mark.few("adding", "entities", "folk", "words")
def test_a_killed_run_ends_as_if_undisturbed(chosen, disturbed, weights):
    run = disturbed / "killed" / chosen
    out = (disturbed / f"{chosen}.log").read_text()
    assert "resuming in epoch 2 after step 1" in out  # the second had no checkpoint yet
    assert_same_run(run, disturbed / "whole" / chosen, weights)


def test_a_reference_run_is_whole(chosen, references, settings):
    run = references / chosen
    present = {path.name for path in run.iterdir()}
    assert present >= {
        *("config.json", "environment.json", "data.json", "assets.json", "history.csv"),
        *("metrics.json", "model-best.keras", "model-last.keras", "card.md", "curves.png", "logs"),
    }
    from zoo.training import Run

    recipe = zoo.get_recipe(chosen)
    metrics = Run(run).metrics
    assert np.isfinite(metrics["test"][recipe.metric.name])
    history = Run(run).history
    assert [row["epoch"] for row in history] == list(range(1, settings["epochs"] + 1))
    assert all(np.isfinite(value) for row in history for value in row.values())
    assert recipe.monitor.name in history[0]
    sign = 1 if recipe.monitor.better == "lower" else -1
    # Of equal scores, that with the lower loss is the better one.
    scores = [(sign * row[recipe.monitor.name], row["val_loss"]) for row in history]
    assert metrics["best_epoch"] == 1 + scores.index(min(scores))


@pytest.mark.parametrize(
    "number",
    [
        signal.SIGKILL,
        # SIGINT, by which `zoo launch` stops its workers, is in engine/cli/test_launch.py, and
        # SIGHUP, which is heeded alike, in engine/test_user_data.py.
        pytest.param(signal.SIGTERM, marks=pytest.mark.slow),
    ],
)
def test_a_signal_and_a_damaged_checkpoint(
    name, number, references, settings, weights, python, tmp_path
):
    run = tmp_path / "run"
    again = command(name, run, settings)
    code, out = stop(again, run, number, "00001-00000001")
    if number == signal.SIGTERM:
        assert code == 143
        assert "Resume with" in out
        assert f"zoo train {name} --data=sample" in out
        assert "Traceback" not in out
    else:
        assert code == -number

    newest = sorted((run / "checkpoint").glob("[0-9]*.npz"))[-1]
    newest.write_bytes(newest.read_bytes()[:-1000])
    # A leftover of a write that was cut short is no checkpoint.
    (run / "checkpoint" / ".00009-00000001.npz.1.part.npz").write_bytes(b"half")
    out = python(again)
    assert f"checkpoint {newest.name} is damaged" in out
    assert "using the one before it" in out
    assert "resuming in epoch" in out
    assert_same_run(run, references / name, weights)
    assert not (run / "checkpoint").exists()


def test_deterministic_runs_are_equal_whatever_came_before(repeated, references, weights):
    names = sorted(path.name for path in repeated.iterdir())
    assert names
    for name in names:
        assert_same_run(repeated / name, references / name, weights)


@pytest.fixture
def copy(name, references, settings, tmp_path):
    """A finished run of that recipe, and the arguments that made it."""
    run = tmp_path / "copy"
    shutil.copytree(references / name, run)
    return run, {"data": "sample", "settings": settings, "deterministic": True, "quiet": True}


@pytest.mark.parametrize(
    ("changes", "difference"),
    [
        ({"seed": 7}, "seed: 0, now 7"),
        ({"settings": {"epochs": 9}}, "epochs: 3, now 9"),
        ({"precision": "mixed_bfloat16"}, "precision: 'float32', now 'mixed_bfloat16'"),
        ({"data": None}, "data: 'sample', now None"),
    ],
)
def test_a_folder_of_another_run_is_refused_with_the_difference(copy, name, changes, difference):
    run, arguments = copy
    before = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    settings = {**arguments["settings"], **changes.pop("settings", {})}
    with pytest.raises(zoo.UsageError) as caught:
        zoo.train(name, run, **{**arguments, "settings": settings, **changes})
    assert difference in str(caught.value)
    assert str(caught.value).count(", now ") == 1
    assert {path: path.read_bytes() for path in run.rglob("*") if path.is_file()} == before


def test_a_folder_of_another_recipe_is_refused_with_exit_code_2(copy, name, monkeypatch, capsys):
    run, _ = copy
    other = next(row["name"] for row in zoo.list_models() if row["name"] != name)
    monkeypatch.setattr(sys, "argv", ["zoo", "train", other, "--data=sample", "-o", str(run)])
    with pytest.raises(SystemExit) as caught:
        main()
    assert caught.value.code == 2
    assert f"recipe: {name!r}, now {other!r}" in capsys.readouterr().err


def test_the_same_call_on_a_complete_run_leaves_it_as_it_is(copy, name):
    run, arguments = copy
    before = (run / "metrics.json").stat().st_mtime_ns
    assert zoo.train(name, run, **arguments).complete
    assert (run / "metrics.json").stat().st_mtime_ns == before


def test_what_a_kill_after_the_metrics_left_undone_is_done(copy, name):
    run, arguments = copy
    card = (run / "card.md").read_text()
    (run / "card.md").unlink()
    (run / ".card.md.77.part.md").write_text("half")
    (run / "checkpoint").mkdir()
    (run / "checkpoint" / "00003-00000000.npz").write_text("of no use any more")
    zoo.train(name, run, **arguments)
    assert (run / "card.md").read_text() == card
    assert not list(run.glob("checkpoint"))
    assert [path.name for path in run.glob(".*")] == [".lock"]


def test_a_run_does_not_go_on_with_other_data(copy, name):
    run, arguments = copy
    (run / "metrics.json").unlink()
    data = files.read_json(run / "data.json")
    files.write_json(run / "data.json", {**data, "fingerprint": "0" * 64})
    with pytest.raises(zoo.ZooError, match="have changed since it began"):
        zoo.train(name, run, **{**arguments, "deterministic": True})


def test_resume_demands_a_run(name, tmp_path):
    with pytest.raises(zoo.UsageError, match="no run to resume"):
        zoo.train(name, tmp_path / "none", data="sample", resume=True, quiet=True)
    assert not (tmp_path / "none").exists()


def test_overwrite_deletes_nothing_that_is_no_run(name, tmp_path):
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(zoo.UsageError, match="is not a run folder"):
        zoo.train(name, tmp_path, data="sample", overwrite=True, quiet=True)
    assert (tmp_path / "thesis.tex").read_text() == "years of work"
    with pytest.raises(zoo.UsageError, match="is not a run folder"):
        zoo.train(name, tmp_path / "thesis.tex", data="sample", overwrite=True, quiet=True)


def test_overwrite_through_a_link_keeps_the_link(copy, name, tmp_path):
    run, arguments = copy
    link = tmp_path / "link"
    link.symlink_to("copy")  # relative
    settings = {**arguments["settings"], "epochs": 1}
    again = {**arguments, "settings": settings, "seed": 7, "deterministic": False}
    zoo.train(name, link, overwrite=True, baselines=False, **again)
    assert os.readlink(link) == "copy"
    assert files.read_json(run / "config.json")["run"]["seed"] == 7
    assert zoo.load(link).metrics["epochs"] == 1
    assert not [path.name for path in run.glob(".*") if path.name != ".lock"]


@pytest.mark.parametrize("overwrite", [True, False])
def test_links_that_lead_to_no_run_are_refused(name, overwrite, tmp_path):
    (tmp_path / "diary").mkdir()
    (tmp_path / "diary" / "monday.txt").write_text("dear diary")
    (tmp_path / "file").write_text("")
    for target, says in {
        "nowhere": "is a symbolic link to nowhere, which does not exist",
        "link": "is a symbolic link to link, which does not exist",  # to itself
        "diary": "exists and is not a run folder",
        "file": "exists and is not a run folder",
    }.items():
        link = tmp_path / "link"
        link.symlink_to(target)
        with pytest.raises(zoo.UsageError, match=says):
            zoo.train(name, link, data="sample", overwrite=overwrite, quiet=True)
        link.unlink()
    assert (tmp_path / "diary" / "monday.txt").read_text() == "dear diary"


def test_a_folder_that_cannot_be_written_is_one_line(name, tmp_path, monkeypatch, capsys):
    (tmp_path / "file").write_text("")
    run = tmp_path / "file" / "run"
    monkeypatch.setattr(sys, "argv", ["zoo", "train", name, "--data=sample", "-o", str(run)])
    with pytest.raises(SystemExit) as caught:
        main()
    assert caught.value.code in (1, 2)
    error = capsys.readouterr().err.strip()
    assert error.startswith("Error: ")
    assert str(run) in error
    assert len(error.splitlines()) == 1
