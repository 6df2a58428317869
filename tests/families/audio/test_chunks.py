"""Words that are written down while they are spoken: a network that hears what it is told to."""

import numpy as np
import pytest
import tensorflow as tf

from recipes.audio.chunks import AHEAD, CONTEXT, SILENT, chunk_signature
from recipes.audio.features import HOP, LogMel, frame_count

STACK = 3
STEP = STACK * HOP
WORDS = ["", "a", "b", "c"]


def heard(audio, length):
    """Hears word k where the samples of a step are k / 10; louder words are louder."""
    frames = frame_count(length)
    steps = -(-tf.reduce_max(frames) // STACK)
    audio = tf.pad(audio, [[0, 0], [0, tf.maximum(steps * STEP - tf.shape(audio)[1], 0)]])
    by_step = tf.reshape(audio[:, : steps * STEP], [-1, steps, STEP])[:, :, STEP // 2]
    logits = 9.0 * tf.one_hot(tf.cast(tf.round(10 * by_step), tf.int32), len(WORDS))
    return tf.repeat(by_step, STACK, axis=1)[..., tf.newaxis] + 0.01, logits


def written(ids):
    text = tf.strings.reduce_join(tf.gather(tf.constant(WORDS), ids), axis=-1, separator=" ")
    return tf.strings.strip(text)


@pytest.fixture(scope="module")
def chunk():
    return chunk_signature(heard, written, LogMel(8), STACK, max_seconds=20)


def speech(*words, pause=6, last=4):
    """Samples of words of four steps each, the steps after the first two softer."""
    parts = [np.zeros(2 * STEP)]
    for word in words:
        value = WORDS.index(word) / 10
        parts += [np.full(2 * STEP, value), np.zeros(pause * STEP)]
    return np.concatenate([*parts, np.zeros(last * STEP)]).astype("float32")


def ask(chunk, audio, state=None, last=False):
    state = state or {
        "state": np.zeros((1, 0), "float32"),
        "state_length": np.int32([0]),
        "state_settled": np.int32([0]),
    }
    found = chunk(
        audio=tf.constant(audio[None]),
        length=tf.constant([len(audio)]),
        last=tf.constant([last]),
        **{name: tf.constant(value) for name, value in state.items()},
    )
    return {name: value.numpy() for name, value in found.items()}


def follow(chunk, audio, size):
    """Returns the settled texts together, the state's longest length, and all answers."""
    state, texts, most, answers = None, [], 0, []
    for start in range(0, len(audio), size):
        found = ask(chunk, audio[start : start + size], state, start + size >= len(audio))
        state = {name: found[name] for name in ("state", "state_length", "state_settled")}
        texts.append(found["text"][0].decode())
        most = max(most, int(found["state_length"][0]))
        answers.append(found)
    return " ".join(filter(None, texts)), most / LogMel.rate, answers


@pytest.mark.parametrize("size", [400, 2_000, 3_333, 50_000])
def test_the_text_does_not_depend_on_the_chunks(chunk, size):
    words = ["a", "b", "b", "c", "a", "a", "c", "b"] * 3
    audio = speech(*words)
    text, seconds, answers = follow(chunk, audio, size)
    assert text.split() == words
    assert seconds <= CONTEXT + AHEAD + size / LogMel.rate + 0.5
    assert answers[-1]["state_length"] == 0
    assert answers[-1]["state_settled"] == 0


def test_a_word_is_partial_until_the_sound_goes_on(chunk):
    begun = speech("b", last=0)
    found = ask(chunk, begun)
    assert (found["text"][0], found["partial"][0]) == (b"", b"b")
    state = {name: found[name] for name in ("state", "state_length", "state_settled")}
    later = ask(chunk, np.zeros(int(AHEAD * LogMel.rate), "float32"), state)
    assert (later["text"][0], later["partial"][0]) == (b"b", b"")
    assert later["state_settled"] > 0


def test_silence_is_not_kept(chunk):
    found = ask(chunk, np.zeros(15 * LogMel.rate, "float32"))
    assert found["state_length"][0] <= (CONTEXT + SILENT) * LogMel.rate + STEP
    assert found["text"][0] == b""


def test_rows_do_not_depend_on_each_other(chunk):
    rows = [speech("a", "b", "c", "a", "b"), speech("c"), np.zeros(1, "float32")]
    padded = np.zeros((3, 20_000), "float32")
    for row, samples in zip(padded, rows, strict=True):
        row[: len(samples)] = samples
    nothing = tf.zeros([3], tf.int32)
    found = chunk(
        audio=tf.constant(padded),
        length=tf.constant([len(row) for row in rows]),
        state=tf.zeros([3, 0]),
        state_length=nothing,
        state_settled=nothing,
        last=tf.constant([False, True, False]),
    )
    for number, (samples, last) in enumerate(zip(rows, (False, True, False), strict=True)):
        alone = ask(chunk, samples, last=last)
        for name in ("text", "partial", "state_length", "state_settled", "valid"):
            assert found[name][number].numpy() == alone[name][0], name
        length = alone["state_length"][0]
        np.testing.assert_array_equal(found["state"][number, :length], alone["state"][0, :length])


def test_a_chunk_that_is_no_sound_leaves_the_state(chunk):
    before = ask(chunk, speech("a", "b"))
    state = {name: before[name] for name in ("state", "state_length", "state_settled")}
    for wrong in (np.float32([np.nan]), np.zeros(21 * LogMel.rate, "float32")):
        found = ask(chunk, wrong, state)
        assert not found["valid"][0]
        assert found["problem"][0]
        assert (found["text"][0], found["partial"][0]) == (b"", b"")
        for name, value in state.items():
            size = before["state_length"][0] if name == "state" else None
            np.testing.assert_array_equal(found[name][..., :size], value[..., :size])
