"""The cells in NumPy are Keras' cells: outputs, states and every gradient; and true derivatives."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from recipes.anatomy import bidirectional, gru, lstm, simple_rnn, stacked
from recipes.anatomy.cell import sigmoid
from zoo.errors import ZooError

BATCH, TIME, FEATURES, UNITS = 3, 6, 4, 5
CELLS = {
    "simple_rnn": (simple_rnn, layers.SimpleRNN, {}),
    "lstm": (lstm, layers.LSTM, {}),
    "gru": (gru, layers.GRU, {}),
    "gru classic": (gru, layers.GRU, {"reset_after": False}),
}
# Padded on the right, on the left, with a hole; a row that is all padding.
MASK = np.array([[1, 1, 1, 0, 0, 0], [0, 0, 1, 0, 1, 1], [0] * 6], bool)


@pytest.fixture(params=CELLS)
def kind(request):
    return CELLS[request.param]


@pytest.fixture
def random():
    generator = np.random.default_rng(3)

    def random(*shape):
        return generator.normal(size=shape)

    return random


def made(layer, dtype, random):
    """Builds a layer, gives every weight (biases too) random values, returns these."""
    layer.build((BATCH, TIME, FEATURES))
    arrays = [(0.5 * random(*array.shape)).astype(dtype) for array in layer.get_weights()]
    layer.set_weights(arrays)
    return arrays


def theirs(call, layer_weights, inputs):
    """Returns what `call(*inputs)` gives in Keras, and the gradients of all and of the weights.

    The loss weighs every number of every output differently, so that no error cancels.
    """
    inputs = [tf.Variable(value) for value in inputs]
    with tf.GradientTape() as tape:
        results = call(*inputs)
        loss = sum(tf.reduce_sum(r * upstream(r.shape, r.dtype.name)) for r in results)
    gradients = tape.gradient(loss, [*inputs, *layer_weights], unconnected_gradients="zero")
    return [r.numpy() for r in results], [tf.convert_to_tensor(g).numpy() for g in gradients]


def upstream(shape, dtype):
    return np.cos(np.arange(np.prod(shape))).reshape(shape).astype(dtype)


def assert_close(ours, keras_values, dtype):
    """Relative to the largest number of each array: single ones may be sums that cancel."""
    tolerance = {"float32": 1e-5, "float64": 1e-10}[dtype]
    assert len(ours) == len(keras_values) > 0
    for one, other in zip(ours, keras_values, strict=True):
        assert one.shape == other.shape
        assert one.dtype == dtype
        np.testing.assert_allclose(one, other, rtol=0, atol=tolerance * max(1, abs(other).max()))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("mask", [None, MASK])
@pytest.mark.parametrize("started", [False, True])
def test_a_cell_is_that_of_keras_and_so_is_every_gradient(kind, dtype, mask, started, random):
    cell, keras_layer, options = kind
    layer = keras_layer(UNITS, return_sequences=True, return_state=True, dtype=dtype, **options)
    arrays = made(layer, dtype, random)
    x = random(BATCH, TIME, FEATURES).astype(dtype)
    many = 2 if cell is lstm else 1
    initial = [random(BATCH, UNITS).astype(dtype) for _ in range(many)] if started else None

    def call(x, *states):
        return layer(x, mask=mask, initial_state=list(states) or None)

    values, gradients = theirs(call, layer.trainable_variables, [x, *(initial or [])])
    outputs, states, cache = cell.forward(x, cell.from_keras(arrays), mask, initial)
    assert_close([outputs, *states], values, dtype)
    d_outputs, *d_states = (upstream(value.shape, dtype) for value in values)
    ours = cell.backward(d_outputs, cache, d_states)
    there = [ours.x, *(ours.initial if started else ()), *cell.to_keras(ours.weights)]
    assert_close(there, gradients, dtype)


@pytest.mark.parametrize("sequences", [False, True])
@pytest.mark.parametrize("mask", [None, MASK])
def test_going_backwards_and_both_ways_is_keras_too(kind, mask, sequences, random):
    cell, keras_layer, options = kind
    options = {**options, "return_sequences": sequences, "dtype": "float64"}
    x = random(BATCH, TIME, FEATURES)

    layer = keras_layer(UNITS, go_backwards=True, **options)
    arrays = made(layer, "float64", random)
    expected, _ = theirs(lambda x: [layer(x, mask=mask)], [], [x])
    back = None if mask is None else mask[:, ::-1]
    outputs, _, _ = cell.forward(x[:, ::-1], cell.from_keras(arrays), back)
    assert_close([outputs if sequences else outputs[:, -1]], expected, "float64")

    layer = layers.Bidirectional(keras_layer(UNITS, **options), dtype="float64")
    arrays = made(layer, "float64", random)
    both = bidirectional(cell)
    values, gradients = theirs(lambda x: [layer(x, mask=mask)], layer.trainable_variables, [x])
    outputs, states, cache = both.forward(x, both.from_keras(arrays), mask)
    ends = [0, len(states) // 2]  # where the a of each direction stands
    joined = np.concatenate([states[place] for place in ends], axis=-1)
    assert_close([outputs if sequences else joined], values, "float64")
    d_outputs = np.zeros_like(outputs)
    d_states = [np.zeros_like(state) for state in states]
    if sequences:
        d_outputs += upstream(outputs.shape, "float64")
    else:
        given = np.split(upstream(joined.shape, "float64"), 2, axis=-1)
        for place, each in zip(ends, given, strict=True):
            d_states[place] += each
    ours = both.backward(d_outputs, cache, d_states)
    assert_close([ours.x, *both.to_keras(ours.weights)], gradients, "float64")


@pytest.mark.parametrize("mask", [None, MASK])
def test_a_stack_of_different_cells_is_keras(mask, random):
    def rnn(layer, **options):
        return layer(UNITS, return_sequences=True, dtype="float64", **options)

    built = [
        layers.Bidirectional(rnn(layers.LSTM), dtype="float64"),
        rnn(layers.GRU),
        rnn(layers.SimpleRNN),
    ]
    x = random(BATCH, TIME, FEATURES)
    arrays, features = [], FEATURES
    for layer in built:
        layer.build((BATCH, TIME, features))
        layer.set_weights([0.5 * random(*array.shape) for array in layer.get_weights()])
        arrays.append(layer.get_weights())
        features = layer.compute_output_shape((BATCH, TIME, features))[-1]

    def call(x):
        for layer in built:
            x = layer(x, mask=mask)
        return [x]

    variables = [variable for layer in built for variable in layer.trainable_variables]
    values, gradients = theirs(call, variables, [x])
    deep = stacked([bidirectional(lstm), gru, simple_rnn])
    outputs, _, cache = deep.forward(x, deep.from_keras(arrays), mask)
    assert_close([outputs], values, "float64")
    ours = deep.backward(upstream(outputs.shape, "float64"), cache)
    by_layer = [array for layer in deep.to_keras(ours.weights) for array in layer]
    assert_close([ours.x, *by_layer], gradients, "float64")


@pytest.mark.parametrize("mask", [None, MASK])
def test_every_gradient_is_a_difference_quotient(kind, mask, random):
    """Against nobody's program: (L(w + h) - L(w - h)) / 2h of every single number."""
    cell, keras_layer, options = kind
    arrays = made(keras_layer(UNITS, dtype="float64", **options), "float64", random)
    weights = cell.from_keras(arrays)
    x = random(BATCH, TIME, FEATURES)
    initial = [random(BATCH, UNITS) for _ in range(2 if cell is lstm else 1)]

    def loss():
        outputs, states, cache = cell.forward(x, weights, mask, initial)
        found = [outputs, *states]
        d = [upstream(value.shape, "float64") for value in found]
        return sum(np.sum(value * each) for value, each in zip(found, d, strict=True)), d, cache

    _, (d_outputs, *d_states), cache = loss()
    ours = cell.backward(d_outputs, cache, d_states)
    pairs = [(x, ours.x), *zip(initial, ours.initial, strict=True)]
    pairs += [(weights[name], ours.weights[name]) for name in weights]
    for place, gradient in pairs:
        quotient = np.zeros_like(gradient)
        for index in np.ndindex(place.shape):
            kept, losses = place[index], []
            for step in (1e-5, -1e-5):
                place[index] = kept + step
                losses.append(loss()[0])
            place[index] = kept
            quotient[index] = (losses[0] - losses[1]) / 2e-5
        np.testing.assert_allclose(gradient, quotient, rtol=1e-7, atol=1e-8)


