"""Workers on this machine: started, stopped, killed, and gone on with."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

OPTIONS = [
    "train", "imdb-gru", "--data", "sample", "--deterministic", "--no-baselines", "--set",
    "units=4", "--set", "patience=0", "--batch-size", "3", "--checkpoint-seconds", "0",
]  # fmt: skip


def launch(output, epochs, **kwargs):
    command = [sys.executable, "-m", "zoo", "launch", "--workers", "2", "--", *OPTIONS]
    return subprocess.Popen(
        [*command, "--epochs", str(epochs), "-o", str(output)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **kwargs,
    )


def run(*args):
    process = launch(*args)
    out, err = process.communicate(timeout=300)
    return process.returncode, out, err


def workers_of(process):
    """Returns the ids of the workers, in their order."""
    found = subprocess.run(["ps", "-o", "pid=", "--ppid", str(process.pid)], capture_output=True)
    return sorted(int(number) for number in found.stdout.split())


def wait_for(path, process):
    until = time.monotonic() + 240
    while not list(path.glob("checkpoint/*.npz")):
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < until
        time.sleep(0.02)


EPOCHS = 400  # more than pass before a signal comes


@pytest.fixture(scope="module")
def stopped(tmp_path_factory):
    """A run that a signal to the launcher has stopped, and what it said."""
    path = tmp_path_factory.mktemp("launch") / "run"
    process = launch(path, EPOCHS)
    wait_for(path, process)
    time.sleep(0.5)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=120)
    return path, process.returncode, out, err


def test_one_signal_stops_all_after_the_same_step(stopped):
    path, code, out, err = stopped
    assert code == 130, err
    assert "nothing is lost" in out
    assert re.search(r"zoo launch --workers 2 -- train imdb-gru .*--epochs 400", out)
    assert "Traceback" not in err
    assert not (path / "metrics.json").exists()
    assert len(list(path.glob("checkpoint/*.npz"))) in (1, 2)


def test_a_killed_chief_ends_all(tmp_path, stopped):
    path = tmp_path / "run"
    shutil.copytree(stopped[0], path)
    process = launch(path, EPOCHS)
    until = time.monotonic() + 240
    before = sorted(path.glob("checkpoint/*.npz"))
    while sorted(path.glob("checkpoint/*.npz")) == before:  # it has gone on
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < until
        time.sleep(0.02)
    os.kill(workers_of(process)[0], signal.SIGKILL)
    begun = time.monotonic()
    _, err = process.communicate(timeout=120)
    assert process.returncode == 1
    assert time.monotonic() - begun < 40  # seconds: TensorFlow's heartbeat, and the grace
    assert err.splitlines()[0] == "worker 0: Error: it was ended by SIGKILL."
    assert "Traceback" not in err
    assert list(path.glob("checkpoint/*.npz"))


def test_what_was_killed_goes_on_to_the_same_result(tmp_path, weights):
    epochs = 6
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    code, out, err = run(whole, epochs)
    assert code == 0, err
    assert "accuracy" in out.splitlines()[-3]
    assert "worker" not in err
    process = launch(killed, epochs)
    wait_for(killed, process)
    os.kill(workers_of(process)[1], signal.SIGKILL)
    process.communicate(timeout=120)
    assert process.returncode == 1
    assert not (killed / "metrics.json").exists()
    code, out, err = run(killed, epochs)
    assert code == 0, err
    assert (killed / "history.csv").read_bytes() == (whole / "history.csv").read_bytes()
    mine, theirs = weights(whole / "model-last.keras"), weights(killed / "model-last.keras")
    assert mine.keys() == theirs.keys()
    for key in mine:
        np.testing.assert_array_equal(mine[key], theirs[key])


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["predict", "imdb-gru"], 2, "Error: Workers can only train"),
        (["train", "imdb-gru", "--strategy", "mirrored"], 2, "Error: Workers need --strategy"),
        (["train", "imdb-gru", "--strategy=none", "-o", "multiworker"], 2, "Error: Workers need"),
        (["train", "imdb-gro"], 2, "worker 0: Error: Unknown recipe 'imdb-gro'."),
    ],
)
def test_bad_input_is_one_line(arguments, code, message):
    command = [sys.executable, "-m", "zoo", "launch", "--workers", "2", "--", *arguments]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == code
    assert re.sub(r"worker \d", "worker 0", done.stderr).startswith(message)
    assert len(done.stderr.splitlines()) == 1
