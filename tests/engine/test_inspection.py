"""Gradients, gates and influence inside recurrent layers, against NumPy and hand computations."""

import keras
import numpy as np
import pytest
from keras import layers

from recipes import anatomy
from recipes.anatomy import gru, lstm
from zoo import UsageError
from zoo.inspection.capture import capture
from zoo.inspection.gates import gates
from zoo.inspection.layer import Layer, labels_of
from zoo.inspection.summarize import effective_span, gradient_reach, summary
from zoo.inspection.unroll import unroll

CELLS = {"simplernn": layers.SimpleRNN, "lstm": layers.LSTM, "gru": layers.GRU}
NUMPY = {"simplernn": anatomy.simple_rnn, "lstm": anatomy.lstm, "gru": anatomy.gru}


@pytest.fixture
def batch():
    keras.utils.set_random_seed(1)
    x = np.random.default_rng(1).normal(size=(3, 7, 4)).astype("float32")
    for row, length in enumerate((7, 4, 1)):
        x[row, length:] = 0
    return x, np.array([[1.0], [-1.0], [0.5]], "float32")


def compiled(*stack, loss="mse"):
    model = keras.Sequential([keras.Input((None, 4)), *stack])
    model.compile(loss=loss)
    return model


@pytest.mark.parametrize("cell", CELLS)
def test_gradients_are_those_of_backpropagation_through_time(cell, batch):
    kind = CELLS[cell]
    below, above = kind(5, return_sequences=True), layers.Bidirectional(kind(3))
    model = compiled(layers.Masking(), below, above, layers.Dense(1))
    loss, (first, there, back) = capture(model, *batch)
    assert loss == pytest.approx(model.evaluate(*batch, verbose=0), rel=1e-5)
    assert first.lengths.tolist() == there.lengths.tolist() == back.lengths.tolist() == [7, 4, 1]
    assert [each.backwards for each in (first, there, back)] == [False, False, True]
    for each in (first, there, back):
        numbers = NUMPY[cell]
        weights = numbers.from_keras(each.layer.get_weights())
        _, _, cache = numbers.forward(each.x, weights, each.mask)
        expected = numbers.backward(each.d_outputs, cache)
        unrolled = unroll(each)
        np.testing.assert_allclose(
            unrolled.gradients[each.mask], expected.through_time[each.mask], rtol=1e-4, atol=1e-6
        )
        states = np.stack([step["a"] for step in cache["steps"]], axis=1)
        np.testing.assert_allclose(unrolled.states[each.mask], states[each.mask], atol=1e-6)
    # Both directions have read the same: what comes down from it goes into the layer below.
    for d_x in (there.d_x, back.in_order(back.d_x)):
        np.testing.assert_allclose(first.d_outputs, d_x, rtol=1e-4, atol=1e-6)


def linear(recurrent, batch, loss="mse"):
    """Captures a layer h_t = recurrent · h_{t-1} + x_t with four units."""
    layer = layers.SimpleRNN(4, activation="linear", return_sequences=True)
    model = compiled(layer, layers.Lambda(lambda states: states[:, -1, :1]), loss=loss)
    layer.set_weights([np.eye(4), recurrent * np.eye(4), np.zeros(4)])
    _, (captured,) = capture(model, *batch)
    return captured


@pytest.mark.parametrize("recurrent", [0.5, 1.5])
def test_a_known_factor_a_step(recurrent, batch):
    x = np.ones((2, 12, 4), "float32")
    unrolled = unroll(linear(recurrent, (x, np.zeros((2, 1), "float32"))))
    np.testing.assert_allclose(unrolled.jacobians, recurrent, rtol=1e-5)
    np.testing.assert_allclose(unrolled.memory[0], recurrent ** np.arange(11.0, -1, -1), rtol=1e-5)


def test_summaries(batch):
    x, y = np.ones((2, 12, 4), "float32"), np.zeros((2, 1), "float32")
    lines = []
    for recurrent in (0.5, 1.0, 1.5):
        captured = linear(recurrent, (x, y))
        lines.append(summary(Layer(captured, unroll(captured), {})))
    # 0.5^6 > 0.01 > 0.5^7: seven steps, the last one included; 1.5^11 = 86.5
    assert "reaches 7 of 12 steps back before it falls below 1 %" in lines[0]
    assert "reaches all 12 steps back" in lines[1]
    assert "grows 86-fold on its way back: it explodes" in lines[2]


