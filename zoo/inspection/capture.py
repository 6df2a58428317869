"""One pass forward and backward, with everything that goes into and out of recurrent layers."""

from __future__ import annotations

import contextlib
import dataclasses
import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import layers

from zoo.errors import UsageError
from zoo.training.keras_private import layers_of


@dataclasses.dataclass(frozen=True)
class Capture:
    """One call of one recurrent layer; time runs in the order in which the layer reads.

    Attributes:
      name: of the layer, with that of the layers around it: `bidirectional/forward_lstm`.
      layer: the layer.
      backwards: whether it reads from the last step to the first.
      x: inputs, float32 `(batch, time, features)`.
      mask: real steps, bool `(batch, time)`.
      initial: its states before the first step, `(batch, units)` each.
      d_outputs: ∂L/∂output of each step, `(batch, time, units)`: of the ways from there to the
        loss that do not lead through later steps of this layer.
      d_states: ∂L/∂last states, `(batch, units)` each.
      d_x: ∂L/∂x along every way, through other layers too, `(batch, time, features)`.
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
    """Returns the recurrent layers of a model, those inside other layers too."""
    return [layer for layer in layers_of(model) if isinstance(layer, layers.RNN)]


def capture(model: keras.Model, x: Any, y: Any) -> tuple[float, list[Capture]]:
    """Runs a compiled model on one batch, forward and backward.

    Args:
      model: compiled with the loss L.
      x, y: a batch as `Batches.take` returns it: arrays `(rows, …)` or dicts of these.

    Returns:
      The loss, and a capture a call of a recurrent layer, in the order of the calls. Gradients
      are those of a row's own loss: L is a mean over the rows, which would halve them with
      twice as many rows.
    """
    recurrent = recurrent_layers(model)
    names = _names(model, recurrent)
    calls: list[tuple] = []
    with tf.GradientTape(persistent=True) as tape, _recorded(recurrent, calls, tape):
        answer = model(x, training=False)
        loss = model.compute_loss(x, y, answer, training=False)
    rows = len(calls[0][1]) if calls else 1
    found = []
    for layer, sequence, initial, mask, outputs in calls:
        output, *states = outputs if layer.return_state else [outputs]
        wanted = [output, *states, sequence]
        zero = tf.UnconnectedGradients.ZERO
        d_output, *d_states, d_x = (
            rows * d.numpy() for d in tape.gradient(loss, wanted, unconnected_gradients=zero)
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
                f"The layer {names[id(layer)]} has several cells in one; give each an RNN layer of "
                "its own to look into it."
            )
        backwards = layer.go_backwards
        steps = slice(None, None, -1 if backwards else 1)
        # Keras puts out the steps in the order in which the layer has read them.
        real = _reached(d_output, d_states) if mask is None else np.array(mask, bool)[:, steps]
        found.append(
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
    return float(loss), found


def _reached(d_output: np.ndarray, d_states: list[np.ndarray]) -> np.ndarray:
    """Returns the real steps of a layer without a mask: those up to the last that L depends on."""
    after = np.abs(d_output).sum(axis=-1) > 0  # (batch, time)
    after[:, -1] |= any(np.any(d) for d in d_states)
    after = np.maximum.accumulate(after[:, ::-1], axis=1)[:, ::-1]
    after[:, 0] = True
    return after


@contextlib.contextmanager
def _recorded(found: list[Any], calls: list[tuple], tape: tf.GradientTape) -> Iterator[None]:
    """While active, each call of one of these layers is appended to `calls`."""

    def recording(layer: Any) -> Any:
        call = layer.call

        def record(
            sequence: Any, initial_state: Any = None, mask: Any = None, training: Any = False
        ) -> Any:
            tape.watch(sequence)  # it may be the input itself, behind which nothing is trained
            outputs = call(sequence, initial_state=initial_state, mask=mask, training=training)
            calls.append((layer, sequence, initial_state, mask, outputs))
            return outputs

        return record

    for layer in found:
        vars(layer)["call"] = recording(layer)  # not by setattr, by which Keras tracks parts
    try:
        yield
    finally:
        for layer in found:
            del vars(layer)["call"]


def _names(model: keras.Model, found: list[Any]) -> dict[int, str]:
    """Returns the id of each layer to a name that says where it is; the same in each process."""
    names: dict[int, str] = {}
    seen: Counter[str] = Counter()
    for layer in found:
        # Keras numbers the names of a process's layers, so that the second model has others.
        parts = layer.path.removeprefix(f"{model.name}/").split("/")
        name = "/".join(re.sub(r"_\d+$", "", part) for part in parts)
        seen[name] += 1
        names[id(layer)] = name if seen[name] == 1 else f"{name}-{seen[name]}"
    return names
