"""Recurrent layers of Keras as native nodes of ONNX: `LSTM`, `GRU`, `RNN`.

A layer's loop over time would become an ONNX `Loop`, which is slower than TensorFlow. Therefore the
network is traced with placeholders for the outputs of recurrent layers, and each such layer is
written as one node. The mask of padded steps in Keras becomes `sequence_lens`.
"""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import layers

from zoo.errors import ZooError
from zoo.serving.portable.writer import Call, Writer
from zoo.training.keras_private import layers_of, wrapped_calls

# Exact types: a subclass may compute something else.
CELLS = {layers.LSTM: "LSTM", layers.GRU: "GRU", layers.SimpleRNN: "RNN"}
# The index of each ONNX gate in Keras' weights.
GATES = {"LSTM": (0, 3, 1, 2), "GRU": (0, 1, 2), "RNN": (0,)}


@dataclasses.dataclass(frozen=True)
class Recurrence:
    """One call of a recurrent layer.

    Attributes:
      layers: the forward layer, and the backward layer if it is bidirectional.
      sequences: float `(batch, time, features)`.
      mask: bool `(batch, time)`: real steps, on the left; None if all are real.
      states: the initial state, float `(batch, units)` each; empty if it is zeros.
      outputs: placeholders of the sequence, or of its last step, and of the last states.
      sequence: whether the first of the outputs is the whole sequence.
    """

    layers: tuple[Any, ...]
    sequences: tf.Tensor
    mask: tf.Tensor | None
    states: tuple[tf.Tensor, ...]
    outputs: tuple[tf.Tensor, ...]
    sequence: bool

    def as_call(self) -> Call:
        """Returns the call as the writer takes it."""
        mask = () if self.mask is None else (self.mask,)
        return Call((self.sequences, *mask, *self.states), lambda writer: write(writer, self))


@contextlib.contextmanager
def as_placeholders(model: keras.Model) -> Iterator[list[Recurrence]]:
    """Context in which recurrent layers return placeholders; yields the list of their calls.

    Args:
      model: its layers are called in a `tf.function` within the context.
    """
    calls: list[Recurrence] = []
    everything = layers_of(model)
    native = [layer for layer in everything if type(layer) in CELLS or is_bidirectional(layer)]
    with wrapped_calls(native, lambda layer, _: _placeholders(layer, calls)):
        yield calls


def is_bidirectional(layer: Any) -> bool:
    """Whether a layer is bidirectional, with inner layers that ONNX supports."""
    return isinstance(layer, layers.Bidirectional) and type(layer.forward_layer) in CELLS


def _placeholders(layer: Any, calls: list[Recurrence]) -> Any:
    def call(
        sequences: tf.Tensor, initial_state: Any = None, mask: Any = None, training: Any = False
    ) -> Any:
        both = is_bidirectional(layer)
        parts = (layer.forward_layer, layer.backward_layer) if both else (layer,)
        for part in parts:
            _check(part)
        if both and (layer.merge_mode != "concat" or initial_state is not None):
            raise ZooError(
                f"Layer {layer.name!r}: ONNX can only concatenate the two directions, and starts "
                "them from zeros."
            )
        if not both and layer.go_backwards:
            raise ZooError(f"Layer {layer.name!r} reads backwards only, which is not written yet.")
        batch, time, _ = sequences.shape
        units = parts[0].units
        width = units * len(parts)
        whole = parts[0].return_sequences
        outputs = [_placeholder([batch, time, width] if whole else [batch, width])]
        if parts[0].return_state:
            count = len(parts) * (2 if type(parts[0]) is layers.LSTM else 1)
            outputs += [_placeholder([batch, units]) for _ in range(count)]
        states = () if initial_state is None else tuple(tf.nest.flatten(initial_state))
        calls.append(Recurrence(parts, sequences, mask, states, tuple(outputs), whole))
        return tuple(outputs) if len(outputs) > 1 else outputs[0]

    return call


def _placeholder(shape: Sequence[int | None]) -> tf.Tensor:
    return tf.compat.v1.placeholder(tf.float32, shape, name="recurrent")


