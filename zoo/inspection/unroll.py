"""One recurrent layer, unrolled by its cell: the gradient at each of its states.

Keras runs a layer as one operation, whose inner gradients are not accessible. Here the layer's
cell is called step by step, so that every state is a separate tensor. This works for any cell.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import tensorflow as tf

from zoo.inspection.capture import Capture

MAX_JACOBIANS = 64  # steps of a row whose Jacobian is computed: each needs one pass per unit


@dataclasses.dataclass(frozen=True)
class Unrolled:
    """Result of `unroll`; time is in the order in which the layer reads.

    Attributes:
      states: h_t, float32 `(batch, time, units)`; padded steps repeat the last one.
      gradients: ∂L/∂h_t along all paths to the loss, float32 `(batch, time, units)`.
      memory: ‖∂(v·h_T)/∂h_t‖, float32 `(batch, time)`, for the last real step T and a random unit
        vector v: how much of a state reaches the end through the recurrence alone. 1 at T.
      jacobian_steps: the steps of the first row at which `jacobians` were computed.
      jacobians: spectral norms ‖∂h_t/∂h_{t-1}‖₂ at these steps: the largest factor by which a small
        change of h can grow in one step. Other states, such as an LSTM's cell, are held constant:
        paths through them are not included.
    """

    states: np.ndarray
    gradients: np.ndarray
    memory: np.ndarray
    jacobian_steps: list[int]
    jacobians: list[float]


def unroll(layer_call: Capture, seed: int = 0) -> Unrolled:
    """Unrolls a layer over one batch.

    Args:
      layer_call: the inputs of the layer, and the gradients at its outputs.
      seed: of the vector v.
    """
    cell = layer_call.layer.cell
    x = tf.constant(layer_call.x)
    mask = tf.constant(layer_call.mask)
    steps = x.shape[1]
    states: list[Any] = [tf.constant(state) for state in layer_call.initial]
    before: list[list[Any]] = []  # the states before each step
    hidden, total = [], tf.constant(0.0)
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(states)
        output = tf.zeros_like(layer_call.d_outputs[:, 0])
        for t in range(steps):
            before.append(states)
            new_output, new = cell(x[:, t], states, training=False)
            real = mask[:, t, tf.newaxis]
            states = [
                tf.where(real, one, other)
                for one, other in zip(tf.nest.flatten(new), states, strict=True)
            ]
            hidden.append(states[0])
            # The output of Keras' cells is their first state. The loss must then depend on the same
            # tensor.
            is_state = new_output is tf.nest.flatten(new)[0]
            output = states[0] if is_state else tf.where(real, new_output, output)
            # A surrogate loss with the same gradients at the outputs as L.
            total += tf.reduce_sum(output * layer_call.d_outputs[:, t])
        for state, d_state in zip(states, layer_call.d_states, strict=False):
            total += tf.reduce_sum(state * d_state)
        v = np.random.default_rng(seed).normal(size=states[0].shape).astype(np.float32)
        v /= np.linalg.norm(v, axis=-1, keepdims=True)
        end = tf.reduce_sum(states[0] * v)
    zero = tf.UnconnectedGradients.ZERO
    gradients = [d.numpy() for d in tape.gradient(total, hidden, unconnected_gradients=zero)]
    memory = [d.numpy() for d in tape.gradient(end, hidden, unconnected_gradients=zero)]
    del tape
    length = int(layer_call.lengths[0])
    first = int(layer_call.mask[0].argmax())  # read backwards, padding comes first
    chosen = np.unique(np.linspace(first, first + length - 1, MAX_JACOBIANS).round().astype(int))
    return Unrolled(
        states=np.stack([state.numpy() for state in hidden], axis=1),
        gradients=np.stack(gradients, axis=1),
        memory=np.linalg.norm(np.stack(memory, axis=1), axis=-1),
        jacobian_steps=chosen.tolist(),
        jacobians=[
            float(np.linalg.norm(_jacobian(cell, x[:1, t], [s[:1] for s in before[t]]), 2))
            for t in chosen
        ],
    )


def _jacobian(cell: Any, x: Any, states: list[Any]) -> np.ndarray:
    """Returns ∂h_t/∂h_{t-1} of one example, float32 `(units, units)`: one row per unit of h_t.

    Other states, such as an LSTM's cell, are held constant.
    """
    units = states[0].shape[-1]
    x, *states = (tf.repeat(each, units, axis=0) for each in (x, *states))
    with tf.GradientTape() as tape:
        tape.watch(states[0])
        _, new = cell(x, states, training=False)
        total = tf.reduce_sum(tf.linalg.diag_part(tf.nest.flatten(new)[0]))
    return tape.gradient(total, states[0]).numpy()
