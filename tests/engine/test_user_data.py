"""Nothing of the user's is lost: by overwriting, by kills, by two trainings in one folder."""

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time

import numpy as np
import pytest

import zoo
from zoo.training import fit, overwrite
from zoo.training.lock import locked
from zoo.training.run import Run, own_files

NAME = "imdb-lstm"
SETTINGS = {"units": 4, "embedding": 4, "epochs": 2, "learning_rate": 0.05, "warmup": 0.0}
CALL = {"data": "sample", "settings": SETTINGS, "quiet": True, "baselines": False}
OPTIONS = ["--data=sample", "--no-baselines", *(f"--set={k}={v}" for k, v in SETTINGS.items())]


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A complete run, not to be changed."""
    folder = tmp_path_factory.mktemp("trained") / "run"
    zoo.train(NAME, folder, **CALL)
    return folder


@pytest.fixture
def run(trained, tmp_path):
    """A copy of it, with files of the user's in it."""
    folder = tmp_path / "run"
    shutil.copytree(trained, folder)
    for name in ("notes.txt", "logs/notes.txt"):
        (folder / name).write_text("dear diary")
    return folder


def content(folder):
    """Returns what is in a folder, but for locks, by path."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != ".lock"
    }


def start(*arguments, **settings):
    """Starts a training with a row a step and a checkpoint after each."""
    changed = {**SETTINGS, "batch_size": 1, **settings}
    options = ["--data=sample", "--no-baselines", "--checkpoint-seconds=0"]
    options += [f"--set={key}={value}" for key, value in changed.items()]
    return subprocess.Popen(
        [sys.executable, "-m", "zoo", "train", NAME, *options, *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # Under nohup, which ignores it, children would ignore it too.
        preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_DFL),
    )


def wait_for(process, condition):
    until = time.monotonic() + 240
    while not condition():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < until
        time.sleep(0.005)


def test_overwriting_reads_everything_first(run, tmp_path):
    before = content(run)
    wrong = tmp_path / "wrong.csv"
    wrong.write_text("nothing,of,use\n1,2,3\n")
    for data in (str(tmp_path / "reviws.csv"), str(wrong), "tfds"):  # "tfds": there is no network
        with pytest.raises(zoo.ZooError):
            zoo.train(NAME, run, **{**CALL, "data": data}, overwrite=True)
        assert content(run) == before
    for base in ("no-such-model", str(tmp_path)):
        with pytest.raises(zoo.ZooError):
            zoo.train(NAME, run, **CALL, overwrite=True, base=base)
        assert content(run) == before


def test_overwriting_leaves_what_no_run_writes(run):
    before = content(run)
    settings = {**SETTINGS, "epochs": 1}
    zoo.train(NAME, run, **{**CALL, "settings": settings}, overwrite=True)
    after = content(run)
    assert len(Run(run).history) == 1
    assert after["model-best.keras"] != before["model-best.keras"]
    assert {name for name in after if "tfevents" not in name} == {
        name for name in before if "tfevents" not in name
    }
    assert after["notes.txt"] == after["logs/notes.txt"] == b"dear diary"
    # The events are those of the new run alone.
    assert not {name for name in before if "tfevents" in name} & after.keys()


def test_a_failure_before_the_first_epoch_puts_the_old_run_back(run, monkeypatch):
    before = content(run)
    seen = []

    def fail(model, loss):
        seen.append(sorted(path.name for path in run.glob("*.json")))
        # What is there is answered by until then: the old run.
        seen.append(zoo.load(run).predict(["a film"]))
        return "The loss is nan"

    expected = zoo.load(run).predict(["a film"])
    monkeypatch.setattr("zoo.training.diagnostics.broken", fail)
    with pytest.raises(zoo.ZooError, match=r"The loss is nan .*held before is restored"):
        zoo.train(NAME, run, **CALL, overwrite=True, seed=1)
    assert "config.json" in seen[0]
    assert "metrics.json" not in seen[0]
    assert seen[1] == expected
    assert content(run) == before
    monkeypatch.undo()
    assert zoo.train(NAME, run, **CALL).complete
    assert content(run) == before


def test_a_failure_after_the_first_epoch_keeps_the_new_run(run, monkeypatch):
    calls = []

    def fail(model, loss):
        calls.append(loss)
        return "The loss is nan" if len(calls) > 1 else None

    monkeypatch.setattr("zoo.training.diagnostics.broken", fail)
    with pytest.raises(zoo.ZooError, match=r"checkpoint, of the end of epoch 1, is kept"):
        zoo.train(NAME, run, **CALL, overwrite=True, seed=1)
    monkeypatch.undo()
    assert json.loads((run / "config.json").read_text())["run"]["seed"] == 1
    assert not [path for path in run.glob(".*") if path.is_dir()]
    assert zoo.train(NAME, run, **CALL, seed=1, resume=True).complete


def test_a_run_that_goes_on_from_itself(run):
    old = zoo.load(run).model.get_weights()
    zoo.train(
        NAME, run, **{**CALL, "settings": {**SETTINGS, "learning_rate": 1e-9}},
        overwrite=True, base=run, seed=5,
    )  # fmt: skip
    new = zoo.load(run).model.get_weights()
    for ours, theirs in zip(new, old, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-6)
    assert (run / "notes.txt").exists()


@pytest.fixture(scope="module")
def overwriting(trained, tmp_path_factory):
    """A process that is stopped in the first epoch of overwriting a run, and the folder."""
    folder = tmp_path_factory.mktemp("overwriting") / "run"
    shutil.copytree(trained, folder)
    (folder / "notes.txt").write_text("dear diary")
    process = start("--seed=1", "-o", folder, "--overwrite", epochs=3, patience=0)
    try:
        # The window is small: from the first checkpoint on, until the epoch is over.
        wait_for(process, lambda: list((folder / "checkpoint").glob("00000-*.npz")))
        process.send_signal(signal.SIGSTOP)
        if list((folder / "checkpoint").glob("00001-*.npz")):
            pytest.skip("the first epoch was over before the process was stopped")
        yield process, folder
    finally:
        process.kill()
        process.communicate()


@pytest.fixture(scope="module")
def killed(overwriting, tmp_path_factory):
    """What a kill at that moment leaves, not to be changed."""
    _, folder = overwriting
    return shutil.copytree(folder, tmp_path_factory.mktemp("killed") / "run")


def test_the_second_training_says_who_trains_there(overwriting, cli):
    process, folder = overwriting
    for option in ([], ["--overwrite"], ["--seed=7"]):
        err = cli("train", NAME, *OPTIONS, "-o", folder, *option, code=1).err
        assert f"process {process.pid} on {socket.gethostname()}, since 20" in err
        assert "Another training runs in" in err
    cli("predict", folder, "a film")
    cli("evaluate", folder)


NEW = {
    **CALL,
    "settings": {**SETTINGS, "batch_size": 1, "epochs": 3, "patience": 0},
    "seed": 1,
    "quiet": False,
}


@pytest.mark.parametrize("again", ["same", "overwrite", "old"])
def test_a_kill_in_the_first_epoch_of_overwriting(killed, trained, tmp_path, again, capsys):
    run, before = tmp_path / "run", content(trained)
    shutil.copytree(killed, run)
    assert (run / ".overwritten" / "model-best.keras").read_bytes() == before["model-best.keras"]
    if again == "old":  # whoever wants the old run back has it
        assert zoo.load(run).predict(["a film"]) == zoo.load(trained).predict(["a film"])
        with pytest.raises(zoo.UsageError, match=r"holds another run \(.*seed: 1, now 7"):
            zoo.train(NAME, run, **CALL, seed=7)
        assert zoo.train(NAME, run, **CALL).complete
        assert content(run) == {**before, "notes.txt": b"dear diary"}
        return
    zoo.train(NAME, run, **NEW, overwrite=again == "overwrite", resume=again == "same")
    assert ("resuming in epoch 1" in capsys.readouterr().out) == (again == "same")
    assert Run(run).complete
    assert not (run / ".overwritten").exists()
    assert (run / "notes.txt").read_text() == "dear diary"


# The last that needs the process.
def test_a_stop_in_the_first_epoch_can_go_on(overwriting, killed):
    """SIGHUP ends a run as SIGTERM does."""
    process, folder = overwriting
    process.send_signal(signal.SIGHUP)
    process.send_signal(signal.SIGCONT)
    out, err = process.communicate()
    assert process.returncode == 128 + signal.SIGHUP, err
    assert err == "\n"  # closes the line on which a terminal shows ^C
    *_, stopped, again = out.splitlines()
    assert stopped.startswith("Stopped in epoch ")
    assert stopped.endswith("Resume with:")
    given = [part for part in process.args[2:] if part != "--overwrite"]
    assert again == f"  {' '.join(given)}"
    assert list((folder / "checkpoint").glob("0*.npz"))
    with locked(folder):  # a lock ends with its process
        pass


def test_a_signal_that_is_ignored_stays_ignored():
    from zoo.training.callbacks import StopSignal

    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with StopSignal() as stop:
            os.kill(os.getpid(), signal.SIGHUP)
            assert stop.received is None
            signal.raise_signal(signal.SIGTERM)
            assert stop.received == signal.SIGTERM
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


def test_every_moment_of_moving_can_be_the_last(run, monkeypatch):
    """A kill after any rename: the next training finds the old run whole."""
    before = content(run)
    real = os.replace

    class Killed(BaseException):
        pass

    @contextlib.contextmanager
    def killed_after(moves):
        done = []

        def replace(source, target):
            if len(done) == moves:
                raise Killed
            done.append(source)
            real(source, target)

        with monkeypatch.context() as patch:
            patch.setattr(overwrite.os, "replace", replace)
            yield

    steps = len(own_files(run)) + 1
    for last in range(steps):
        with killed_after(last), pytest.raises(Killed):
            overwrite.set_aside(run)
        overwrite.settle(run, None)
        assert content(run) == before
    for last in range(steps + 1):  # and on the way back, over what a new run has written
        overwrite.set_aside(run)
        for name in ("config.json", "model-best.keras", "checkpoint/00000-00000001.npz"):
            (run / name).parent.mkdir(exist_ok=True)
            (run / name).write_text("new")
        with killed_after(last), contextlib.suppress(Killed):
            overwrite.settle(run, None)
        overwrite.settle(run, None)
        assert content(run) == before


def test_an_overwrite_by_an_earlier_version_is_put_back(run):
    """Its configs lack options that are new."""
    path = run / "config.json"
    resolved = json.loads(path.read_text())
    resolved["run"]["add_validation"] = 0.0
    earlier = {**resolved, "run": {**resolved["run"]}}
    del earlier["run"]["add_validation"]
    path.write_text(json.dumps(earlier))
    before = content(run)
    overwrite.set_aside(run)
    other = {**earlier, "run": {**earlier["run"], "seed": 5}}
    path.write_text(json.dumps(other))
    assert overwrite.settle(run, resolved)
    assert content(run) == before


DIARY = [
    ("config.json", '{"theme": "dark"}'),
    ("config.json", '{"recipe": "a", "config": {}}'),
    ("config.json", '{"recipe": 1, "config": {}, "run": {}}'),
    ("config.json", "[1]"),
    ("config.json", '{"recipe": "imdb-lstm", "con'),
    ("diary.txt", "dear diary"),
]


@pytest.mark.parametrize(("name", "text"), DIARY)
def test_a_folder_of_something_else_is_never_overwritten(cli, tmp_path, name, text):
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "diary.md").write_text("dear diary")
    (folder / name).write_text(text)
    before = {path: path.read_bytes() for path in folder.rglob("*")}
    for option in ([], ["--overwrite"], ["--resume"]):
        result = cli("train", NAME, *OPTIONS, "-o", folder, *option, code=None)
        assert result.code in (1, 2)
        assert "--overwrite" not in result.err
        assert str(folder) in result.err
        assert {path: path.read_bytes() for path in folder.rglob("*")} == before


def test_the_same_command_tests_again_where_metrics_are_lost(run, trained, monkeypatch):
    weights = (run / "model-best.keras").read_bytes()
    kept = json.loads((run / "metrics.json").read_text())
    for text in ("", '{"metric": "accuracy"', "[]", '{"test": 1}'):
        (run / "metrics.json").write_text(text)
        with pytest.raises(zoo.ZooError, match=r"metrics\.json .* tests the weights again"):
            assert zoo.load(run).metrics
        tested = []
        with monkeypatch.context() as patch:
            patch.setattr(fit, "finish", lambda *given, tested=tested: tested.append(given))
            zoo.train(NAME, run, **CALL)
        assert len(tested) == 1
    (run / "metrics.json").unlink()
    zoo.train(NAME, run, **CALL)
    again = json.loads((run / "metrics.json").read_text())
    assert again["test"] == kept["test"]
    lost = ("train_seconds", "train_examples_per_second", "input_wait", "padding", "epoch_seconds")
    assert [again[key] for key in lost] == [None] * 5
    assert len(kept["epoch_seconds"]) == kept["epochs"]
    assert sum(kept["epoch_seconds"]) == pytest.approx(kept["train_seconds"], abs=0.2)
    same = ("metric", "monitor", "validation", "best_epoch", "epochs", "parameters")
    assert {key: again[key] for key in same} == {key: kept[key] for key in same}
    assert (run / "model-best.keras").read_bytes() == weights
    assert (run / "history.csv").read_bytes() == (trained / "history.csv").read_bytes()
    # Good weights are not overwritten because of a damaged history either.
    (run / "metrics.json").unlink()
    (run / "history.csv").write_text("epoch,loss\none,two\n")
    with pytest.raises(zoo.ZooError, match=r"history\.csv is damaged"):
        zoo.train(NAME, run, **CALL)
    assert (run / "model-best.keras").read_bytes() == weights


def test_the_lock_leaves_no_folder_behind(tmp_path):
    with (
        locked(tmp_path / "a" / "run"),
        pytest.raises(zoo.ZooError, match="Another training"),
        locked(tmp_path / "a" / "run"),
    ):
        pass
    assert not list(tmp_path.iterdir())
    with pytest.raises(zoo.ZooError):
        zoo.train(NAME, tmp_path / "b", **{**CALL, "data": "none.csv"})
    assert not (tmp_path / "b").exists()


# What a link to a run keeps is in engine/contract/test_runs.py.
def test_overwriting_through_links(run, tmp_path):
    link = tmp_path / "link"
    link.symlink_to(run)
    call = {**CALL, "settings": {**SETTINGS, "epochs": 1}, "overwrite": True}
    # One inside the run, too: what it points to stays.
    kept = tmp_path / "kept.keras"
    os.rename(run / "model-best.keras", kept)
    (run / "model-best.keras").symlink_to(kept)
    whole = kept.read_bytes()
    zoo.train(NAME, link, **call, seed=4)
    assert link.is_symlink()
    assert Run(run).complete
    assert json.loads((run / "config.json").read_text())["run"]["seed"] == 4
    assert (run / "notes.txt").read_text() == "dear diary"
    assert kept.read_bytes() == whole
    assert not (run / "model-best.keras").is_symlink()
    dangling = tmp_path / "dangling"
    dangling.symlink_to(tmp_path / "nowhere")
    with pytest.raises(zoo.UsageError, match=r"symbolic link to .*nowhere, which does not exist"):
        zoo.train(NAME, dangling, **call)


SHAPES = ["[]", "7", "null", "{}", "[" * 100_000, "\x00", '{"rows": 3, "source": 4, "run": 5}']


@pytest.mark.parametrize(
    ("name", "without", "commands"),
    [
        ("config.json", (), ("predict", "evaluate", "inspect", "train", "from")),
        ("assets.json", ("metrics.json",), ("predict", "evaluate", "inspect", "train", "from")),
        ("data.json", ("metrics.json",), ("evaluate", "inspect", "train")),
        ("metrics.json", (), ("evaluate",)),
        ("environment.json", ("card.md",), ("train",)),
        ("data.json", ("card.md",), ("train",)),
    ],
)
def test_json_of_another_shape_is_damaged_in_one_line(cli, run, name, without, commands):
    for other in without:
        (run / other).unlink()
    arguments = {
        "predict": ["predict", run, "a film"],
        "evaluate": ["evaluate", run],
        "inspect": ["inspect", run],
        "train": ["train", NAME, *OPTIONS, "-o", run],
        "from": ["train", NAME, *OPTIONS, "-o", run.parent / "other", "--from", run],
    }
    for text in SHAPES:
        (run / name).write_text(text)
        for command in commands:
            result = cli(*arguments[command], code=None)
            assert result.code in (1, 2), (text[:20], command, result.out)
            assert "this should not happen" not in result.err, (text[:20], command)
            assert name in result.err, (text[:20], command)
            assert (run / "model-best.keras").exists()


EXPORT = [sys.executable, "-m", "zoo", "export"]


def test_the_next_export_cleans_up_after_a_kill(run, tmp_path):
    folder = tmp_path / "export"
    # One that is still at work keeps its folder.
    working = subprocess.Popen([*EXPORT, run, folder], stdout=subprocess.PIPE)
    wait_for(working, lambda: list(folder.glob(".export-*/*")))
    working.send_signal(signal.SIGSTOP)
    (theirs,) = folder.glob(".export-*")
    # One that was killed has left the same, and holds no lock.
    left = folder / f"{theirs.name[:-4]}dead"
    shutil.copytree(theirs, left)
    assert zoo.export(run, folder).name == "1"
    assert not left.exists()
    assert theirs.exists()
    working.send_signal(signal.SIGCONT)
    working.communicate()
    assert working.returncode == 0
    assert sorted(path.name for path in folder.iterdir()) == ["1", "2"]
