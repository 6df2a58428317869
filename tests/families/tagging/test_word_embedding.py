"""Word vectors learnt, hidden and given; features joined under the first mask."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from recipes.tagging.embedding import JoinFeatures, WordEmbedding


@pytest.fixture
def layer():
    layer = WordEmbedding(common=4, rare=2, fixed=3, units=5, rate=0.5, seed=1)
    layer.build((None, None))
    layer.fixed.assign(np.arange(15).reshape(3, 5))
    return layer


def test_ids_are_looked_up_in_the_part_that_they_belong_to(layer):
    ids = np.array([[1, 3, 4, 5], [6, 8, 0, 0]])
    out = layer(ids).numpy()
    learnt = layer.learnt.numpy()
    np.testing.assert_array_equal(out[0], learnt[[1, 3, 4, 5]])
    np.testing.assert_array_equal(out[1, :2], [np.arange(5), np.arange(10, 15)])
    assert layer.compute_mask(ids).numpy().tolist() == [[True] * 4, [True, True, False, False]]


def test_only_rare_words_are_hidden_and_only_in_training(layer):
    ids = np.tile(np.arange(9), (200, 1))
    np.testing.assert_array_equal(layer(ids, training=False), layer(ids))
    out = layer(ids, training=True).numpy()
    same = (out == layer(ids).numpy()).all(-1)
    unknown = (out == layer.learnt.numpy()[1]).all(-1)
    assert same[:, [0, 1, 2, 3, 6, 7, 8]].all()
    assert (same | unknown)[:, 4:6].all()
    assert 0.4 < unknown[:, 4:6].mean() < 0.6


def test_words_of_all_parts_may_be_hidden():
    layer = WordEmbedding(common=4, rare=2, fixed=3, units=5, rate=0.5, hidden=0.2, seed=1)
    layer.build((None, None))
    layer.fixed.assign(np.arange(15).reshape(3, 5))
    ids = np.tile(np.arange(9), (500, 1))
    unknown = (layer(ids, training=True).numpy() == layer.learnt.numpy()[1]).all(-1)
    assert not unknown[:, 0].any()  # padding
    assert 0.15 < unknown[:, [2, 3, 6, 7, 8]].mean() < 0.25
    assert 0.4 < unknown[:, 4:6].mean() < 0.6  # rare words, by the higher of both rates
    assert not (layer(ids).numpy() == layer.learnt.numpy()[1]).all(-1)[:, 2:].any()


def test_given_vectors_are_not_trained(layer):
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(layer(np.array([[2, 7]])))
    assert [weight.shape for weight in layer.trainable_weights] == [(6, 5)]
    gradient = tf.convert_to_tensor(tape.gradient(loss, layer.trainable_weights[0].value)).numpy()
    assert gradient[2].tolist() == [1] * 5
    assert not gradient[[0, 1, 3, 4, 5]].any()


def test_without_given_vectors(tmp_path):
    ids = keras.Input((None,), dtype="int32")
    model = keras.Model(ids, WordEmbedding(3, 1, 0, 4)(ids))
    model.save(tmp_path / "m.keras")
    loaded = keras.models.load_model(tmp_path / "m.keras")
    x = np.array([[1, 2, 3, 0]])
    np.testing.assert_array_equal(loaded(x), model(x))
    assert len(model.weights) == 1


def test_joined_features_have_the_mask_of_the_first():
    one, two = tf.zeros((2, 3, 4)), tf.ones((2, 3, 1))
    mask = tf.constant([[True, True, False], [True, False, False]])
    one._keras_mask = mask
    joined = JoinFeatures()([one, two])
    assert joined.shape == (2, 3, 5)
    np.testing.assert_array_equal(joined._keras_mask, mask)
