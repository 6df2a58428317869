"""The CRF against all tag sequences, one by one, and against float64."""

import itertools

import keras
import numpy as np
import pytest
import tensorflow as tf

from recipes.tagging import crf
from recipes.tagging.crf import CRF, marginals, only_legal, pairwise, viterbi
from recipes.tagging.losses import CRFLoss, TagLoss

LENGTHS = [5, 1, 3, 4]
TAGS = ["O", "B-A", "I-A", "B-C", "I-C"]


@pytest.fixture(scope="module")
def scores():
    """Scores `(4, 5, 5, 5)` as the layer makes them; random also where rows are padded."""
    rng = np.random.default_rng(3)
    layer = CRF()
    unary = rng.normal(0, 2, (4, 5, 5)).astype("float32")
    layer.build(unary.shape)
    layer.set_weights([rng.normal(0, 2, (5, 5)), rng.normal(0, 2, 5)])
    return layer(unary).numpy(), unary, [weight.numpy() for weight in layer.weights]


@pytest.fixture(scope="module")
def mask():
    return np.arange(5) < np.array(LENGTHS)[:, None]


def total(scores, tags):
    """Returns the score of one sequence, in float64."""
    pairs = zip((0, *tags), tags, strict=False)
    return sum(float(scores[t, i, j]) for t, (i, j) in enumerate(pairs))


def all_sequences(scores, length):
    sequences = list(itertools.product(range(scores.shape[-1]), repeat=length))
    return sequences, np.array([total(scores, tags) for tags in sequences])


def test_scores_are_those_of_single_tags_and_of_neighbours(scores):
    pairs, unary, (transitions, start) = scores
    tags = (2, 0, 4, 4, 1)
    expected = start[2] + sum(unary[0, t, tag] for t, tag in enumerate(tags))
    expected += sum(transitions[i, j] for i, j in itertools.pairwise(tags))
    assert total(pairs[0], tags) == pytest.approx(expected, rel=1e-6)
    assert (pairs[:, 0] == pairs[:, 0, :1]).all()  # at the start, no tag comes before


def terms_of(loss, truth, output):
    """Returns the share that each step has in a loss that is the mean of the real steps."""
    return loss.call(truth, output).numpy() * (truth > 0).sum()


def test_the_loss_is_minus_log_of_the_probability_among_all_sequences(scores):
    pairs = scores[0]
    rng = np.random.default_rng(0)
    truth = np.zeros((4, 5), "int32")
    for row, length in enumerate(LENGTHS):
        truth[row, :length] = rng.integers(1, 6, length)
    terms = terms_of(CRFLoss(), truth, pairs)
    assert terms.shape == (4, 5)
    assert not terms[truth == 0].any()
    for row, length in enumerate(LENGTHS):
        _, values = all_sequences(pairs[row], length)
        loss = np.logaddexp.reduce(values) - total(pairs[row], truth[row, :length] - 1)
        assert terms[row].sum() == pytest.approx(loss, rel=1e-5, abs=1e-5)


def test_marginals_are_sums_over_all_sequences(scores, mask):
    pairs = scores[0]
    result = marginals(pairs, mask).numpy()
    for row, length in enumerate(LENGTHS):
        sequences, values = all_sequences(pairs[row], length)
        probability = np.exp(values - np.logaddexp.reduce(values))
        expected = np.zeros((length, 5))
        for tags, p in zip(sequences, probability, strict=True):
            expected[np.arange(length), tags] += p
        np.testing.assert_allclose(result[row, :length], expected, atol=2e-6)


def test_viterbi_finds_the_best_of_all_sequences(scores, mask):
    pairs = scores[0]
    result = viterbi(pairs, mask).numpy()
    for row, length in enumerate(LENGTHS):
        sequences, values = all_sequences(pairs[row], length)
        assert tuple(result[row, :length]) == sequences[int(values.argmax())]


