"""n-gram models: against a hand computation, NLTK-free; distributions add up."""

import math

import numpy as np
import pytest

from zoo.metrics.ngram import NGram

TEXT = [1, 2, 1, 2, 1, 3]


def test_kneser_ney_by_hand():
    # Bigrams: 12 ×2, 21 ×2, 13 ×1; so n1 = 1, n2 = 2, D = 1 / 5.
    # Unigrams count the different ids before them: 1 has one (2), 2 one (1), 3 one (1): n1 = 3,
    # n2 = 0, D = 1: all of their mass goes to the uniform distribution.
    model = NGram(2, 3).fit([TEXT])
    uniform = 1 / 3
    assert model.probability([], 1) == pytest.approx(0 + 1 * 3 / 3 * uniform)
    # p(2 | 1) = (2 - D) / 3 + D * 2 kinds / 3 * p(2)
    assert model.probability([1], 2) == pytest.approx((2 - 0.2) / 3 + 0.2 * 2 / 3 * uniform)
    assert model.probability([1], 1) == pytest.approx(0.2 * 2 / 3 * uniform)
    assert model.probability([3], 1) == pytest.approx(uniform)  # 3 was followed by nothing
    nats, count = model.nats([[1, 2, 3]], skip=1)
    assert count == 2
    expected = model.probability([1], 2) * model.probability([2], 3)
    assert nats == pytest.approx(-math.log(expected))


@pytest.mark.parametrize("order", [1, 2, 3, 5])
def test_distributions_add_up_and_agree_with_single_probabilities(order):
    generator = np.random.default_rng(order)
    texts = [generator.integers(1, 7, 40).tolist() for _ in range(3)]
    model = NGram(order, 8).fit(texts)
    for context in ([], [1], [2, 5], texts[0][:4], [8, 8], [1, 2, 3, 4, 5, 6]):
        probabilities = model.distribution(context)
        assert probabilities.sum() == pytest.approx(1)
        assert probabilities[0] == 0
        assert probabilities[1:].min() > 0
        single = [model.probability(context, each) for each in range(1, 9)]
        np.testing.assert_allclose(probabilities[1:], single)


def test_a_longer_memory_predicts_what_repeats_and_the_samples_do_too():
    text = [1, 2, 3, 4, 1, 3, 2, 4] * 30
    short, long = (NGram(order, 4).fit([text]) for order in (1, 4))
    assert long.nats([text])[0] < 0.3 * short.nats([text])[0]
    drawn = long.sample(text[:4], 200, np.random.default_rng(0))
    assert len(drawn) == 200
    assert long.nats([text[:4] + drawn])[0] < 0.3 * short.nats([text[:4] + drawn])[0]


def test_a_sample_ends_at_the_end():
    model = NGram(3, 4).fit([[1, 2, 3, 4]] * 50)
    assert model.probability([1, 2], 3) > 0.98
    assert model.sample([1, 2], 100, np.random.default_rng(0), end=4) == [3]


def test_samples_have_the_frequencies_of_the_distribution():
    model = NGram(1, 5).fit([[1] * 50 + [2] * 30 + [3] * 20])
    drawn = model.sample([], 20_000, np.random.default_rng(0))
    counts = np.bincount(drawn, minlength=6) / len(drawn)
    np.testing.assert_allclose(counts, model.distribution([]), atol=0.015)
