"""Under Ray Train and Ray Tune: epochs and checkpoints are reported, lost workers come again."""

import json
import os
import subprocess
import sys
import threading
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from zoo.training import ray as reports

DEPLOY = Path(__file__).parents[2] / "deploy" / "ray"
SETTINGS = {"units": 4, "epochs": 3, "batch_size": 4, "patience": 0}

# Trains with two workers, of which the second is killed once; a copy of the class `Steps` would
# not do, because Ray sends functions to processes that import `zoo` themselves.
KILLED = """
import json, os, sys
sys.path.insert(0, sys.argv[1])
import ray
import train as script

folder, settings = sys.argv[2], json.loads(sys.argv[3])


def dying(config):
    import os, signal
    import ray.train
    from zoo.training import callbacks
    marker = os.path.join(os.path.dirname(os.path.dirname(config["output"])), "killed")
    if ray.train.get_context().get_world_rank() == 1 and not os.path.exists(marker):
        ended = callbacks.Steps.on_train_batch_end

        def on_train_batch_end(self, batch, logs=None):
            ended(self, batch, logs)
            if (self.state.epoch, self.state.step) == (1, 2):
                open(marker, "w").close()
                os.kill(os.getpid(), signal.SIGKILL)

        callbacks.Steps.on_train_batch_end = on_train_batch_end
    import zoo
    zoo.train(config.pop("name"), config.pop("output"), strategy="multiworker", **config)


ray.init(num_cpus=2, include_dashboard=False)
found = script.train(
    "imdb-gru", folder, 2, work=dying, data="sample", settings=settings, baselines=False,
    checkpoint_seconds=0,
)
with open(f"{folder}/found.json", "w") as file:
    json.dump({**found.metrics, "checkpoint": sorted(os.listdir(found.checkpoint.path))}, file)
"""

TUNED = """
import json, sys
sys.path.insert(0, sys.argv[1])
import ray
import tune as script

ray.init(num_cpus=1, include_dashboard=False)
best = script.search(
    "imdb-gru", sys.argv[2], 2, data="sample", settings=json.loads(sys.argv[3]), baselines=False
)
with open(f"{sys.argv[2]}/found.json", "w") as file:
    json.dump({**best.metrics, "chosen": best.config["settings"]}, file)
"""


def under_ray(script, folder, timeout):
    pytest.importorskip("ray")
    folder.mkdir()
    done = subprocess.run(
        [sys.executable, "-c", script, str(DEPLOY), str(folder), json.dumps(SETTINGS)],
        # A busy machine takes long to start processes.
        env={
            **os.environ,
            "PYTHONPATH": str(DEPLOY),  # imported here, not run as a script: workers import it too
            "RAY_TRAIN_WORKER_GROUP_START_TIMEOUT_S": "600",
            "RAY_USAGE_STATS_ENABLED": "0",
        },
        capture_output=True,
        text=True,
        timeout=timeout,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return json.loads((folder / "found.json").read_text())


@pytest.mark.slow  # minutes: Ray starts processes that import TensorFlow
@pytest.mark.timeout(1500)
def test_a_worker_of_ray_train_that_is_killed_comes_again(tmp_path, weights):
    import zoo

    found = under_ray(KILLED, tmp_path / "ray", 1400)
    assert (tmp_path / "ray" / "killed").exists(), "nobody was killed"
    assert found["epoch"] == SETTINGS["epochs"]
    assert {"loss", "val_loss", "val_accuracy"} <= found.keys()
    assert {"config.json", "model-best.keras", "checkpoint"} <= set(found["checkpoint"])
    alone = zoo.train(
        "imdb-gru", tmp_path / "alone", data="sample", settings=SETTINGS, baselines=False,
        strategy="none", quiet=True,
    )  # fmt: skip
    mine = weights(alone.path / "model-last.keras")
    theirs = weights(tmp_path / "ray" / "runs" / "imdb-gru" / "model-last.keras")
    assert mine.keys() == theirs.keys()
    for key in mine:
        distance = np.linalg.norm(theirs[key].astype(float) - mine[key])
        assert distance <= 0.02 * np.linalg.norm(mine[key]) + 1e-6, key


@pytest.mark.slow
@pytest.mark.timeout(1500)
def test_ray_tune_compares_trials(tmp_path):
    found = under_ray(TUNED, tmp_path / "tune", 1400)
    assert found["epoch"] == SETTINGS["epochs"]
    assert found["chosen"].keys() == {"learning_rate", "dropout"}
    assert len(list((tmp_path / "tune" / "trials").iterdir())) == 2


class Session(SimpleNamespace):
    """As `ray.train` or `ray.tune`: collects what is reported."""

    def __init__(self, context):
        self.reported = []
        super().__init__(
            get_context=context,
            report=lambda row, checkpoint=None: self.reported.append((row, checkpoint)),
            Checkpoint=SimpleNamespace(from_directory=lambda path: f"copy of {path}"),
        )


def raising(error):
    def context():
        raise error

    return context


def test_epochs_are_reported_to_whoever_runs_the_function(monkeypatch):
    row = {"epoch": 1, "val_loss": np.float32(0.5)}
    reports.report(row, Path("run"))  # without Ray it does nothing
    train = Session(lambda: SimpleNamespace(get_world_size=lambda: 2))
    monkeypatch.setitem(sys.modules, "ray.train", train)
    reports.report(row, Path("run"))
    reports.report(row, None)
    assert train.reported == [({"epoch": 1.0, "val_loss": 0.5}, "copy of run"), (row, None)]
    # In a function of Tune, Ray Train raises; outside of both, something else.
    tune = Session(None)
    monkeypatch.setitem(sys.modules, "ray.tune", tune)
    monkeypatch.setitem(sys.modules, "ray.train", Session(raising(DeprecationWarning("Tune"))))
    reports.report(row, None)
    assert tune.reported == [(row, None)]
    monkeypatch.setitem(sys.modules, "ray.train", Session(raising(RuntimeError("the driver"))))
    reports.report(row, None)
    assert len(tune.reported) == 1


def test_a_training_in_another_thread_is_stopped_by_an_event(tmp_path):
    import zoo
    from zoo.errors import Interrupted

    stop, caught = threading.Event(), []
    few = {"units": 4, "epochs": 1000, "batch_size": 4, "patience": 0}

    def train():
        try:
            zoo.train(
                "imdb-gru", tmp_path / "run", data="sample", settings=few, baselines=False,
                strategy="none", quiet=True, stop=stop,
            )  # fmt: skip
        except Interrupted as error:
            caught.append(error)

    thread = threading.Thread(target=train)
    thread.start()
    while thread.is_alive() and not (tmp_path / "run" / "history.csv").exists():
        thread.join(0.1)
    stop.set()
    thread.join(120)
    assert caught
    assert not thread.is_alive()
    assert list((tmp_path / "run" / "checkpoint").glob("*.npz"))
