"""Recurrent layers of what is served: equal to Keras', and written as they should be."""

import itertools
import json

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

import zoo
from zoo.serving import kernels
from zoo.serving.export import KERNELS, ops_of
from zoo.training.keras_private import layers_of

TIME, UNITS, FEATURES = kernels.STEPS + 3, 5, 3
KINDS = [layers.LSTM, layers.GRU, layers.SimpleRNN]
GENERATOR = np.random.default_rng(0)
MASK = GENERATOR.random((6, TIME)) > 0.4  # with gaps
MASK[1] = False  # no real step
MASK[2] = np.arange(TIME) < 9  # padded on the right
MASK[3] = np.arange(TIME) >= 4  # and on the left
MASK[4] = True
X = GENERATOR.normal(size=(6, TIME, FEATURES)).astype("float32")


def with_weights(layer):
    layer.build((None, None, FEATURES))
    for variable in layer.variables:
        variable.assign(GENERATOR.normal(0, 0.5, variable.shape))
    return layer


def states_of(layer, given):
    count = 2 if isinstance(layer, layers.LSTM) else 1
    size = (len(X), UNITS)
    values = [GENERATOR.normal(size=size) if given else np.zeros(size) for _ in range(count)]
    return tuple(tf.constant(value, tf.float32) for value in values)


@pytest.mark.parametrize("few", [0, 100], ids=["loop", "op"])
@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_outputs_and_states_are_those_of_keras_for_any_mask(kind, few):
    for masked, sequences, backwards, zeros in itertools.product([True, False], repeat=4):
        layer = with_weights(
            kind(
                *(UNITS,),
                return_sequences=sequences,
                return_state=True,
                go_backwards=backwards,
                zero_output_for_mask=zeros,
            )
        )
        states = states_of(layer, given=zeros)
        mask = tf.constant(MASK) if masked else None
        due = layer(tf.constant(X), initial_state=list(states), mask=mask)
        last, outputs, ends = kernels.run(layer, tf.constant(X), states, mask, few=few)
        found = [outputs if sequences else last, *ends]
        for mine, expected in zip(found, due, strict=True):
            np.testing.assert_allclose(mine, expected, rtol=0, atol=1e-6)


def test_other_options_and_subclasses_are_left_to_keras():
    class Mine(layers.LSTM):
        pass

    assert kernels.kernel_of(layers.LSTM(2)) == kernels.BLOCK
    assert kernels.kernel_of(layers.LSTM(2, activation="relu")) == kernels.LOOP
    assert kernels.kernel_of(layers.SimpleRNN(2, activation="relu")) == kernels.LOOP
    for layer in (
        *(Mine(2), layers.GRU(2, reset_after=False), layers.LSTM(2, unroll=True)),
        *(layers.GRU(2, stateful=True), layers.LSTM(2, dtype="mixed_float16")),
        layers.RNN(layers.LSTMCell(2)),
    ):
        assert kernels.kernel_of(layer) is None


def test_networks_within_serving_and_without(caplog):
    ids = keras.Input((None,), dtype="int32")
    x = layers.Embedding(9, FEATURES, mask_zero=True)(ids)
    x = layers.Bidirectional(layers.LSTM(4, return_sequences=True, use_cudnn=False))(x)
    x = layers.GRU(4, return_sequences=True, use_bias=False, use_cudnn=False)(x)
    x = layers.Bidirectional(layers.SimpleRNN(4, activation="relu"), merge_mode="sum")(x)
    model = keras.Model(ids, x)
    rows = tf.constant([[1, 2, 3, 4, 5], [6, 7, 0, 0, 0], [8, 0, 0, 0, 0]])

    def ops(serving):
        @tf.function
        def call(rows):
            return model(rows, training=False)

        if serving:
            with kernels.serving():
                concrete = call.get_concrete_function(rows)
        else:
            concrete = call.get_concrete_function(rows)
        graph = concrete.graph.as_graph_def()
        nodes = [*graph.node, *(node for each in graph.library.function for node in each.node_def)]
        return concrete(rows), {node.op for node in nodes}

    due, before = ops(False)
    kernels.prepare(model)
    with caplog.at_level("WARNING", logger="tensorflow"):
        found, used = ops(True)
    assert not caplog.messages  # users see these who import TensorFlow first
    np.testing.assert_allclose(found, due, rtol=0, atol=1e-6)
    assert "BlockLSTMV2" in used - before
    outside, after = ops(False)  # as an export to LiteRT traces it
    assert after == before
    np.testing.assert_array_equal(outside, due)
    assert set(kernels.kernels_of(model).values()) == {kernels.BLOCK, kernels.LOOP}


def test_training_is_left_to_keras():
    layer = with_weights(layers.LSTM(UNITS, dropout=0.5, use_cudnn=False))
    model = keras.Sequential([layer])
    kernels.prepare(model)
    with kernels.serving():
        keras.utils.set_random_seed(0)
        one = model(X, training=True)
        assert np.abs(one - model(X, training=True)).max() > 0.01


def test_an_export_has_them_and_says_so(sample_run, tmp_path):
    predictor = zoo.load(sample_run)
    version = zoo.export(predictor, tmp_path, warmup=0)
    assert "BlockLSTMV2" in ops_of(version)
    (about,) = json.loads((version / "assets.extra" / KERNELS).read_text())["recurrent_layers"]
    lstm = [layer.path for layer in layers_of(predictor.model) if type(layer) is layers.LSTM]
    assert about == dict.fromkeys(lstm, kernels.BLOCK)
    names = [name for name, _ in tf.train.list_variables(str(version / "variables/variables"))]
    stored = [name for name in names if name.endswith("VARIABLE_VALUE")]
    assert len(stored) == len(predictor.model.weights)  # each once


def test_a_long_sequence():
    layer = with_weights(layers.SimpleRNN(UNITS))
    x = tf.zeros([1, 100_003, FEATURES])
    states = (tf.zeros([1, UNITS]),)
    last, *_ = tf.function(lambda x: kernels.run(layer, x, states, None))(x)
    assert np.isfinite(last).all()
