"""Activations of the gates of LSTM and GRU at each step."""

from __future__ import annotations

import keras
import numpy as np
from keras import layers

from zoo.inspection.capture import Capture

# The gates of a kernel in Keras' order; None is the candidate state, which is not a gate.
GATES = {
    layers.LSTM: ("input", "forget", None, "output"),
    layers.GRU: ("update", "reset", None),
}


def gates(layer_call: Capture, states: np.ndarray) -> dict[str, np.ndarray]:
    """Returns gate to its activations, 0 closed to 1 open, float32 `(batch, time, units)`.

    Time is in the order in which the layer reads; values at padded steps have no meaning. Empty
    for layers without gates, and for cells other than Keras' LSTM and GRU with default
    activations.

    Args:
      layer_call: the inputs of the layer.
      states: h_t of each step, float32 `(batch, time, units)`: `Unrolled.states`.
    """
    layer = layer_call.layer
    if type(layer) not in GATES or (
        layer.activation is not keras.activations.tanh
        or layer.recurrent_activation is not keras.activations.sigmoid
        or not layer.use_bias
    ):
        return {}
    kernel, recurrent, bias = layer.get_weights()
    bias = np.atleast_2d(bias).sum(axis=0)  # a GRU with `reset_after` has two biases
    before = np.concatenate([layer_call.initial[0][:, np.newaxis], states[:, :-1]], axis=1)
    names = GATES[type(layer)]
    parts = np.split(layer_call.x @ kernel + before @ recurrent + bias, len(names), axis=-1)
    # σ(a) = (1 + tanh(a / 2)) / 2, which does not overflow.
    return {
        name: (0.5 * (1 + np.tanh(0.5 * part))).astype(np.float32)
        for name, part in zip(names, parts, strict=True)
        if name is not None
    }
