"""The in-frame head against a loop over keys, and its probabilities against all frames."""

import itertools

import keras
import numpy as np
import pytest

from recipes.music.losses import FrameLoss, frame_nats
from recipes.music.nade import NADE, Bernoulli

KEYS = 6


def head(notes=KEYS, activation="tanh", kind=NADE):
    """A head with weights large enough for each of them to matter."""
    rng = np.random.default_rng(5)
    layer = NADE(4, KEYS, notes, activation, name="head") if kind is NADE else Bernoulli(KEYS)
    layer.build((None, 3), (None, KEYS))
    layer.set_weights([rng.normal(0, 1, weight.shape) for weight in layer.weights])
    return layer


def all_frames(keys=KEYS):
    return np.array(list(itertools.product([0, 1], repeat=keys)), "float32")


def reference(layer, state, frame):
    """The equation of the docstring, a key at a time."""
    kernel, bias = (weight.numpy().astype(float) for weight in layer.given.weights)
    both = state @ kernel + bias
    hidden, base = both[: layer.hidden], both[layer.hidden :]
    below, out = layer.below.numpy(), layer.out.numpy()
    logits = np.empty(KEYS)
    for i in range(KEYS):
        lower = [j for j in range(i) if frame[j]][: layer.notes]
        act = hidden + sum((below[j] for j in lower), np.zeros(layer.hidden))
        act = {"tanh": np.tanh, "relu": lambda x: np.maximum(x, 0)}[layer.activation.__name__](act)
        logits[i] = base[i] + out[:, i] @ act
    return logits


@pytest.mark.parametrize(("notes", "activation"), [(KEYS, "tanh"), (2, "tanh"), (3, "relu")])
def test_logits_are_those_of_the_equation_key_by_key(notes, activation):
    layer, frames = head(notes, activation), all_frames()
    state = np.random.default_rng(1).normal(0, 1, (len(frames), 3)).astype("float32")
    logits = layer(state, frames).numpy()
    expected = [reference(layer, s, f) for s, f in zip(state, frames, strict=True)]
    np.testing.assert_allclose(logits, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("notes", [1, KEYS])
@pytest.mark.parametrize("kind", [NADE, Bernoulli])
def test_the_probabilities_of_all_frames_add_up_to_one(notes, kind):
    frames = all_frames()
    state = np.repeat(np.random.default_rng(1).normal(0, 1, (1, 3)), len(frames), axis=0)
    nats = frame_nats(frames, head(notes, kind=kind)(state.astype("float32"), frames))
    assert float(np.exp(-nats.numpy()).sum()) == pytest.approx(1, abs=1e-5)


def test_a_key_depends_on_those_below_it_and_on_no_other():
    layer = head()
    state = np.ones((1, 3), "float32")
    for frame in all_frames():
        logits = layer(state, frame[None]).numpy()[0]
        for key in range(KEYS):
            other = frame.copy()
            other[key] = 1 - other[key]
            changed = layer(state, other[None]).numpy()[0]
            np.testing.assert_allclose(changed[: key + 1], logits[: key + 1], rtol=1e-5)
            assert (np.abs(changed[key + 1 :] - logits[key + 1 :]) > 1e-5).all()


def test_keys_of_a_bernoulli_head_do_not_depend_on_each_other():
    layer, frames = head(kind=Bernoulli), all_frames()
    logits = layer(np.ones((len(frames), 3), "float32"), frames).numpy()
    assert np.ptp(logits, axis=0).max() == 0
    assert np.ptp(logits, axis=1).min() > 0.1


@pytest.mark.parametrize("kind", [NADE, Bernoulli])
@pytest.mark.parametrize("notes", [1, KEYS])
def test_above_gives_the_logits_of_keys_that_may_still_come(kind, notes):
    layer = head(notes, kind=kind)
    state = np.full((1, 3), 0.5, "float32")
    for frame in all_frames():
        whole = layer(state, frame[None]).numpy()[0]
        for key in range(KEYS):
            begun = np.where(np.arange(KEYS) < key, frame, 0)[None]  # nothing from `key` on yet
            assert layer.above(state, begun).numpy()[0, key] == pytest.approx(whole[key], abs=1e-5)


def test_time_is_one_more_axis():
    layer, frames = head(), all_frames()
    state = np.random.default_rng(2).normal(0, 1, (8, 8, 3)).astype("float32")
    together = layer(state, frames.reshape(8, 8, KEYS)).numpy()
    apart = layer(state.reshape(64, 3), frames).numpy()
    np.testing.assert_allclose(together.reshape(64, KEYS), apart, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("kind", [NADE, Bernoulli])
def test_a_head_is_restored_from_its_config(kind):
    layer = head(2, "relu", kind)
    copy = type(layer).from_config(layer.get_config())
    copy.build((None, 3), (None, KEYS))
    copy.set_weights(layer.get_weights())
    frames = all_frames()
    state = np.ones((len(frames), 3), "float32")
    np.testing.assert_array_equal(copy(state, frames), layer(state, frames))


def test_the_loss_is_the_mean_over_real_frames_of_the_sum_over_keys():
    logits = np.array([[[0.0, 2.0], [1.0, -1.0], [9.0, 9.0]]], "float32")
    # A chord, silence, padding.
    truth = np.array([[[0, 1, 1], [0, 0, 1], [0, 0, 0]]], "float32")
    first = np.log(2) + np.log1p(np.exp(-2.0))
    second = np.log1p(np.exp(1.0)) + np.log1p(np.exp(-1.0))
    assert float(FrameLoss()(truth, logits)) == pytest.approx((first + second) / 2, rel=1e-6)


def test_the_loss_stays_finite_and_exact_for_sure_predictions():
    truth = np.array([[[1, 0, 1]]], "float32")
    sure = np.array([[[200.0, -200.0]]], "float32")
    assert float(FrameLoss()(truth, sure)) == pytest.approx(0, abs=1e-6)
    assert float(FrameLoss()(truth, -sure)) == pytest.approx(400, rel=1e-6)


def test_the_loss_is_restored_by_name():
    again = keras.losses.deserialize(keras.losses.serialize(FrameLoss()))
    assert isinstance(again, FrameLoss)
