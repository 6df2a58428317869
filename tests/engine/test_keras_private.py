"""The private names of Keras that the package needs: each does what is needed of it."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from zoo.training import keras_private


def network():
    """A compiled model with a layer inside another, two outputs of `fit`: loss and a metric."""
    model = keras.Sequential(
        [
            keras.Input((None,), dtype="int32"),
            keras.layers.Embedding(9, 4, mask_zero=True),
            keras.layers.Bidirectional(keras.layers.LSTM(3)),
            keras.layers.Dense(1),
        ]
    )
    model.compile("adam", "mse", metrics=["mae"], jit_compile=False)
    return model


BATCH = np.array([[1, 2, 0], [3, 0, 0]]), np.array([[1.0], [0.0]], "float32")


def test_layers_inside_layers_are_listed():
    model = network()
    names = [type(layer).__name__ for layer in keras_private.layers_of(model)]
    assert names.count("LSTM") >= 2, (
        f"Layer._flatten_layers lists {names}: LSTMs in a Bidirectional would keep cuDNN kernels, "
        "so exports would load on no CPU server, and `zoo inspect` would not see them."
    )
    assert model not in keras_private.layers_of(model), "the model itself is listed as a layer"


def test_metrics_are_built_from_a_batch_and_not_by_fit(monkeypatch):
    model = network()
    assert not model.metrics[1].variables, "metrics of a compiled model are built at once now"
    keras_private.build_metrics(model, BATCH)
    names = [variable.name for variable in model.metrics_variables]
    assert len(names) == 4, (
        f"Model._symbolic_build builds {names} only: training on several replicas fails, as Keras "
        "then builds metrics from what the replicas are given."
    )
    monkeypatch.setattr(
        type(model),
        "_symbolic_build",
        lambda *_, **__: pytest.fail(
            "`fit` does not call Model._maybe_symbolic_build any more: training on several "
            "replicas would build metrics from what the replicas are given."
        ),
    )
    model.fit(*BATCH, verbose=0)


def test_the_running_loss_takes_a_value_and_its_rows():
    model = network()
    keras_private.build_metrics(model, BATCH)
    keras_private.update_loss(model, 2.0, 3)
    keras_private.update_loss(model, 6.0, 1)
    assert float(model.get_metrics_result()["loss"]) == pytest.approx(3.0), (
        "Trainer._loss_tracker is not the metric `loss`, or takes no weights: on several replicas "
        "the loss in the history would not be the mean over all rows."
    )


def test_gradients_pass_through_the_function_that_adds_them_up():
    optimizer, seen = keras.optimizers.SGD(1.0), []
    variable = keras.Variable([0.0])
    optimizer.build([variable])
    keras_private.skip_gradient_sum(optimizer)
    skipped = optimizer._all_reduce_sum_gradients
    optimizer._all_reduce_sum_gradients = lambda pairs: seen.append(1) or skipped(pairs)
    optimizer.apply([tf.ones(1)], [variable])
    assert seen == [1], (
        "Optimizer.apply does not add up gradients by _all_reduce_sum_gradients any more: on "
        "several replicas they would be added up twice."
    )
    assert np.asarray(variable) == [-1.0]


def test_variables_of_an_optimizer_in_their_order():
    model = network()
    model.optimizer.build(model.trainable_variables)
    variables = keras_private.optimizer_variables(model.optimizer)
    assert [id(v) for v in variables] == [id(v) for v in model.trainable_variables], (
        "Optimizer._trainable_variables are not those that it was built with: MonitoredAdam would "
        "measure nothing, or the wrong layers."
    )
    found = keras_private.variable_indices(model.optimizer, variables[::-1])
    assert found == list(range(len(variables)))[::-1], (
        "Optimizer._get_variable_index is not the place in the order of building: MonitoredAdam "
        "would take one layer for another."
    )


def test_averages_of_weights_have_a_rising_momentum():
    optimizer = keras_private.RisingAverage(1.0, use_ema=True, ema_momentum=0.99)
    variable, expected = keras.Variable([0.0]), 0.0
    optimizer.build([variable])
    for step in range(1, 4):
        optimizer.apply([tf.ones(1)], [variable])
        momentum = (step - 1) / (step + 8)
        expected = momentum * expected + (1 - momentum) * float(variable[0])
    (average,) = keras_private.moving_averages(optimizer)
    assert float(average[0]) == pytest.approx(expected), (
        "Optimizer.apply does not average by _update_model_variables_moving_average any more: the "
        "average of a short training would consist of its first steps."
    )


def test_the_mask_that_a_tensor_carries():
    x, _ = BATCH
    embedded = keras.layers.Embedding(9, 4, mask_zero=True)(tf.constant(x))
    mask = np.asarray(keras_private.mask_of(embedded))
    assert np.array_equal(mask, x != 0), (
        "Layers do not put their mask into _keras_mask any more: on several replicas padding would "
        "count in losses and metrics."
    )
    assert keras_private.mask_of(tf.zeros((2, 3))) is None
    part = embedded[:1]
    keras_private.set_mask(part, tf.constant(mask[:1]))
    kept = []

    class Reading(keras.layers.Layer):
        supports_masking = True

        def call(self, inputs, mask=None):
            kept.append(mask)
            return inputs

    Reading()(part)
    assert np.array_equal(kept[0], mask[:1]), (
        "Layers do not read the mask from _keras_mask any more: on several replicas padding would "
        "count in losses and metrics."
    )


def drawing_layers():
    layers = keras.layers
    return {
        "dropout": layers.Dropout(0.5, seed=1),
        "words": layers.Dropout(0.5, noise_shape=(None, None, 1), seed=1),
        "same for all rows": layers.Dropout(0.5, noise_shape=(1, None, None), seed=1),
        "noise": layers.GaussianNoise(1.0, seed=1),
        "states": layers.GRU(4, dropout=0.5, recurrent_dropout=0.5, seed=1, return_sequences=True),
    }


@pytest.mark.parametrize("name", drawing_layers())
def test_a_share_of_a_batch_draws_what_the_whole_batch_draws(name):
    x = np.random.default_rng(0).normal(size=(7, 5, 3)).astype("float32")
    whole, part = drawing_layers()[name], drawing_layers()[name]
    for layer in (whole, part):
        layer.build((None, 5, 3))
    part.set_weights([value * 1 for value in whole.get_weights()])

    @tf.function(input_signature=[tf.TensorSpec((None, None, 3)), tf.TensorSpec((), tf.int32)])
    def shared(rows, first):
        share = keras_private.Share(tf.shape(rows)[0], tf.constant(7), first)
        with keras_private.drawing_for(share):
            return part(rows, training=True)

    @tf.function(input_signature=[tf.TensorSpec((None, None, 3))])
    def alone(rows):
        return whole(rows, training=True)

    for first in (0, 4):  # each step draws anew
        expected = alone(x)[first : first + 3]
        np.testing.assert_allclose(shared(x[first : first + 3], first), expected, atol=1e-6)
    # The last replica of some has a row more than it counts.
    expected = alone(x)[5:]
    np.testing.assert_allclose(shared(x[[5, 6, 0]], 5)[:2], expected, atol=1e-6)
    assert not np.allclose(alone(x), alone(x)), "it draws nothing"
