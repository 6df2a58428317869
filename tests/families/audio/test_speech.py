"""Sound: reading it, its features, joining it, and the scores of transcriptions."""

import numpy as np
import pytest
import scipy.signal
import tensorflow as tf

from recipes.audio import features, mixing
from recipes.audio.baselines import segments
from recipes.audio.features import LogMel, PrecomputedFeatures, halved
from recipes.audio.metrics import transcription, word_errors
from zoo.errors import ZooError


def tone(seconds=0.5, rate=8000, hertz=440.0, loud=0.5):
    return (loud * np.sin(2 * np.pi * hertz * np.arange(int(seconds * rate)) / rate)).astype("f4")


def test_features_are_those_of_numpy():
    audio = np.concatenate([tone(0.3), tone(0.2, hertz=1500.0, loud=0.01)])
    output = LogMel(40).rows([audio])[0]
    assert output.shape == (50, 40)
    window = np.hanning(201)[:200]  # periodic
    mel = tf.signal.linear_to_mel_weight_matrix(40, 129, 8000, 60.0, 3800.0).numpy()
    whole = np.pad(audio, (0, 200))
    for frame in (0, 20, 35, 49):
        part = whole[80 * frame : 80 * frame + 200] * window
        power = np.abs(np.fft.rfft(part, 256)) ** 2 / 100**2
        logs = np.log10(np.maximum(power @ mel, 1e-30))
        top = (output[frame].max() - 1) * 4  # decades below the loudest of all
        expected = np.maximum(logs - logs.max() + top, -8)
        np.testing.assert_allclose((output[frame] - 1) * 4, expected, atol=1e-3)
    assert output.max() == 1
    assert output.min() >= -1
    # The tone lies in the band that is its own.
    assert output[10].argmax() == mel[round(440 / 8000 * 256)].argmax()


def test_features_do_not_depend_on_loudness_padding_or_other_rows():
    mel, quiet = LogMel(20), tone(0.25, loud=0.003)
    rows = np.zeros((3, 5000), "f4")
    rows[0, :2000], rows[1, :2000] = quiet, quiet * 100
    rows[2] = tone(0.625)
    rows[:2, 2000:] = 0.9  # behind the length, anything
    output, silent = mel(tf.constant(rows), tf.constant([2000, 2000, 5000]))
    assert output.shape == (3, 63, 20)
    np.testing.assert_allclose(output[0], output[1], atol=2e-3)
    assert (output.numpy()[:2, 25:] == 0).all()
    np.testing.assert_allclose(output[0, :25], mel.rows([quiet])[0], atol=1e-6)
    assert not silent.numpy().any()


def test_silence_and_nothing_are_a_frame_or_more_of_silence():
    output, silent = LogMel(20)(tf.zeros([2, 400]), tf.constant([400, 0]))
    assert silent.numpy().tolist() == [True, True]
    assert (output.numpy() == [[[-1.0]] * 5, [[-1.0]] + [[0.0]] * 4]).all()
    none, silent = LogMel(20)(tf.zeros([1, 0]), tf.constant([0]))
    assert none.shape == (1, 1, 20)
    assert silent.numpy().all()


def test_16_khz_are_halved_as_by_scipy():
    rng = np.random.default_rng(0)
    audio = rng.uniform(-1, 1, (2, 1601)).astype("f4")
    half, length = halved(tf.constant(audio), tf.constant([1601, 900]))
    assert length.numpy().tolist() == [801, 450]
    np.testing.assert_allclose(half[0], scipy.signal.resample_poly(audio[0], 1, 2), atol=1e-5)
    alone = scipy.signal.resample_poly(audio[1, :900], 1, 2)
    np.testing.assert_allclose(half[1, :450], alone, atol=1e-5)
    assert (half.numpy()[1, 450:] == 0).all()


def test_given_features_are_scaled_and_0_at_padding_alone():
    given = PrecomputedFeatures([1.0, 2.0], [2.0, 4.0])
    output, _ = given(
        tf.constant([[[1.0, 2.0], [3.0, 6.0]], [[9.0, 9.0]] * 2]), tf.constant([2, 0])
    )
    np.testing.assert_allclose(output, [[[1e-6, 1e-6], [1, 1]], [[1e-6, 1e-6], [0, 0]]])


def test_sequences_use_each_recording_of_one_speaker_before_any_again():
    speakers = ["a"] * 6 + ["b"] * 3
    draw = mixing.sequences(speakers, ["x"] * 9, 9, (2, 3), np.random.default_rng(0))
    assert len(draw) == 9
    assert all(2 <= len(rows) <= 3 for rows in draw)
    for speaker, own in (("a", 6), ("b", 3)):
        rows = [row for sequence in draw for row in sequence if speakers[row] == speaker]
        assert sorted(rows[:own]) == [r for r, name in enumerate(speakers) if name == speaker]
    assert all(len({speakers[row] for row in rows}) == 1 for rows in draw)


