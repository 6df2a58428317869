"""Layer normalisation inside the cell, against a loop in NumPy."""

import keras
import numpy as np
import pytest

from recipes.toys.normalised import LayerNormCell

UNITS = 3


def normal(a, gain, bias):
    return gain * (a - a.mean(-1, keepdims=True)) / np.sqrt(a.var(-1, keepdims=True) + 1e-5) + bias


def sigmoid(a):
    return 1 / (1 + np.exp(-a))


def loop(kind, x, weights):
    """The equations of the docstring, step by step, each gate by itself."""
    W, U, b, g, *cell = weights
    count = W.shape[1] // UNITS
    h = c = np.zeros((len(x), UNITS))
    for t in range(x.shape[1]):
        xs, us = np.split(x[:, t] @ W, count, -1), np.split(h @ U, count, -1)
        bs, gs = np.split(b, count), np.split(g, count)
        if kind == "simplernn":
            h = np.tanh(normal(xs[0] + us[0], gs[0], bs[0]))
        elif kind == "lstm":
            i, f, new, o = (normal(xs[k] + us[k], gs[k], bs[k]) for k in range(4))
            c = sigmoid(f) * c + sigmoid(i) * np.tanh(new)
            h = sigmoid(o) * np.tanh(normal(c, cell[1], cell[0]))
        else:
            z, r = (sigmoid(normal(xs[k] + us[k], gs[k], bs[k])) for k in range(2))
            h = z * h + (1 - z) * np.tanh(normal(xs[2] + r * us[2], gs[2], bs[2]))
    return h


@pytest.mark.parametrize("kind", ["simplernn", "lstm", "gru"])
def test_it_is_the_equations_and_is_saved_and_loaded(kind, tmp_path):
    random = np.random.default_rng(0)
    inputs = keras.Input((None, 2))
    layer = keras.layers.RNN(LayerNormCell(UNITS, kind, unit_forget_bias=False))
    model = keras.Model(inputs, layer(keras.layers.Masking()(inputs)))
    assert not layer.get_weights()[2].any()  # biases
    model.set_weights([random.normal(size=w.shape) for w in model.get_weights()])
    x = random.normal(size=(4, 5, 2)).astype("float32")
    names = [weight.name for weight in layer.weights]
    assert names[2:] == ["bias", "gain", "cell_bias", "cell_gain"][: len(names) - 2]
    np.testing.assert_allclose(model(x), loop(kind, x, model.get_weights()), rtol=2e-5, atol=2e-6)
    padded = np.concatenate([x, np.zeros((4, 2, 2), "float32")], axis=1)
    np.testing.assert_allclose(model(padded), model(x), rtol=1e-6)
    model.save(tmp_path / "model.keras")
    np.testing.assert_array_equal(keras.models.load_model(tmp_path / "model.keras")(x), model(x))


def test_only_the_forget_gate_of_an_lstm_starts_open():
    for kind, expected in (("lstm", [0, 1, 0, 0]), ("gru", [0, 0, 0]), ("simplernn", [0])):
        cell = LayerNormCell(UNITS, kind)
        cell.build((None, 2))
        np.testing.assert_array_equal(cell.bias, np.repeat(expected, UNITS))
        if kind == "lstm":
            assert not np.any(cell.cell_bias)


def test_half_precision_does_not_overflow():
    cell = LayerNormCell(UNITS, "simplernn", dtype="float16")
    cell.build((None, 2))
    x = np.full((1, 2), 3e4, "float16")  # its square is beyond float16
    h, _ = cell(x, cell.get_initial_state(1))
    assert h.dtype == "float16"
    assert np.isfinite(np.asarray(h)).all()
    assert np.abs(np.asarray(h)).max() > 0.1


def test_an_unknown_kind_is_refused():
    with pytest.raises(ValueError, match="simplernn, lstm, gru; got 'rnn'"):
        LayerNormCell(4, "rnn")