def _check(layer: Any) -> None:
    """Raises an error if the ONNX node does not support the options of a layer."""
    activation = keras.activations.serialize(layer.activation)
    allowed = ("tanh", "relu") if type(layer) is layers.SimpleRNN else ("tanh",)
    gates = getattr(layer, "recurrent_activation", keras.activations.sigmoid)
    problem = None
    if activation not in allowed or gates is not keras.activations.sigmoid:
        problem = "its activations"
    elif type(layer) is layers.GRU and not layer.reset_after:
        problem = "reset_after=False"
    elif layer.stateful or layer.compute_dtype != "float32":
        problem = "a state that is kept, or a dtype that is not float32"
    if problem:
        raise ZooError(f"Layer {layer.name!r}: ONNX has no node for {problem}.")


def write(writer: Writer, call: Recurrence) -> None:
    """Writes the nodes of one call, and registers the names of its outputs."""
    kind = CELLS[type(call.layers[0])]
    directions, units = len(call.layers), call.layers[0].units
    weights = [_weights(kind, layer) for layer in call.layers]
    lengths = ""
    if call.mask is not None:
        real = writer.add("Cast", [writer.name_of(call.mask)], to=writer.type_of("int32"))
        axis = writer.integers(1)
        lengths = writer.add("ReduceSum", [real, axis], keepdims=0)
    first = writer.integers(0)
    states = [writer.add("Unsqueeze", [writer.name_of(s), first]) for s in call.states]
    attributes: dict[str, Any] = {"hidden_size": units}
    if directions == 2:
        attributes["direction"] = "bidirectional"
    if kind == "GRU":
        attributes["linear_before_reset"] = 1
    if kind == "RNN":
        name = keras.activations.serialize(call.layers[0].activation).capitalize()
        attributes["activations"] = [name] * directions
    inputs = [
        writer.add("Transpose", [writer.name_of(call.sequences)], perm=[1, 0, 2]),
        *(writer.constant(np.stack(part)) for part in zip(*weights, strict=True)),
        lengths,
        *states,
    ]
    last = 2 if kind == "LSTM" else 1
    # (time, directions, batch, units), and the last states, (directions, batch, units).
    sequence, *ends = writer.add_several(kind, _without_end(inputs), 1 + last, **attributes)
    if call.sequence:
        sequence = writer.add("Transpose", [sequence], perm=[2, 0, 1, 3])
        joined = writer.integers(0, 0, directions * units)
        output = writer.add("Reshape", [sequence, joined])
    else:
        joined = writer.integers(0, directions * units)
        output = writer.add("Transpose", [ends[0]], perm=[1, 0, 2])
        output = writer.add("Reshape", [output, joined])
    writer.is_called(call.outputs[0], output)
    places = [(direction, end) for direction in range(directions) for end in ends]
    for tensor, (direction, end) in zip(call.outputs[1:], places, strict=False):
        place = writer.constant(np.array(direction, "int64"))
        writer.is_called(tensor, writer.add("Gather", [end, place], axis=0))


def _without_end(names: list[str]) -> list[str]:
    """Returns names without the trailing empty ones, which are omitted inputs."""
    while not names[-1]:
        names = names[:-1]
    return names


def _weights(kind: str, layer: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Returns a layer's weights in the layout of ONNX.

    Returns:
      Input weights `(gates * units, features)`; recurrent weights `(gates * units, units)`; biases
      `(2 * gates * units,)`: input biases, then recurrent biases.
    """
    cell = layer.cell
    bias = np.zeros((2, len(GATES[kind]) * layer.units), "float32")
    if layer.use_bias:
        given = np.asarray(cell.bias)
        bias[: given.ndim] = given if given.ndim == 2 else given[np.newaxis]

    def ordered(matrix: np.ndarray) -> np.ndarray:
        parts = np.split(matrix, len(GATES[kind]), axis=-1)
        return np.concatenate([parts[gate] for gate in GATES[kind]], axis=-1)

    kernel, recurrent = np.asarray(cell.kernel), np.asarray(cell.recurrent_kernel)
    return ordered(kernel).T, ordered(recurrent).T, ordered(bias).reshape(-1)
