"""What `zoo train` says before it reads anything, and how long it says that it takes."""

from types import SimpleNamespace

import pytest

from zoo.data import Dataset, File, Urls
from zoo.errors import UsageError
from zoo.training import callbacks
from zoo.training.callbacks import Progress
from zoo.training.checkpoint import State
from zoo.training.plan import plan


def source(name, size):
    file = File(f"http://nowhere.invalid/{name}.txt", "0" * 64, size)
    return Urls((file,), f"letters ({name})", lambda paths: ({}, []), key=name)


@pytest.fixture
def lines(tmp_path, monkeypatch):
    """Plans of a recipe with two sources, the second of which may be on this machine."""
    monkeypatch.setenv("ZOO_HOME", str(tmp_path / "home"))
    sources = (source("large", 84_125_825), source("small", 13_299_682))
    dataset = Dataset(
        name="letters", columns={"text": "a text"}, sources=sources, licence="", sample=dict
    )

    def make(data=None, ready=()):
        for each in sources:
            path = tmp_path / "home" / "data" / "nowhere.invalid" / f"{each.key}.txt"
            if each.key in ready:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.touch()
        # The data may depend on the settings.
        recipe = SimpleNamespace(name="letters-gru", data=lambda config: config.data)
        return plan(recipe, SimpleNamespace(epochs=3, data=dataset), data)

    return make


def test_a_fresh_machine_is_told_what_is_downloaded(lines):
    assert lines() == [
        "letters-gru trains for 3 epochs at most. Data, of the first source that answers:",
        "  letters (large): 84.1 MB to download",
        "  letters (small): 13.3 MB to download",
    ]
    assert lines("small")[1:] == ["  letters (small): 13.3 MB to download"]
    with pytest.raises(UsageError, match="Unknown source 'smal'"):
        lines("smal")


def test_what_is_here_is_not_downloaded(lines):
    assert lines(ready=["small"])[1:] == [
        "  letters (large): 84.1 MB to download",
        "  on this machine: letters (small)",
    ]
    (line,) = lines(ready=["large"])
    assert line.endswith("3 epochs at most on letters (large), which is on this machine.")


def test_custom_data_need_no_plan(lines, tmp_path):
    (tmp_path / "own.csv").write_text("text\na\n")
    assert lines(str(tmp_path / "own.csv")) == lines("sample") == lines({"text": ["a"]}) == []


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (2.0, "  about 3 min an epoch on this machine, 10 min until the last of 3 ends"),
        (0.5, "  about 50 s an epoch on this machine, 2 min until the last of 3 ends"),
        (90.0, "  about 2 h an epoch on this machine, 7 h until the last of 3 ends"),
    ],
)
def test_the_first_steps_tell_how_long_it_takes(monkeypatch, capsys, seconds, said):
    clock = SimpleNamespace(now=0.0)
    monkeypatch.setattr(callbacks.time, "monotonic", lambda: clock.now)
    progress, state = Progress(epochs=3, steps=100), State()
    clock.now = 1000.0  # while the first step is compiled
    for state.step in range(1, 100):
        progress.step(state, {})
        clock.now += seconds
    assert capsys.readouterr().out.splitlines() == [said]


def test_a_training_of_seconds_is_not_estimated(monkeypatch, capsys):
    clock = SimpleNamespace(now=0.0)
    monkeypatch.setattr(callbacks.time, "monotonic", lambda: clock.now)
    progress, state = Progress(epochs=3, steps=100), State()
    for state.epoch in range(3):  # of 4 seconds each
        for state.step in range(1, 101):
            progress.step(state, {})
            clock.now += 0.04
    assert not capsys.readouterr().out


def test_the_time_that_is_left_is_that_of_the_epoch(monkeypatch, capsys):
    clock = SimpleNamespace(now=0.0)
    monkeypatch.setattr(callbacks.time, "monotonic", lambda: clock.now)
    progress, state = Progress(epochs=2, steps=4), State()
    progress.terminal = True
    for state.epoch in range(2):
        for state.step in range(1, 5):
            progress.step(state, {})
            clock.now += 1.0
        clock.now += 1000.0  # validation
    # After three steps of the second epoch, of which two were timed.
    (line,) = [
        each for each in capsys.readouterr().out.split("\r") if "3/4" in each and "2/2" in each
    ]
    assert line.split()[-3:-1] == ["1", "s"]