def test_reach_counts_from_the_end():
    assert gradient_reach([1.0, 0.5, 0.02, 0.009, 0.0]) == 3
    assert gradient_reach([1.0, 0.001, 0.5]) == 1  # what has fallen has not reached further
    assert gradient_reach([0.0, 0.0, 2.0, 0.001]) == 3  # the loss may not see the last step
    assert gradient_reach([0.0, 0.0]) == effective_span([0.0, 0.0]) == 0
    assert effective_span([1.0, 0.001, 0.5]) == 2


def test_influence_of_a_sum_is_each_number(batch):
    def minus(y, answer):
        return -keras.ops.sum(answer, axis=-1)

    captured = linear(1.0, batch, loss=minus)
    influence = -(captured.x * captured.d_x).sum(axis=-1)
    np.testing.assert_allclose(influence, batch[0][:, :, 0], atol=1e-6)


def test_gates_without_weights_are_at_their_bias(batch):
    model = compiled(layers.LSTM(2), layers.Dense(1))
    model.layers[0].set_weights([np.zeros((4, 8)), np.zeros((2, 8)), np.repeat([0, 1, 0, -9], 2)])
    _, (captured,) = capture(model, *batch)
    opened = {
        name: values.mean() for name, values in gates(captured, unroll(captured).states).items()
    }
    assert opened == pytest.approx({"input": 0.5, "forget": 0.7310586, "output": 0.0001234}, 1e-3)


@pytest.mark.parametrize("reset_after", [True, False])
@pytest.mark.parametrize("backwards", [True, False])
def test_gates_are_those_of_the_cells_step_by_step(batch, backwards, reset_after):
    kinds = ((layers.LSTM, {}, lstm, {"input": "Γ_i", "forget": "Γ_f", "output": "Γ_o"}),)
    kinds += ((layers.GRU, {"reset_after": reset_after}, gru, {"update": "z", "reset": "r"}),)
    for kind, options, cell, names in kinds:
        layer = kind(3, go_backwards=backwards, bias_initializer="glorot_normal", **options)
        _, (captured,) = capture(compiled(layers.Masking(), layer, layers.Dense(1)), *batch)
        weights = cell.from_keras(layer.get_weights())
        _, _, cache = cell.forward(captured.x, weights, captured.mask, captured.initial)
        opened = gates(captured, unroll(captured).states)
        assert opened.keys() == names.keys()
        for gate, values in opened.items():
            expected = np.stack([step[names[gate]] for step in cache["steps"]], axis=1)
            np.testing.assert_allclose(values[captured.mask], expected[captured.mask], atol=1e-6)


def test_a_layer_without_a_mask_is_read_to_the_last_step_that_counts(batch):
    """Backwards, these are the first steps that it reads."""
    layer = layers.GRU(2, return_sequences=True, go_backwards=True)
    model = compiled(layer, layers.Lambda(lambda states: states[:, 2]), layers.Dense(1))
    _, (captured,) = capture(model, *batch)
    assert captured.backwards
    assert captured.mask.tolist() == [[True] * 3 + [False] * 4] * 3
    assert captured.in_order(captured.mask)[0].tolist() == [False] * 4 + [True] * 3


def test_several_cells_in_one_layer_are_refused(batch):
    model = compiled(layers.RNN([layers.GRUCell(2), layers.GRUCell(2)]), layers.Dense(1))
    with pytest.raises(UsageError, match="has several cells"):
        capture(model, *batch)


def test_cells_of_other_kinds_have_no_gates_but_gradients(batch):
    model = compiled(layers.LSTM(2, activation="relu"), layers.Dense(1))
    _, (captured,) = capture(model, *batch)
    assert gates(captured, unroll(captured).states) == {}
    assert np.isfinite(unroll(captured).gradients).all()


def test_names_do_not_depend_on_what_the_process_has_built_before(batch):
    names = []
    for _ in range(2):
        stack = [layers.GRU(2, return_sequences=True), layers.GRU(2, return_sequences=True)]
        model = compiled(*stack, layers.Bidirectional(layers.GRU(2)), layers.Dense(1))
        names.append([each.name for each in capture(model, *batch)[1]])
    assert names[0] == names[1]
    assert len(set(names[0])) == 4


def test_labels_are_those_of_the_layer_and_of_real_steps(batch):
    model = compiled(layers.Masking(), layers.LSTM(2, name="decoder"), layers.Dense(1))
    _, (captured,) = capture(model, *batch)
    labels = {"": list("abcdefgh"), "dec": list("ABCDEFGH"), "encoder": list("xyz")}
    assert labels_of(captured, 1, labels) == ["A", "B", "C", "D"]
    assert labels_of(captured, 1, {}) == ["1", "2", "3", "4"]
    assert labels_of(captured, 1, {"": ["a", "b"]}) == ["a", "b", "3", "4"]
