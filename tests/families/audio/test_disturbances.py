"""What makes a network hear other voices: no offset, no loudness, voices made of others."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

import zoo
from recipes.audio import mixing
from recipes.audio.features import (
    WARP,
    LogMel,
    PrecomputedFeatures,
    evenly_spaced,
    features_of,
    heard,
    learn_features,
    warped_mel,
)
from recipes.audio.layers import SpectralShape, StackFrames
from zoo.assets import Assets


def tone(seconds=0.5, rate=8000, hertz=440.0, loud=0.5):
    return (loud * np.sin(2 * np.pi * hertz * np.arange(int(seconds * rate)) / rate)).astype("f4")


@pytest.fixture
def generator():
    return np.random.default_rng(0)


@pytest.mark.parametrize("offset", [0.02, 0.05, -0.2, 1.0])
def test_a_constant_is_not_heard(offset, generator):
    # Soft at both ends, where a constant is loud beside it.
    sound = tone(0.4, loud=0.2) * np.hanning(3200).astype("f4")
    sound += generator.normal(0, 1e-3, 3200).astype("f4")
    with_offset = np.zeros((1, 4000), "f4")
    with_offset[0, :3200] = sound + np.float32(offset)
    with_offset[0, 3200:] = 0.7  # behind the length, anything
    (expected,), _ = LogMel(40)(tf.constant([sound]), tf.constant([3200]))
    (found,), silent = LogMel(40)(tf.constant(with_offset), tf.constant([3200]))
    np.testing.assert_allclose(found, expected, atol=2e-3)
    assert not silent.numpy().any()
    constant = tf.fill([1, 4000], float(offset))
    assert LogMel(40)(constant, tf.constant([4000]))[1].numpy().all()  # it is silence


def test_what_is_softer_than_the_range_is_as_soft():
    sound = np.concatenate([tone(0.2), tone(0.2, loud=0.01), tone(0.2, loud=0.001)])  # -34, -54 dB
    wide, narrow = (LogMel(40, decades).rows([sound])[0].max(axis=1) for decades in (8.0, 4.0))
    np.testing.assert_allclose(wide[[10, 30, 50]], [1, 1 - 3.4 / 4, 1 - 5.4 / 4], atol=0.01)
    np.testing.assert_allclose(narrow[[10, 30, 50]], [1, 1 - 3.4 / 2, -1], atol=0.02)


def test_the_range_is_kept_with_a_run_and_that_of_earlier_ones_is_wide():
    train = {"audio": [tone(0.1)]}
    for unheard, decades in ((False, 8), (True, 4)):
        assets = Assets(learn_features(train, unheard))
        assert features_of(assets, 20).decades == decades
    assert features_of(Assets({"given": None}), 20).decades == 8


def test_bands_of_another_voice_lie_at_its_frequencies():
    usual = LogMel(40)._mel.numpy()
    np.testing.assert_allclose(warped_mel(40, 1.0), usual, atol=1e-5)
    assert np.array_equal(warped_mel(40, 1.101), warped_mel(40, 1.1))
    lower, higher = (tone(hertz=hertz) for hertz in (1000, 1100))
    sound, other = LogMel(40).rows([lower, higher])
    (warped,) = LogMel(40).rows([lower], [1.1])
    assert warped[20].argmax() == other[20].argmax() != sound[20].argmax()
    np.testing.assert_allclose(*LogMel(40).rows([lower] * 2, [1.0] * 2), atol=1e-6)
    for warp in (0.8, 1.25):  # the highest frequencies stay within
        assert warped_mel(40, warp).sum(axis=0).min() > 0


def test_sound_is_heard_as_of_vocal_tracts_of_several_lengths(generator):
    sounds = [generator.normal(0, 0.1, size).astype("f4") for size in (900, 2400)]
    audio = np.full((3, 2500), 0.5, "f4")  # behind the length, anything
    for row, sound in zip(audio, sounds, strict=False):
        row[: len(sound)] = sound
    inputs = tf.constant(audio), tf.constant([900, 2400, 0])
    mel, warps = LogMel(20), evenly_spaced(WARP, 5)
    assert warps[2] == 1
    np.testing.assert_allclose(warps, 1 / np.array(warps[::-1]))
    features, silent = mel.tracts(*inputs, warps)
    assert features.shape == (5, 3, 30, 20)
    assert silent.numpy().tolist() == [False, False, True]
    for place, warp in enumerate(warps):
        for row, frames in enumerate(mel.rows(sounds, [warp] * 2)):
            np.testing.assert_allclose(features[place, row, : len(frames)], frames, atol=1e-4)
            assert not features[place, row, len(frames) :].numpy().any()  # padding

    def network(frames):
        return tf.reduce_max(frames[:, :, 3:5], axis=1) ** 2

    expected = np.mean([network(part) for part in features], axis=0)
    found, _ = heard(mel, network, *inputs, 5)
    np.testing.assert_allclose(found, expected, atol=1e-6)
    once, _ = heard(mel, network, *inputs)
    np.testing.assert_array_equal(once, network(mel(*inputs)[0]))
    assert np.abs(found - once)[:2].max() > 0.01


def test_sound_is_heard_at_several_tempos():
    sound = np.concatenate([tone(0.2, hertz=400), tone(0.1, hertz=2000)])
    inputs = tf.constant([sound]), tf.constant([2400])
    sizes, places = [], []

    def network(frames):
        sizes.append(int(tf.shape(frames)[1]))
        places.append(int(np.argmax(frames[0, :, 15]) > sizes[-1] / 2))
        return tf.reduce_sum(frames, axis=1)

    found, silent = heard(LogMel(20), network, *inputs, 1, 3)
    assert sizes == [-(-2400 // hop) for hop in (69, 80, 93)]
    assert places == [1, 1, 1]  # what is said later stays later
    hops = [LogMel(20).tracts(*inputs, [1.0], hop)[0][0] for hop in (69, 80, 93)]
    np.testing.assert_allclose(found, np.mean([network(x) for x in hops], axis=0), rtol=1e-5)
    assert not silent.numpy().any()


def test_features_that_are_given_are_heard_once():
    given = PrecomputedFeatures([0.0, 1.0], [1.0, 2.0])
    values = tf.random.stateless_normal([2, 4, 2], (0, 1)), tf.constant([4, 2])
    found, silent = heard(given, lambda frames: frames, *values, 5, 3)
    np.testing.assert_array_equal(found, given(*values)[0])
    assert not silent.numpy().any()


def test_soft_ends_are_cut_off():
    sound = np.concatenate([tone(0.1, loud=0.004), tone(0.2), tone(0.1, loud=0.02)])
    assert len(mixing.trimmed(sound, 20.0)) == 1600
    assert len(mixing.trimmed(sound, 35.0)) == 2400
    assert len(mixing.trimmed(sound, 60.0)) == 3200
    assert mixing.trimmed(sound[:500], 20.0) is not None
    assert len(mixing.trimmed(np.zeros(4000, "f4"), 20.0)) == 4000


def test_noise_may_be_hum_or_hiss(generator):
    for pole, louder in ((0.9, slice(0, 2000)), (-0.6, slice(2000, 4000))):
        noise = mixing.with_noise(np.zeros(8000, "f4"), 0.1, generator, (20, 20), (pole, pole))
        assert mixing.rms(noise) == pytest.approx(0.01, rel=1e-3)
        power = np.square(np.abs(np.fft.rfft(noise)))[:4000]
        assert power[louder].sum() > 0.8 * power.sum()


def test_the_tempo_changes_and_the_bands_do_not(generator):
    (frames,) = LogMel(20).rows([np.concatenate([tone(0.5), tone(0.5, hertz=1500)])])
    sizes = set()
    for _ in range(9):
        changed = mixing.retimed(frames, generator)
        sizes.add(len(changed))
        assert changed[len(changed) // 4].argmax() == frames[25].argmax()
        assert changed[-len(changed) // 4].argmax() == frames[75].argmax()
        assert np.array_equal(changed[[0, -1]], frames[[0, -1]])
    assert len(sizes) > 5
    assert 86 <= min(sizes) <= max(sizes) <= 117
    assert len(mixing.retimed(frames[:1], generator)) == 1


def test_another_microphone_colours_all_frames_alike(generator):
    frames = generator.uniform(-0.5, 0.9, (30, 20)).astype("f4")
    changed = mixing.coloured(frames, generator, 8.0)
    difference = changed - frames
    np.testing.assert_allclose(difference, np.broadcast_to(difference[0], (30, 20)), atol=1e-5)
    assert np.ptp(difference[0]) > 0.02
    assert changed.max() == pytest.approx(1)


def test_the_shape_of_a_spectrum_does_not_depend_on_loudness_or_microphone(generator):
    layer = SpectralShape()
    frames = generator.uniform(-0.2, 0.9, (1, 40, 12)).astype("f4")
    frames[0, ::2] += 0.8  # of which it takes the mean
    shape = layer(frames)[..., :12].numpy()
    np.testing.assert_allclose(shape.mean(axis=2), 0, atol=1e-4)
    np.testing.assert_allclose(shape[0, ::2].mean(axis=0), 0, atol=1e-4)
    curve = generator.uniform(-0.1, 0.1, 12).astype("f4")
    softer = frames + curve - 0.1
    np.testing.assert_allclose(layer(softer)[..., :12], shape, atol=1e-4)
    loud = layer(frames).numpy()[0, :, 12]
    assert (loud[::2] > loud[1::2].max()).all()
    change = layer(frames).numpy()[0, 1:-1, 13]
    np.testing.assert_allclose(change, 1.5 * (loud[2:] - loud[:-2]), atol=1e-5)


def test_padding_and_silence_are_told_apart():
    layer, stack = SpectralShape(), StackFrames(2)
    frames = np.zeros((2, 8, 5), "f4")
    frames[0, :6] = np.random.default_rng(1).uniform(-1, 1, (6, 5))
    frames[1, :3] = -1  # silence: all frames and bands alike
    found = layer(frames)
    assert found.shape == (2, 8, 7)
    assert np.array_equal((found.numpy() != 0).all(axis=2), (frames != 0).any(axis=2))
    assert stack.compute_mask(found).numpy().sum(axis=1).tolist() == [3, 2]
    np.testing.assert_allclose(found[:1, :6], layer(frames[:1, :6]), atol=1e-6)
    assert SpectralShape.from_config(layer.get_config()).compute_output_shape((2, None, 5))[2] == 7


def test_voices_are_drawn_from_the_seed_alone():
    examples = {"audio": [tone(0.3, hertz=300 + 90 * n) for n in range(5)]}
    disturbed = {**examples, "disturbed": [mixing.UNHEARD] * 5}
    encoder = LogMel(20)
    plain = mixing.frames_of(encoder, examples, (0, 1))
    one, again, other = (
        mixing.frames_of(encoder, disturbed, seed) for seed in ((0, 1),) * 2 + ((0, 2),)
    )
    for row, same in zip(one, again, strict=True):
        assert np.array_equal(row, same)
        assert row.any(axis=1).all()  # no frame that looks like padding
    assert [len(row) for row in one] != [len(row) for row in other]
    assert [len(row) for row in plain] == [30] * 5


@pytest.mark.parametrize("name", ["digits-gru", "digits-ctc"])
def test_voices_that_were_never_heard_are_a_setting(name):
    recipe = zoo.get_recipe(name)
    sample = recipe.dataset.sample()
    lengths = {}
    for voices in ("heard", "unheard"):
        config = dataclasses.replace(recipe.config, voices=voices, units=4, layers=1)
        assets = recipe.prepare(config, sample)
        batches = recipe.batches(config, assets, recipe.augment(config, sample)).renew(0, 1)
        frames = batches.take(np.arange(4))[0]
        lengths[voices] = frames.shape[1]
        model = recipe.build(config, assets)
        assert assets.encoder.decades == (4 if voices == "unheard" else 8)
        assert np.isfinite(model(frames)).all()
    assert lengths["heard"] != lengths["unheard"]
