"""Networks train, are saved, ignore padding, and fit half precision: one recipe of each module.

Every recipe is built, answers, and is built again from its config.
"""

import dataclasses
import math

import keras
import numpy as np
import pytest
import tensorflow as tf

from zoo.data.batching import Ragged
from zoo.training.strategy import dtype_policy


def parts(structure):
    """Returns the leaves of a dict, tuple or single thing."""
    if isinstance(structure, dict):
        structure = tuple(structure.values())
    if isinstance(structure, tuple):
        return [leaf for part in structure for leaf in parts(part)]
    return [structure]


def answer(model, x):
    return [np.asarray(output) for output in parts(model(x, training=False))]


def test_every_network_answers_and_is_built_again_from_its_config(recipe):
    config = dataclasses.replace(recipe.config, units=8, batch_size=3)
    sample = recipe.dataset.sample()
    assets = recipe.prepare(config, sample)
    model = recipe.build(config, assets)
    x, _ = recipe.batches(config, assets, sample).take(np.arange(3))
    again = type(model).from_config(model.get_config())
    again.set_weights(model.get_weights())
    answers = answer(model, x)
    assert answers
    for ours, theirs in zip(answers, answer(again, x), strict=True):
        assert len(ours) == 3
        assert np.isfinite(ours).all()
        np.testing.assert_array_equal(ours, theirs)


def test_two_steps_lower_the_loss(trained):
    assert math.isfinite(trained.after)
    assert trained.after < trained.before


def test_a_saved_model_answers_the_same_and_goes_on_training(trained, tmp_path):
    x, y = trained.batches.take(np.arange(4))
    trained.model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    for ours, theirs in zip(answer(trained.model, x), answer(loaded, x), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    steps = int(loaded.optimizer.iterations.numpy())
    assert steps == int(trained.model.optimizer.iterations.numpy()) > 0
    assert np.isfinite(loaded.train_on_batch(x, y, return_dict=True)["loss"])


def test_batches_are_padded_on_the_right_and_rows_begin_with_real_steps(trained):
    batches = trained.batches
    leaves = [leaf for leaf in parts(batches.x) if isinstance(leaf, Ragged)]
    for index in batches.order(seed=0, epoch=0):
        x, _ = batches.take(index)
        ragged = [
            (leaf, array)
            for leaf, array in zip(parts(batches.x), parts(x), strict=True)
            if isinstance(leaf, Ragged)
        ]
        assert len(ragged) == len(leaves)
        for leaf, array in ragged:
            for row, length in zip(array, leaf.lengths[index], strict=True):
                assert length >= 1
                assert not row[length:].any()
                if np.issubdtype(array.dtype, np.integer):  # ids: 0 is padding and nothing else
                    assert row[:length].all()


def test_further_padding_changes_nothing(trained):
    x, _ = trained.batches.take(np.arange(4))

    def further(leaf, array):
        if not isinstance(leaf, Ragged):
            return array
        return np.pad(array, [(0, 0), (0, 7)] + [(0, 0)] * (array.ndim - 2))

    longer = tf.nest.map_structure(further, trained.batches.x, x)
    for short, long in zip(answer(trained.model, x), answer(trained.model, longer), strict=True):
        if long.ndim > 2:  # one answer a step: those of the real steps
            long = long[:, : short.shape[1]]
        np.testing.assert_allclose(long, short, rtol=1e-5, atol=1e-6)


def test_a_row_does_not_depend_on_the_rest_of_its_batch(trained):
    together = answer(trained.model, trained.batches.take(np.arange(6))[0])
    for row in (0, 2, 5):
        alone = answer(trained.model, trained.batches.take(np.array([row]))[0])
        for many, one in zip(together, alone, strict=True):
            if one.ndim > 2:
                many = many[:, : one.shape[1]]
            np.testing.assert_allclose(many[row], one[0], rtol=1e-5, atol=1e-6)


# The layers are the same in both; the numbers of bfloat16 are as large as those of float32.
@pytest.mark.parametrize(
    "precision", ["mixed_float16", pytest.param("mixed_bfloat16", marks=pytest.mark.slow)]
)
def test_half_precision_trains_and_answers_in_float32(trained, precision):
    recipe = trained.recipe
    x, y = trained.batches.take(np.arange(4))
    with dtype_policy(precision):
        model = recipe.build(trained.config, trained.assets)
        objective = recipe.objective(trained.config, trained.assets)
        model.compile(keras.optimizers.Adam(1e-3), **objective, run_eagerly=True)
    assert any(layer.compute_dtype == precision[6:] for layer in model.layers)
    before = [weight.numpy() for weight in model.trainable_weights]
    assert np.isfinite(model.train_on_batch(x, y, return_dict=True)["loss"])
    after = [weight.numpy() for weight in model.trainable_weights]
    assert any(np.any(old != new) for old, new in zip(before, after, strict=True))
    assert all(weight.dtype == np.float32 and np.isfinite(weight).all() for weight in after)
    for output in parts(model(x, training=False)):
        assert output.dtype == tf.float32
        assert np.isfinite(np.asarray(output)).all()


def test_the_objective_is_made_anew_at_each_call(trained):
    # A metric or loss object that two models share would count for both.
    objective = trained.recipe.objective
    first, second = (parts(objective(trained.config, trained.assets)) for _ in range(2))
    for one, other in zip(first, second, strict=True):
        assert isinstance(one, (str, list)) or one is not other
