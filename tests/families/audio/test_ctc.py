"""CTC: the loss and both ways of decoding against sums over all alignments, one by one."""

import itertools

import keras
import numpy as np
import pytest
import tensorflow as tf

from recipes.audio.ctc import best_alignment, prefix_beam_search
from recipes.audio.features import LogMel
from recipes.audio.layers import BlankPadding, StackFrames
from recipes.audio.losses import CTCLoss
from recipes.audio.signatures import transcription_signatures, word_ids
from zoo.errors import ZooError

STEPS, IDS = 5, 4
LENGTHS = [5, 3, 1, 4]


@pytest.fixture(scope="module")
def logits():
    return np.random.default_rng(2).normal(0, 1.5, (4, STEPS, IDS)).astype("float32")


def text_of(alignment):
    return tuple(id for id, _ in itertools.groupby(alignment) if id)


def probabilities(logits):
    """Returns text to probability, by all alignments of a row `(time, ids)`, in float64."""
    logs = logits.astype(np.float64)
    probabilities = np.exp(logs) / np.exp(logs).sum(axis=1, keepdims=True)
    result = {}
    for alignment in itertools.product(range(IDS), repeat=len(logits)):
        p = np.prod([probabilities[t, id] for t, id in enumerate(alignment)])
        result[text_of(alignment)] = result.get(text_of(alignment), 0.0) + p
    assert sum(result.values()) == pytest.approx(1)
    return result


def padded(logits, more=0):
    """Returns what a BlankPadding makes of rows of LENGTHS, with `more` padded steps."""
    longer = np.pad(logits, ((0, 0), (0, more), (0, 0)), constant_values=7)
    mask = np.arange(STEPS + more) < np.array(LENGTHS)[:, None]
    return BlankPadding()(longer, mask=mask)


TEXTS = [(1, 1), (3,), (), (2, 1)]


@pytest.mark.parametrize("more", [0, 6])
def test_the_loss_is_minus_log_of_the_sum_over_alignments(logits, more):
    expected = [
        -np.log(probabilities(row[:length])[text])
        for row, length, text in zip(logits, LENGTHS, TEXTS, strict=True)
    ]
    truth = np.array([[*text, 0, 0, 0][:3] for text in TEXTS])
    result = CTCLoss().call(truth, padded(logits, more)).numpy() * 4
    np.testing.assert_allclose(result, expected, rtol=1e-5)
    assert float(CTCLoss()(truth, padded(logits, more))) == pytest.approx(np.mean(expected), 1e-5)


def test_the_loss_and_its_gradient_are_those_of_tensorflow_with_lengths(logits):
    truth = np.array([[*text, 0, 0][:2] for text in TEXTS])
    ours, theirs = tf.Variable(logits), tf.Variable(logits)
    mask = np.arange(STEPS) < np.array(LENGTHS)[:, None]
    with tf.GradientTape(persistent=True) as tape:
        loss = CTCLoss()(truth, BlankPadding()(ours, mask=mask))
        other = tf.reduce_mean(
            tf.nn.ctc_loss(
                truth.astype("int32"), theirs, [len(text) for text in TEXTS], LENGTHS,
                logits_time_major=False, blank_index=0,
            )
        )  # fmt: skip
    assert float(loss) == pytest.approx(float(other), rel=1e-5)
    np.testing.assert_allclose(tape.gradient(loss, ours), tape.gradient(other, theirs), atol=1e-5)


def test_without_padding_it_is_keras_own_loss(logits):
    truth = np.array([[1, 2], [3, 0], [2, 2], [1, 0]])
    theirs = keras.losses.CTC()(truth, logits)
    assert float(CTCLoss()(truth, logits)) == pytest.approx(float(theirs), rel=1e-5)


@pytest.mark.parametrize("more", [0, 6])
def test_a_wide_beam_finds_the_most_probable_texts_in_order(logits, more):
    ids, scores = (part.numpy() for part in prefix_beam_search(padded(logits, more), 100, 4))
    for row, length in enumerate(LENGTHS):
        truth = probabilities(logits[row, :length])
        best = sorted(truth, key=truth.get, reverse=True)[:4]
        assert [tuple(id for id in text if id) for text in ids[row]] == best
        np.testing.assert_allclose(scores[row], np.log([truth[text] for text in best]), rtol=1e-4)


