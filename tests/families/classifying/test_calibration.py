"""Probabilities that mean what they say."""

import keras
import numpy as np
import pytest
from scipy.optimize import check_grad
from scipy.special import log_softmax, softmax

from recipes.classifying import calibration
from zoo.data.batching import Ragged
from zoo.metrics.classification import classification, expected_calibration_error

CLASSES = ["negative", "positive"]


def drawn(rows=4000, temperature=3.0, seed=0):
    """Returns logits that are too large by `temperature`, and classes drawn by the true ones."""
    generator = np.random.default_rng(seed)
    logits = generator.normal(size=(rows, 2)) * 2
    uniform = generator.random(rows)
    truth = (uniform > softmax(logits, axis=1)[:, 0]).astype(int)
    return logits * temperature, truth


def test_the_error_of_calibration_by_hand():
    correct = np.array([True, True, False, True])
    confidence = np.array([0.95, 0.95, 0.95, 0.55])
    # Two bins of ten: 3 rows with 2/3 right at 0.95, one row right at 0.55.
    by_hand = 3 / 4 * abs(2 / 3 - 0.95) + 1 / 4 * abs(1 - 0.55)
    assert expected_calibration_error(correct, confidence, bins=10) == pytest.approx(by_hand)
    assert expected_calibration_error(np.array([True]), np.array([1.0])) == 0
    assert expected_calibration_error(np.array([False]), np.array([0.0])) == 0


def test_it_is_a_value_of_classifiers_with_probabilities():
    scores = classification(["a", "b"], ["a", "a"], ["a", "b"], [0.9, 0.6])
    assert scores.values["ece"] == pytest.approx((0.1 + 0.6) / 2)
    assert "ece" not in classification(["a", "b"], ["a", "a"], ["a", "b"]).values


def test_the_temperature_is_found_and_minimises_the_loss():
    logits, truth = drawn()
    found = calibration.best_temperature(logits, truth)
    assert found == pytest.approx(3, rel=0.1)

    def loss(temperature):
        return -log_softmax(logits / temperature, axis=1)[np.arange(len(truth)), truth].mean()

    assert loss(found) <= min(loss(found * 1.01), loss(found / 1.01))
    assert abs(check_grad(loss, lambda t: np.zeros(1), [found])) < 1e-3  # its slope is 0


def network():
    ids = keras.Input((None,), dtype="int32")
    x = keras.layers.Embedding(50, 4)(ids)
    x = keras.layers.GlobalAveragePooling1D()(x)
    return keras.Model(ids, keras.layers.Dense(2, activation="softmax")(x))


def rows_of(count, seed=1):
    generator = np.random.default_rng(seed)
    lengths = generator.integers(1, 9, count)
    return Ragged([generator.integers(1, 50, size) for size in lengths])


def test_logits_are_divided_and_no_answer_changes():
    keras.utils.set_random_seed(3)
    model, rows = network(), rows_of(600)
    embedding, kernel, bias = model.get_weights()
    model.set_weights([embedding, kernel * 300, bias + 0.5])
    before = model(rows.padded(np.arange(600))).numpy()
    true = softmax(np.log(before) / 2.5, axis=1)
    truth = (np.random.default_rng(0).random(600) > true[:, 0]).astype(int)
    labels = [CLASSES[each] for each in truth]
    found = calibration.calibrate(model, rows, labels, CLASSES)
    after = model(rows.padded(np.arange(600))).numpy()
    expected = softmax(np.log(before) / found["temperature"], axis=1)
    np.testing.assert_allclose(after, expected, atol=1e-4)
    np.testing.assert_array_equal(after.argmax(1), before.argmax(1))
    assert found["ece"] < found["ece_before"]
    # A second call finds nothing to do.
    again = calibration.calibrate(model, rows, labels, CLASSES)
    assert again["temperature"] == pytest.approx(1, abs=1e-3)


def test_few_rows_choose_no_temperature():
    model, rows = network(), rows_of(calibration.MIN_ROWS - 1)
    weights = model.get_weights()
    labels = ["positive"] * len(rows)
    assert calibration.calibrate(model, rows, labels, CLASSES) == {}
    for one, other in zip(weights, model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
