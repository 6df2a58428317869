"""What `python -m benchmarks recovery` measures with: moments, kills, comparison."""

import json
import shutil
import sys
import time

import keras
import numpy as np
import pytest

from benchmarks import cases, disturb, moments, recovery
from benchmarks.compare import differences
from benchmarks.disturb import Aim, Event
from zoo.errors import ZooError


@pytest.fixture
def reference(tmp_path):
    """Something like a complete run."""
    run = tmp_path / "reference"
    run.mkdir()
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    model.compile("adam", "mse", jit_compile=False)
    model.train_on_batch(np.ones((1, 3)), np.ones((1, 2)))
    for name in ("model-best.keras", "model-last.keras"):
        model.save(run / name)
    for name in ("config.json", "data.json", "assets.json", "history.csv", "card.md"):
        (run / name).write_text("{}")
    metrics = {"test": {"f1": 0.5}, "train_seconds": 3.0, "input_wait": 0.1, "padding": 0.2}
    (run / "metrics.json").write_text(json.dumps(metrics))
    return run


def reorder(run):
    """Changes a value that only the optimizer has, by one unit in the last place."""
    model = keras.models.load_model(run / "model-last.keras")
    moment = model.optimizer.variables[-1]
    moment.assign(np.nextafter(np.asarray(moment), np.float32(1)))
    model.save(run / "model-last.keras")


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (reorder, "model-last.keras optimizer/vars/"),
        (lambda run: (run / "history.csv").write_text("{} "), "history.csv differs"),
        (lambda run: (run / "metrics.json").write_text('{"test": {"f1": 0.4}}'), "metrics.json"),
        (lambda run: (run / "card.md").unlink(), "card.md is missing"),
        (lambda run: (run / ".card.md.1.part.md").touch(), ".card.md.1.part.md is left over"),
        (lambda run: (run / "checkpoint").mkdir(), "checkpoint is left over"),
        (lambda run: (run / "model-best.keras").unlink(), "model-best.keras is missing"),
    ],
)
def test_each_difference_is_found(reference, tmp_path, change, line):
    run = tmp_path / "run"
    shutil.copytree(reference, run)
    metrics = json.loads((run / "metrics.json").read_text())
    (run / "metrics.json").write_text(
        json.dumps(metrics | {"train_seconds": 9.0, "input_wait": 0.3})
    )
    assert differences(run, reference) == []  # the clock is none of them
    change(run)
    (difference,) = differences(run, reference)
    assert difference.startswith(line)


def test_moments_are_drawn_from_the_seed_in_every_phase():
    plan = moments.plan(20, 3)
    assert plan == moments.plan(20, 3)
    assert plan != moments.plan(20, 4)
    counts = [sum(kill.phase == phase for kill in plan) for phase in moments.PHASES]
    assert sum(counts) == 20
    assert set(counts) == {3, 4}
    # Those at any moment: one in each quarter of the time.
    assert [int(4 * kill.where) for kill in plan if kill.phase == "any"] == [0, 1, 2, 3]


SEEN = [
    Event(1.0, "assets.json", True),
    Event(2.0, "checkpoint/.00000-00000009.npz.part.npz", True),
    Event(2.5, "checkpoint/.00000-00000009.npz.part.npz", False),
    Event(3.0, "checkpoint/00001-00000000.npz", True),
    Event(5.0, "checkpoint/00002-00000000.npz", True),
    Event(6.0, "curves.png", True),
]


@pytest.mark.parametrize(
    ("phase", "where", "nth", "delay"),
    [
        ("any", 0.5, 0, 4.0),  # half of 8 seconds
        ("steps", 0.0, 1, 1.0),  # half of the first epoch, 1 to 3
        ("steps", 0.9, 2, 1.0),  # half of the second, 3 to 5
        ("checkpoint", 0.9, 1, 0.25),
        ("evaluation", 0.0, 1, 1.0),  # from 6 to the end
    ],
)
def test_a_moment_is_aimed_at_by_what_was_seen(phase, where, nth, delay):
    aim = moments.aim(moments.Kill(phase, where, 0.5), SEEN, 8.0)
    assert (aim.pattern, aim.nth, aim.delay) == (moments.PHASES[phase], nth, delay)