def test_what_is_heard_is_drawn_from_the_seed_alone():
    examples = {
        "audio": [tone(0.1 + 0.02 * n, hertz=300 + 50 * n) for n in range(6)],
        "text": [str(n) for n in range(6)],
        "speaker": ["s"] * 6,
    }
    first, again = (mixing.spoken(examples, 4, (3, 5), (1, 2)) for _ in range(2))
    other = mixing.spoken(examples, 4, (3, 5), (1, 3))
    assert first["text"] == again["text"] != other["text"]
    for one, two in zip(first["audio"], again["audio"], strict=True):
        np.testing.assert_array_equal(one, two)
    for text, audio in zip(first["text"], first["audio"], strict=True):
        shortest = sum(len(examples["audio"][int(digit)]) for digit in text.split())
        assert shortest <= len(audio) <= shortest + 8000 * (0.5 * 4 + 0.6) + 9
        assert np.abs(audio).max() <= 1
    assert mixing.spoken(examples, 4, (1, 1), (0,)) is examples  # words alone are left as they are
    sentences = {**examples, "text": ["0 1"] * 6}
    assert mixing.spoken(sentences, 4, (3, 5), (0,)) is sentences
    disturbed = mixing.spoken({**examples, "disturbed": [True] * 6}, 6, (1, 1), (0,))
    assert disturbed["text"] == examples["text"]
    frames = mixing.frames_of(LogMel(20), disturbed, (0,))
    assert all((row.any(axis=1)).all() for row in frames)  # no frame that looks like padding


def test_noise_is_as_loud_as_it_is_drawn():
    generator = np.random.default_rng(0)
    speech = np.concatenate([np.zeros(4000, "f4"), tone(1.0)])
    for _ in range(5):
        noise = mixing.with_noise(speech, mixing.rms(tone(1.0)), generator) - speech
        below = 20 * np.log10(mixing.rms(tone(1.0)) / mixing.rms(noise))
        assert 10 <= below <= 40


def test_quiet_frames_cut_words():
    frames = np.full((100, 4), -0.8)
    frames[10:30] = frames[50:60] = frames[64:80] = 0.6  # the short gap is within a word
    frames[90:93] = 0.6  # too short for a word
    assert segments(frames, 0.5) == [(10, 30), (50, 80)]
    assert segments(np.zeros((5, 4)), 0.5) == [(0, 5)]


@pytest.mark.parametrize(
    ("reference", "hypothesis", "errors"),
    [
        ("1 2 3", "1 2 3", (0, 0, 0)),
        ("1 2 3", "1 5 3", (1, 0, 0)),
        ("1 2 3", "1 3", (0, 1, 0)),
        ("1 3", "1 2 3", (0, 0, 1)),
        ("1 2 3 4", "2 3 5 4 4", (0, 1, 2)),
        ("", "7", (0, 0, 1)),
        ("7 7", "", (0, 2, 0)),
    ],
)
def test_errors_by_hand(reference, hypothesis, errors):
    assert word_errors(reference.split(), hypothesis.split()) == errors


def test_word_error_rate_is_that_of_jiwer():
    jiwer = pytest.importorskip("jiwer")
    generator = np.random.default_rng(1)
    texts = [
        [" ".join(map(str, generator.integers(0, 3, generator.integers(1, 9)))) for _ in range(60)]
        for _ in range(2)
    ]
    ours = transcription(*texts, ["a", "b"] * 30)
    assert ours["word_error_rate"] == pytest.approx(jiwer.wer(*texts))
    # Sequences of one speaker share recordings: speakers are drawn for the interval.
    units = ours.units["word_error_rate"]
    assert units.value == pytest.approx(ours["word_error_rate"])
    assert (units.name, len(units.clusters())) == ("speakers", 2)
    assert transcription(*texts).units["word_error_rate"].name == "texts"
    errors = ours["substitutions"] + ours["deletions"] + ours["insertions"]
    assert errors / ours["words"] == ours["word_error_rate"]
    parts = ours.tables["per_speaker"].values()
    assert sum(p["word_error_rate"] * p["words"] for p in parts) == pytest.approx(errors)
    with pytest.raises(ZooError, match="no words"):
        transcription([""], ["1"])


def test_a_hop_is_ten_milliseconds():
    assert features.HOP_SECONDS == 0.01