def legal(tags, names):
    """Whether each entity begins before it goes on and, in BIOES, ends before anything else."""
    inside = ""  # the class of the entity that may go on
    must = False  # whether it has to
    for edge, _, name in (names[tag].partition("-") for tag in tags):
        if (edge in ("I", "E")) != (must or edge == "I") or (edge in ("I", "E") and name != inside):
            return False
        inside = name if edge in ("B", "I") else ""
        must = bool(inside) and "S-X" in names
    return True


@pytest.mark.parametrize("names", [TAGS, ["O", "B-X", "I-X", "E-X", "S-X"]], ids=["bio", "bioes"])
def test_constraints_leave_the_best_of_the_legal_sequences(scores, mask, names):
    pairs = scores[0]
    constrained = only_legal(pairs, names)
    result = viterbi(constrained, mask).numpy()
    share = marginals(constrained, mask).numpy()
    forbidden = 0
    for row, length in enumerate(LENGTHS):
        sequences, values = all_sequences(pairs[row], length)
        keep = np.array([legal(tags, names) for tags in sequences])
        forbidden += not legal(sequences[int(values.argmax())], names)
        sequences = [tags for tags, good in zip(sequences, keep, strict=True) if good]
        values = values[keep]
        assert tuple(result[row, :length]) == sequences[int(values.argmax())]
        probability = np.exp(values - np.logaddexp.reduce(values))
        at_first = np.zeros(5)
        for tags, p in zip(sequences, probability, strict=True):
            at_first[tags[0]] += p
        np.testing.assert_allclose(share[row, 0], at_first, atol=2e-6)
    assert forbidden  # the constraint has something to forbid here


def forward64(scores):
    """The forward algorithm as in the books, in float64; log Z."""
    alpha = scores[0, 0].astype("float64")
    for step in scores[1:].astype("float64"):
        alpha = np.logaddexp.reduce(alpha[:, None] + step, axis=0)
    return np.logaddexp.reduce(alpha)


def exact_inference(scores):
    """Marginals by forward and backward, and Viterbi's sequence, as in the books, in float64."""
    alpha, delta, origins = [scores[0, 0]], scores[0, 0], []
    for step in scores[1:]:
        alpha.append(np.logaddexp.reduce(alpha[-1][:, None] + step, axis=0))
        origins.append((delta[:, None] + step).argmax(axis=0))
        delta = (delta[:, None] + step).max(axis=0)
    beta = [np.zeros(scores.shape[-1])]
    for step in scores[:0:-1]:
        beta.insert(0, np.logaddexp.reduce(step + beta[0], axis=1))
    logs = np.array(alpha) + np.array(beta)
    tags = [int(delta.argmax())]
    for origin in reversed(origins):
        tags.insert(0, int(origin[tags[0]]))
    return np.exp(logs - np.logaddexp.reduce(logs, axis=1, keepdims=True)), tags


def test_a_thousand_steps_lose_no_precision():
    rng = np.random.default_rng(1)
    pairs = rng.normal(0, 5, (1, 1000, 9, 9)).astype("float32")
    pairs[:, 0] = pairs[:, 0, :1]
    _, steps = crf.forward(pairs)
    exact = forward64(pairs[0])
    assert steps.numpy().astype("float64").sum() == pytest.approx(exact, rel=2e-7)
    probabilities, best = exact_inference(pairs[0].astype("float64"))
    real = np.ones((1, 1000), bool)
    np.testing.assert_allclose(marginals(pairs, real).numpy()[0], probabilities, atol=2e-5)
    np.testing.assert_array_equal(viterbi(pairs, real).numpy()[0], best)


