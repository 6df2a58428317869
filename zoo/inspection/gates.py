"""How far the gates of LSTM and GRU are open at each step."""

from __future__ import annotations

import keras
import numpy as np
from keras import layers

from zoo.anatomy import gru, lstm
from zoo.inspection.capture import Capture

# What a gate is called, and its variable in `zoo.anatomy`.
GATES = {
    layers.LSTM: (lstm, {"input": "Γ_i", "forget": "Γ_f", "output": "Γ_o"}),
    layers.GRU: (gru, {"update": "z", "reset": "r"}),
}


def gates(layer_call: Capture) -> dict[str, np.ndarray]:
    """Returns gate to activations, 0 closed to 1 open, float32 `(batch, time, units)`.

    Time runs in the order in which the layer reads; padded steps are not meaningful. Empty for a
    layer without gates, and for cells other than Keras' LSTM and GRU with their own activations.
    """
    layer = layer_call.layer
    if type(layer) not in GATES or (
        layer.activation is not keras.activations.tanh
        or layer.recurrent_activation is not keras.activations.sigmoid
        or not layer.use_bias
    ):
        return {}
    cell, names = GATES[type(layer)]
    weights = cell.from_keras(layer.get_weights())
    _, _, cache = cell.forward(layer_call.x, weights, layer_call.mask, layer_call.initial)
    return {
        gate: np.stack([step[variable] for step in cache["steps"]], axis=1)
        for gate, variable in names.items()
    }