def test_a_phase_that_never_came_is_an_error():
    with pytest.raises(ZooError, match="No export was seen"):
        moments.aim(moments.Kill("export", 0.5, 0.5), SEEN, 8.0)


WRITER = """
import pathlib, sys, time
from zoo import files
folder = pathlib.Path(sys.argv[1])
for number in range(3):
    with files.atomic_write(folder / f"checkpoint/0000{number}-00000000.npz") as temporary:
        temporary.write_text("half")
        time.sleep(0.2)
time.sleep(60)
"""


def test_a_kill_comes_in_the_middle_of_the_chosen_write(tmp_path):
    (tmp_path / "checkpoint").mkdir()
    (tmp_path / "checkpoint" / "00007-00000000.npz").touch()  # of before: does not count
    aim = Aim(r"checkpoint/\.0.*", 2, 0.05)
    began = time.monotonic()
    outcome = disturb.watch([sys.executable, "-c", WRITER, str(tmp_path)], tmp_path, aim)
    assert outcome.killed
    assert outcome.seconds <= time.monotonic() - began < 30
    assert outcome.remaining == [
        *("checkpoint", "checkpoint/.00001-00000000.npz.part.npz"),
        *("checkpoint/00000-00000000.npz", "checkpoint/00007-00000000.npz"),
    ]
    times = [event.seconds for event in outcome.events if event.name.endswith(".part.npz")]
    assert times == sorted(times)
    assert len(times) == 3  # appeared, disappeared, appeared


@pytest.mark.parametrize(
    ("program", "well"),
    [
        ("import sys; sys.exit('Error: the disk is full.')", True),
        ("import sys; print('Error: why', file=sys.stderr); sys.exit(2)", False),
        ("import sys; sys.exit('Error: one\\nError: two')", False),
        ("raise SystemExit", False),
        ("1 / 0", False),
    ],
)
def test_a_failure_is_exit_code_1_and_one_line(tmp_path, program, well):
    assert disturb.watch([sys.executable, "-c", program], tmp_path).failed_cleanly is well


def test_what_hangs_is_ended(tmp_path, monkeypatch):
    monkeypatch.setattr(disturb, "LIMIT", 0.3)
    with pytest.raises(ZooError, match="did not end within"):
        disturb.watch([sys.executable, "-c", "import time; time.sleep(60)"], tmp_path)


@pytest.mark.parametrize("damage", [disturb.cut, disturb.flip])
def test_damage_damages(reference, damage):
    from zoo import files

    path = reference / "model-best.keras"
    assert files.verify_archive(path) is None
    damage(path)
    assert files.verify_archive(path)
    assert "missing" in files.verify_archive(reference / "none")


def test_a_run_with_fewer_checkpoints_is_killed_earlier(tmp_path, monkeypatch):
    tried = []

    def watch(command, folder, aim):
        tried.append((aim.nth, aim.delay))
        folder.mkdir(exist_ok=True)
        code = -9 if aim.nth <= 8 else 0  # it makes eight checkpoints
        return disturb.Outcome(code, "", "", 1.0, None, [], [])

    monkeypatch.setattr(cases, "watch", watch)
    assert cases._kill([], tmp_path / "run", Aim("x", 33, 0.8)).killed
    assert tried == [(33, 0.8), (16, 0.4), (8, 0.2)]


@pytest.mark.slow
def test_every_run_recovers(tmp_path, monkeypatch):
    """All cases, on the sample of a recipe; some minutes."""
    monkeypatch.setattr(recovery, "EVERY", 0)  # a checkpoint after each step: there are few
    settings = {"epochs": "6", "batch_size": "2", "units": "8", "embedding": "8"}
    result = recovery.recovery(
        "imdb-gru", tmp_path / "r.json", kills=6, data="sample", settings=settings, jobs=2
    )
    assert [case["differences"] for case in result["cases"] if case["equal"] is False] == []
    assert result["equal"] == result["all"] >= 18
    assert json.loads((tmp_path / "r.json").read_text()) == result