def test_a_narrow_beam_never_says_more_than_is_true_and_no_text_twice(logits):
    for beam in (1, 2, 3):
        ids, scores = (part.numpy() for part in prefix_beam_search(padded(logits), beam, beam))
        for row, length in enumerate(LENGTHS):
            truth = probabilities(logits[row, :length])
            texts = [tuple(id for id in text if id) for text in ids[row]]
            assert len(set(texts)) == beam
            for text, score in zip(texts, scores[row], strict=True):
                assert score <= np.log(truth[text]) + 1e-4


def test_long_rows_are_searched_as_by_tensorflow():
    logits = np.random.default_rng(5).normal(0, 2, (3, 40, 6)).astype("float32")
    ids, scores = (part.numpy() for part in prefix_beam_search(logits, 100, 2))
    moved = np.concatenate([logits[..., 1:], logits[..., :1]], axis=-1)  # its blank is the last
    paths, logs = tf.nn.ctc_beam_search_decoder(moved.transpose(1, 0, 2), [40] * 3, 100, 2)
    np.testing.assert_allclose(scores, logs, rtol=1e-3)
    for place, path in enumerate(paths):
        theirs = tf.sparse.to_dense(path, -1).numpy() + 1
        for row in range(3):
            assert [id for id in ids[row, place] if id] == [id for id in theirs[row] if id]


def test_the_best_alignment_is_the_best_step_by_step(logits):
    ids, scores = (part.numpy() for part in best_alignment(padded(logits, 3)))
    for row, length in enumerate(LENGTHS):
        part = logits[row, :length].astype(np.float64)
        logs = part - np.log(np.exp(part).sum(axis=1, keepdims=True))
        assert tuple(id for id in ids[row] if id) == text_of(part.argmax(axis=1))
        assert scores[row] == pytest.approx(logs.max(axis=1).sum(), rel=1e-5)


@pytest.mark.parametrize("more", [0, 1, 2, 3])
def test_frames_are_stacked_and_masked(more):
    frames = np.zeros((2, 4 + more, 2), "float32")
    frames[0, :4] = np.arange(1, 9).reshape(4, 2)
    frames[1, :1] = [[0, 5]]
    layer = StackFrames(3)
    steps = -(-(4 + more) // 3)
    stacked, mask = layer(frames).numpy(), layer.compute_mask(frames).numpy()
    assert stacked.shape == (2, steps, 6) == layer.compute_output_shape(frames.shape)
    assert stacked[0, :2].tolist() == [[1, 2, 3, 4, 5, 6], [7, 8, 0, 0, 0, 0]]
    assert mask[:, :2].tolist() == [[True, True], [True, False]]
    assert not mask[:, 2:].any()


def test_texts_become_ids_or_are_refused():
    rows = word_ids(["no yes", "yes yes"], ["no", "yes"], [2, 3])
    assert [row.tolist() for row in rows] == [[1, 2], [2, 2]]
    for texts, steps, says in [
        (["yes", "maybe no"], [9, 9], "Row 2 has the word 'maybe'"),
        ([" "], [9], "Row 1 has no word"),
        (["yes yes"], [2], "Row 1 is too short for its 2 words: it makes 2 steps, and 3"),
    ]:
        with pytest.raises(ZooError, match=says):
            word_ids(texts, ["no", "yes"], steps)


def test_silence_is_no_text_and_an_alignment_has_the_steps_of_the_network():
    frames = keras.Input((None, 20))
    dense = keras.layers.Dense(2)
    model = keras.Model(frames, BlankPadding()(dense(StackFrames(3)(frames))))
    # Whatever there is, it hears "one", a little less surely where it is soft.
    dense.set_weights([np.array([[0.0, 0.01]] * 60), np.array([0.0, 3.0])])
    functions = transcription_signatures(model, LogMel(20), ["one"], 3)
    tone = 0.5 * np.sin(np.arange(320) * (1 + np.arange(320) / 400))
    audio = tf.constant(np.stack([tone, 0 * tone]), tf.float32)  # 4 frames: 2 steps, of 3 and 1
    length = tf.constant([320, 320])
    result = functions["answer"](audio, length)
    assert result["text"].numpy().tolist() == [b"one", b""]
    assert result["score"].numpy()[1] == 0
    several = functions["search"](audio, length, tf.constant(2), tf.constant(2))
    assert several["text"].numpy()[:, 0].tolist() == [b"one", b""]
    aligned = functions["alignment"](audio, length)
    probabilities = tf.nn.softmax(model(aligned["features"])).numpy()[0]  # (2, 2)
    assert probabilities[0, 1] != probabilities[1, 1]
    np.testing.assert_allclose(aligned["posteriors"][0], probabilities[[0, 0, 0, 1]], rtol=1e-5)
    assert aligned["posteriors"].numpy()[1].tolist() == [[1, 0]] * 4