def test_the_gradient_is_marginals_less_truth(scores, mask):
    # d loss / d unary[t, tag] = p(tag at t) - 1 where it is the true one.
    pairs, unary, weights = scores
    layer = CRF()
    layer.build(unary.shape)
    layer.set_weights(weights)
    truth = np.where(mask, 2, 0)
    inputs = tf.Variable(unary)
    with tf.GradientTape() as tape:
        loss = CRFLoss()(truth, layer(inputs)) * mask.sum()
    expected = marginals(pairs, mask).numpy() - np.eye(5)[1]
    np.testing.assert_allclose(
        tape.gradient(loss, inputs), expected * mask[:, :, None], rtol=1e-4, atol=1e-5
    )


def test_padding_changes_neither_loss_nor_tags_nor_marginals(scores, mask):
    pairs = scores[0]
    truth = np.where(mask, 3, 0)
    wide = np.pad(pairs, [(0, 0), (0, 3), (0, 0), (0, 0)], constant_values=7.0)
    wide_mask = np.pad(mask, [(0, 0), (0, 3)])
    loss = terms_of(CRFLoss(), np.pad(truth, [(0, 0), (0, 3)]), wide)
    np.testing.assert_allclose(loss[:, :5], terms_of(CRFLoss(), truth, pairs), rtol=1e-6)
    assert not loss[:, 5:].any()
    probabilities, wider = marginals(pairs, mask).numpy(), marginals(wide, wide_mask).numpy()[:, :5]
    np.testing.assert_allclose(wider[mask], probabilities[mask], rtol=1e-6)
    tags, more = viterbi(pairs, mask).numpy(), viterbi(wide, wide_mask).numpy()[:, :5]
    np.testing.assert_array_equal(more[mask], tags[mask])


def test_scores_of_single_tags_decode_to_the_best_of_each(mask):
    single = np.log(np.random.default_rng(2).dirichlet(np.ones(5), (4, 5))).astype("float32")
    result = viterbi(pairwise(single), mask).numpy()
    np.testing.assert_array_equal(result[mask], single.argmax(-1)[mask])
    np.testing.assert_allclose(
        marginals(pairwise(single), mask).numpy()[mask], np.exp(single)[mask], rtol=1e-4
    )


def test_in_a_model_mask_loss_and_saving_work(tmp_path):
    rng = np.random.default_rng(4)
    ids = keras.Input((None,), dtype="int32")
    x = keras.layers.Embedding(7, 4, mask_zero=True)(ids)
    model = keras.Model(ids, CRF()(keras.layers.Dense(3)(x)))
    model.compile("sgd", loss=CRFLoss(), jit_compile=False)
    x = np.array([[1, 2, 3, 4], [5, 6, 0, 0]])
    y = np.array([[1, 2, 3, 1], [2, 2, 0, 0]])
    model.layers[-1].set_weights([rng.normal(0, 1, (3, 3)), rng.normal(0, 1, 3)])
    terms = terms_of(CRFLoss(), y, model(x))
    loss = model.evaluate(x, y, verbose=0)
    assert loss == pytest.approx(terms.sum() / 6, rel=1e-5)  # the mean of six real steps
    model.save(tmp_path / "m.keras")
    loaded = keras.models.load_model(tmp_path / "m.keras")
    np.testing.assert_array_equal(loaded(x), model(x))
    assert loaded.evaluate(x, y, verbose=0) == pytest.approx(loss)


def test_half_precision_around_it_leaves_it_in_float32():
    layer = CRF()
    out = layer(np.zeros((1, 2, 3), "float16"))
    assert out.dtype == tf.float32
    assert marginals(out, np.ones((1, 2), bool)).dtype == tf.float32


def test_tags_alone_cost_their_own_logarithm(mask):
    probabilities = np.random.default_rng(2).dirichlet(np.ones(5), (4, 5)).astype("float32")
    truth = np.where(mask, np.arange(5) % 3 + 2, 0)
    terms = terms_of(TagLoss(), truth, probabilities)
    expected = -np.log(np.take_along_axis(probabilities, (truth - 1)[:, :, None], -1)[:, :, 0])
    np.testing.assert_allclose(terms[mask], expected[mask], rtol=1e-5)
    assert not terms[~mask].any()
