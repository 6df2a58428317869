"""One forward and backward pass that records the inputs and outputs of recurrent layers."""

from __future__ import annotations

import dataclasses
import re
from collections import Counter
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import layers

from zoo.errors import UsageError
from zoo.training.keras_private import layers_of, wrapped_calls


@dataclasses.dataclass(frozen=True)
class Capture:
    """One call of one recurrent layer; time is in the order in which the layer reads.

    Attributes:
      name: of the layer, with the names of the enclosing layers: `bidirectional/forward_lstm`.
      layer: the layer.
      backwards: whether the layer reads from the last step to the first.
      x: inputs, float32 `(batch, time, features)`.
      mask: real steps, bool `(batch, time)`.
      initial: the states before the first step, float32 `(batch, units)` each.
      d_outputs: ∂L/∂output of each step, float32 `(batch, time, units)`, without the paths through
        later steps of this layer.
      d_states: ∂L/∂last states, float32 `(batch, units)` each.
      d_x: ∂L/∂x along all paths, also through other layers, float32 `(batch, time, features)`.
    """

    name: str
    layer: Any
    backwards: bool
    x: np.ndarray
    mask: np.ndarray
    initial: list[np.ndarray]
    d_outputs: np.ndarray
    d_states: list[np.ndarray]
    d_x: np.ndarray

    @property
    def lengths(self) -> np.ndarray:
        """Real steps of each row, int64 `(batch,)`."""
        return self.mask.sum(axis=1)

    def in_order(self, values: np.ndarray) -> np.ndarray:
        """Returns values over time `(batch, time, …)`, of any dtype, in the order of the input."""
        return values[:, ::-1] if self.backwards else values


def recurrent_layers(model: keras.Model) -> list[Any]:
    """Returns the recurrent layers of a model, including those inside other layers."""
    return [layer for layer in layers_of(model) if isinstance(layer, layers.RNN)]


def capture(model: keras.Model, x: Any, y: Any) -> tuple[float, list[Capture]]:
    """Runs a compiled model on one batch, forward and backward.

    Args:
      model: compiled with the loss L.
      x, y: a batch as `Batches.take` returns it: arrays `(rows, …)` or dicts of these.

    Returns:
      The loss, and one capture per call of a recurrent layer, in the order of the calls.
      Gradients are those of each row's own loss: L is a mean over the rows, so that its gradients
      are multiplied by the number of rows.
    """
    recurrent = recurrent_layers(model)
    names = _names(model, recurrent)
    calls: list[tuple] = []
    tape = tf.GradientTape(persistent=True)

    def recording(layer: Any, call: Any) -> Any:
        def record(
            sequence: Any, initial_state: Any = None, mask: Any = None, training: Any = False
        ) -> Any:
            tape.watch(sequence)  # the model's input is not a trainable variable
            outputs = call(sequence, initial_state=initial_state, mask=mask, training=training)
            calls.append((layer, sequence, initial_state, mask, outputs))
            return outputs

        return record

    with tape, wrapped_calls(recurrent, recording):
        answer = model(x, training=False)
        loss = model.compute_loss(x, y, answer, training=False)
    rows = len(calls[0][1]) if calls else 1
    captures = []
    for layer, sequence, initial, mask, outputs in calls:
        output, *states = outputs if layer.return_state else [outputs]
        variables = [output, *states, sequence]
        zero = tf.UnconnectedGradients.ZERO
        d_output, *d_states, d_x = (
            rows * d.numpy() for d in tape.gradient(loss, variables, unconnected_gradients=zero)
        )
        batch, time = sequence.shape[:2]
        if not layer.return_sequences:  # it is the state after the last step
            whole = np.zeros((batch, time, d_output.shape[-1]), np.float32)
            whole[:, -1] = d_output
            d_output = whole
        if initial is None:
            initial = layer.get_initial_state(batch)
        if isinstance(layer.cell, layers.StackedRNNCells):
            raise UsageError(
                f"The layer {names[id(layer)]} has several cells; to inspect them, give each cell "
                "a separate RNN layer."
            )
        backwards = layer.go_backwards
        steps = slice(None, None, -1 if backwards else 1)
        # Keras returns the outputs in the order in which the layer has read the steps.
        real = _reached(d_output, d_states) if mask is None else np.array(mask, bool)[:, steps]
        captures.append(
            Capture(
                name=names[id(layer)],
                layer=layer,
                backwards=backwards,
                x=np.array(sequence)[:, steps],
                mask=real,
                initial=[np.array(state) for state in tf.nest.flatten(initial)],
                d_outputs=d_output,
                d_states=d_states,
                d_x=d_x[:, steps],
            )
        )
    return float(loss), captures


def _reached(d_output: np.ndarray, d_states: list[np.ndarray]) -> np.ndarray:
    """Returns the real steps, bool `(batch, time)`, of a layer without a mask.

    These are the steps up to the last one that L depends on."""
    after = np.abs(d_output).sum(axis=-1) > 0  # (batch, time)
    after[:, -1] |= any(np.any(d) for d in d_states)
    after = np.maximum.accumulate(after[:, ::-1], axis=1)[:, ::-1]
    after[:, 0] = True
    return after


def _names(model: keras.Model, recurrent: list[Any]) -> dict[int, str]:
    """Returns the `id` of each layer to its path in the model; the same in each process."""
    names: dict[int, str] = {}
    seen: Counter[str] = Counter()
    for layer in recurrent:
        # Keras numbers the layers of a process, so that names differ in a second model.
        parts = layer.path.removeprefix(f"{model.name}/").split("/")
        name = "/".join(re.sub(r"_\d+$", "", part) for part in parts)
        seen[name] += 1
        names[id(layer)] = name if seen[name] == 1 else f"{name}-{seen[name]}"
    return names
