"""Every recurrent layer and every batch is one that cuDNN's kernels take; no GPU is needed to see.

Where Keras sees a GPU, it hands an LSTM or GRU to cuDNN if its settings allow that, and else
computes it in a slow loop without a word. A batch with a row that is empty or not padded on the
right makes the kernel fail. Here Keras is told that there is a GPU, and what it then hands to the
kernels is looked at.
"""

import dataclasses
import importlib
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from recipes.toys.normalised import LayerNormCell
from zoo.inspection.capture import recurrent_layers

# There is no public way to ask; the package has a function of the same name.
rnn = importlib.import_module("keras.src.backend.tensorflow.rnn")


@dataclasses.dataclass
class Call:
    """One call of a recurrent layer: its mask, and whether Keras called cuDNN's kernel."""

    layer: Any
    mask: Any
    cudnn: bool


@pytest.fixture
def calls(monkeypatch):
    """All calls of recurrent layers from now on.

    Nothing is computed step by step: what the states are makes no difference to the masks.
    """
    found, asked = [], []

    def kernel(*_, **__):
        asked.append(True)
        raise NotImplementedError  # what Keras raises where there is no kernel: on to the loop

    def loop(layer, sequences, initial_state, mask, training=False):
        mask = mask[0] if isinstance(mask, (list, tuple)) else mask
        found.append(Call(layer, mask, bool(asked)))
        asked.clear()
        batch, time = keras.ops.shape(sequences)[:2]
        outputs = keras.random.uniform((batch, time, layer.state_size[0]), 0.1, 1.0)
        return outputs[:, -1], outputs, [outputs[:, -1] for _ in layer.state_size]

    monkeypatch.setattr(rnn, "_is_gpu_available", lambda: True)
    for name in ("_cudnn_lstm", "_cudnn_gru"):
        monkeypatch.setattr(rnn, name, kernel)
    monkeypatch.setattr(layers.RNN, "inner_loop", loop)
    return found


def exempt(layer):
    """Returns why a layer needs no kernel of cuDNN's; None if it does.

    A layer or cell of our own says so in its `no_cudnn`.
    """
    if type(layer) is layers.SimpleRNN:
        return "Keras has no such kernel"
    return getattr(layer, "no_cudnn", None) or getattr(layer.cell, "no_cudnn", None)


def complaints(calls):
    """Returns what is wrong with calls, each once."""
    found = set()
    for call in calls:
        if not call.cudnn and not exempt(call.layer):
            found.add(f"{call.layer.path}: computed in a loop, without cuDNN")
        if call.mask is not None:
            try:
                rnn._assert_valid_mask(call.mask)
            except tf.errors.InvalidArgumentError:
                found.add(f"{call.layer.path}: a row is empty or not padded on the right")
    return sorted(found)


def test_cudnn_takes_every_layer_and_every_batch(recipe, calls):
    sample = recipe.dataset.sample()
    config = dataclasses.replace(recipe.config, batch_size=3, units=8)
    train = recipe.augment(config, sample)
    assets = recipe.prepare(config, train)
    batches = recipe.batches(config, assets, train)
    model = recipe.build(config, assets)
    calls.clear()
    fresh = batches.renewed(seed=0, epoch=1)
    for index in fresh.order(seed=0, epoch=1):
        model(fresh.take(index)[0], training=True)
    assert not complaints(calls)
    recurrent = recurrent_layers(model)
    assert {call.layer.path for call in calls} == {layer.path for layer in recurrent}
    assert bool(recurrent) == (recipe.topology != "one-to-one")


SEQUENCES = np.ones((2, 3, 4), "float32")


@keras.saving.register_keras_serializable("tests")
class Around(layers.Layer):
    """A layer with a recurrent layer inside."""

    def __init__(self, inner):
        super().__init__()
        self.inner = layers.Bidirectional(inner)

    def call(self, inputs):
        return self.inner(inputs)


@pytest.mark.parametrize(
    ("kind", "settings"),
    [
        (layers.LSTM, {"recurrent_dropout": 0.1}),
        (layers.LSTM, {"activation": "relu"}),
        (layers.LSTM, {"use_bias": False}),
        (layers.LSTM, {"unroll": True}),
        (layers.LSTM, {"use_cudnn": False}),
        (layers.GRU, {"recurrent_activation": "hard_sigmoid"}),
        (layers.GRU, {"reset_after": False}),
        (layers.GRU, {"recurrent_dropout": 0.1}),
    ],
)
def test_a_layer_that_cudnn_cannot_compute_is_noticed(kind, settings, calls):
    Around(kind(4, dropout=0.1, return_sequences=True))(SEQUENCES, training=True)
    assert not complaints(calls)
    Around(kind(4, **settings))(SEQUENCES, training=True)
    assert len(complaints(calls)) == 2  # forward and backward


def test_a_cell_needs_a_reason_to_go_without_cudnn(calls):
    layers.SimpleRNN(4)(SEQUENCES)
    layers.RNN(LayerNormCell(4, "lstm"))(SEQUENCES)
    assert not any(call.cudnn for call in calls)
    assert not complaints(calls)
    layers.RNN(layers.LSTMCell(4), name="own")(SEQUENCES)
    assert complaints(calls) == ["own: computed in a loop, without cuDNN"]


@pytest.mark.parametrize("wrong", [[0, 0, 5], [5, 0, 5], [0, 0, 0]])
@pytest.mark.parametrize("kind", [layers.SimpleRNN, layers.LSTM, layers.GRU])
def test_a_row_that_is_empty_or_not_padded_on_the_right_is_noticed(kind, wrong, calls):
    network = keras.Sequential([layers.Embedding(9, 2, mask_zero=True), kind(4, name="reader")])
    network(np.array([[5, 5, 5], [5, 5, 0]]))
    assert not complaints(calls)
    network(np.array([[5, 5, 5], wrong]))
    assert len(complaints(calls)) == 1
    assert "not padded on the right" in complaints(calls)[0]
