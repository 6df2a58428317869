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


END = "An estimate of the time follows after the first steps."


def test_a_fresh_machine_is_told_what_is_downloaded(lines):
    assert lines() == (
        "letters-gru trains for at most 3 epochs on letters (large): 84.1 MB to download "
        f"(if not available: 13.3 MB). {END}"
    )
    assert lines("small") == (
        "letters-gru trains for at most 3 epochs on letters (small): 13.3 MB to download. " + END
    )
    with pytest.raises(UsageError, match="Unknown source 'smal'"):
        lines("smal")


def test_what_is_here_is_not_downloaded(lines):
    assert lines(ready=["small"]) == (
        "letters-gru trains for at most 3 epochs on letters (large): 84.1 MB to download "
        f"(if not available: letters (small) on this machine). {END}"
    )
    assert lines(ready=["large"]) == (
        "letters-gru trains for at most 3 epochs on letters (large), which is on this machine. "
        + END
    )


def test_custom_data_and_samples_have_a_plan_too(lines, tmp_path):
    begin = "letters-gru trains for at most 3 epochs on"
    own = tmp_path / "own" / "train.csv"
    own.parent.mkdir()
    own.write_text("text\n" + 350_000 * "a\n")
    assert lines(str(own)) == f"{begin} train.csv (0.7 MB). {END}"
    assert lines(own.parent) == f"{begin} own (0.7 MB). {END}"
    assert lines({"text": ["a"]}) == f"{begin} data in memory. {END}"
    assert lines("sample") == f"{begin} a built-in sample of a few rows."


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (2.0, "  about 3 min per epoch on this machine, 10 min until the end of epoch 3"),
        (0.5, "  about 50 s per epoch on this machine, 2 min until the end of epoch 3"),
        (90.0, "  about 2 h per epoch on this machine, 7 h until the end of epoch 3"),
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
