import dataclasses
import os

import keras
import numpy as np
import pytest

from zoo.errors import ZooError
from zoo.scores import Monitor
from zoo.training import checkpoint


def model(seed=0):
    keras.utils.set_random_seed(seed)
    inputs = keras.Input((3,))
    x = keras.layers.Dropout(0.5)(keras.layers.Dense(4)(inputs))
    made = keras.Model(inputs, keras.layers.Dense(1)(x))
    made.compile(keras.optimizers.Adam(0.1), "mse", metrics=["mae"], jit_compile=False)
    made.optimizer.build(made.trainable_variables)
    return made


X = np.random.default_rng(0).normal(size=(8, 3)).astype("float32")
Y = X.sum(1, keepdims=True)

STATE = checkpoint.State(
    epoch=3, step=7, best=0.1 + 0.2, best_epoch=2, stale=1, seconds=1.5,
    history=[{"epoch": 1, "loss": 1 / 3}],
)  # fmt: skip


def values(made):
    chosen = [*made.variables, *made.optimizer.variables, *made.metrics_variables]
    return [np.asarray(variable) for variable in chosen]


def test_everything_comes_back(tmp_path):
    first = model()
    for _ in range(3):
        first.train_on_batch(X, Y)
    checkpoint.save(tmp_path, first, STATE)
    state, read, notes = checkpoint.newest(tmp_path)
    assert state == STATE  # floats to the last bit
    assert notes == []

    second = model(seed=9)
    second.test_on_batch(X, Y)  # makes the metrics' variables
    checkpoint.restore(second, read, metrics=False)
    checkpoint.restore(second, read, metrics=True)
    for ours, theirs in zip(values(second), values(first), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    # Dropout's generator and Adam's moments too: the next step is the same.
    first.train_on_batch(X, Y)
    second.train_on_batch(X, Y)
    for ours, theirs in zip(values(second), values(first), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_of_equal_scores_the_lower_loss_is_better():
    accuracy, state = Monitor("val_accuracy", better="higher"), checkpoint.State()
    seen = []
    for score, loss in [(0.5, 1.0), (0.5, 0.9), (0.5, 0.9), (0.4, 0.1), (0.5, None), (0.6, 2.0)]:
        state.epoch += 1
        seen.append(state.observe(score, accuracy, loss))
    assert seen == [True, True, False, False, False, True]
    assert (state.best_epoch, state.best_loss, state.stale) == (6, 2.0, 0)


def test_the_newest_two_are_kept(tmp_path):
    made = model()
    for epoch, step in ((0, 9), (0, 100), (1, 0), (1, 5)):
        checkpoint.save(tmp_path, made, dataclasses.replace(STATE, epoch=epoch, step=step))
    assert sorted(os.listdir(tmp_path)) == ["00001-00000000.npz", "00001-00000005.npz"]
    assert checkpoint.newest(tmp_path)[0].step == 5


def test_nothing_is_nothing(tmp_path):
    assert checkpoint.newest(tmp_path) is None
    assert checkpoint.newest(tmp_path / "none") is None


def cut(content):
    return content[: len(content) // 2]


def flip(content):
    # A ZIP's checksums do not cover its own headers, so a byte of a part is changed.
    place = next(content.index(mark) for mark in (b"NUMPY", b"HDF") if mark in content)
    return content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :]


@pytest.mark.parametrize("damage", [cut, flip, lambda content: b"", lambda content: b"no zip"])
def test_a_damaged_one_is_passed_over_and_said(tmp_path, damage):
    made = model()
    for step in (1, 2):
        checkpoint.save(tmp_path, made, dataclasses.replace(STATE, step=step))
    newest, older = (tmp_path / f"00003-0000000{step}.npz" for step in (2, 1))
    newest.write_bytes(damage(newest.read_bytes()))
    state, read, notes = checkpoint.newest(tmp_path)
    assert state.step == 1
    assert read
    (note,) = notes
    assert newest.name in note
    assert "\n" not in note
    assert "using the one before it" in note

    older.write_bytes(damage(older.read_bytes()))
    state, read, notes = checkpoint.newest(tmp_path)
    assert state == checkpoint.State()
    assert read == []
    assert len(notes) == 2
    assert "starting from the beginning" in notes[-1]


def test_no_flipped_bit_changes_a_value_unnoticed(tmp_path):
    checkpoint.save(tmp_path, model(), STATE)
    (path,) = tmp_path.iterdir()
    content = path.read_bytes()
    _, whole, _ = checkpoint.newest(tmp_path)
    noticed = 0
    for place in range(0, len(content), 23):  # headers, names, states, arrays, directory
        flipped = bytearray(content)
        flipped[place] ^= 1 << place % 8
        path.write_bytes(flipped)
        state, read, notes = checkpoint.newest(tmp_path)
        noticed += bool(notes)
        if not notes:  # a date, for example
            assert state == STATE
            for ours, theirs in zip(read, whole, strict=True):
                np.testing.assert_array_equal(ours, theirs)
    assert noticed > len(content) / 23 / 2


def test_damaged_ones_of_later_do_not_displace_new_ones(tmp_path):
    made = model()
    for step in (5, 6):
        checkpoint.save(tmp_path, made, dataclasses.replace(STATE, step=step))
    for path in tmp_path.iterdir():
        path.write_bytes(b"damaged")
    checkpoint.save(tmp_path, made, dataclasses.replace(STATE, epoch=0, step=2))
    state, _, notes = checkpoint.newest(tmp_path)
    assert (state.epoch, state.step, notes) == (0, 2, [])


@pytest.fixture
def written(tmp_path):
    """A model after an epoch that was the best, and its files."""
    made = model()
    made.train_on_batch(X, Y)
    for name in ("model-last.keras", "model-best.keras"):
        made.save(tmp_path / name)
    return made, dataclasses.replace(STATE, step=0, stale=0), tmp_path


def test_whole_models_are_left_alone(written):
    made, state, folder = written
    before = {path: path.stat().st_mtime_ns for path in folder.iterdir()}
    assert checkpoint.repair(folder, made, state) == []
    assert {path: path.stat().st_mtime_ns for path in folder.iterdir()} == before


@pytest.mark.parametrize("damage", [cut, flip])
def test_damaged_models_are_written_again(written, damage, weights):
    def content(path):
        return {place: (str(x.dtype), x.shape, x.tobytes()) for place, x in weights(path).items()}

    made, state, folder = written
    last, best = folder / "model-last.keras", folder / "model-best.keras"
    whole = content(last)
    for path in (last, best):
        path.write_bytes(damage(path.read_bytes()))
    notes = checkpoint.repair(folder, made, state)
    assert [note.split()[0] for note in notes] == [last.name, best.name]
    assert content(last) == content(best) == whole


def test_best_weights_that_nothing_else_holds_are_not_made_up(written):
    made, state, folder = written
    (folder / "model-best.keras").unlink()
    later = dataclasses.replace(state, stale=1)
    with pytest.raises(ZooError, match=r"model-best.keras is damaged \(it is missing\).* epoch 2"):
        checkpoint.repair(folder, made, later)
    (folder / "model-last.keras").write_bytes(b"")
    with pytest.raises(ZooError, match="start from scratch with --overwrite"):
        checkpoint.repair(folder, made, dataclasses.replace(state, step=3))
    assert checkpoint.repair(folder, made, checkpoint.State()) == []  # no epoch is complete yet


def test_a_full_disk_is_one_line_and_keeps_the_last(tmp_path, monkeypatch):
    made = model()
    checkpoint.save(tmp_path, made, STATE)

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(ZooError, match="No space left on device"):
        checkpoint.save(tmp_path, made, dataclasses.replace(STATE, step=8))
    assert os.listdir(tmp_path) == ["00003-00000007.npz"]