def test_the_gradient_through_time_is_that_of_each_state(kind, random):
    cell, keras_layer, options = kind
    arrays = made(keras_layer(UNITS, dtype="float64", **options), "float64", random)
    weights = cell.from_keras(arrays)
    x = random(BATCH, TIME, FEATURES)
    d_outputs = np.zeros((BATCH, TIME, UNITS))
    d_outputs[:, -1] = upstream((BATCH, UNITS), "float64")
    _, _, cache = cell.forward(x, weights)
    whole = cell.backward(d_outputs, cache)
    # Cut after step t, a<t> is the initial state of the rest.
    for t in range(TIME - 1):
        _, states, _ = cell.forward(x[:, : t + 1], weights)
        _, _, rest = cell.forward(x[:, t + 1 :], weights, None, states)
        expected = cell.backward(d_outputs[:, t + 1 :], rest).initial[0]
        np.testing.assert_allclose(whole.through_time[:, t], expected, rtol=1e-12, atol=1e-15)
    np.testing.assert_array_equal(whole.through_time[:, -1], d_outputs[:, -1])


def test_weights_go_to_names_and_back(kind, random):
    cell, keras_layer, options = kind
    layer = keras_layer(UNITS, **options)
    arrays = made(layer, "float32", random)
    again = cell.to_keras(cell.from_keras(arrays))
    for one, other in zip(again, arrays, strict=True):
        np.testing.assert_array_equal(one, other)
    with pytest.raises(ZooError, match=r"has 3 weight arrays .* got 2"):
        cell.from_keras(arrays[:2])


def test_the_forget_gate_of_a_new_lstm_is_named_rightly():
    layer = layers.LSTM(UNITS)
    layer.build((None, None, FEATURES))
    weights = lstm.from_keras(layer.get_weights())
    np.testing.assert_array_equal(weights["bf"], np.ones(UNITS))  # Keras' unit_forget_bias
    assert not any(weights[name].any() for name in ("bi", "bc", "bo"))


def test_a_sigmoid_of_large_numbers_is_quiet():
    z = np.array([-1e3, 0, 1e3])
    np.testing.assert_array_equal(sigmoid(z), [0, 0.5, 1])
    np.testing.assert_allclose(sigmoid(z / 500), keras.ops.sigmoid(z / 500), rtol=1e-6)
