"""The step function of a network that was built for whole sequences."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf
from keras import layers

from zoo.decoding.sampling import State, Step


def step_function(model: keras.Model) -> tuple[Step, dict[str, tf.TensorSpec]]:
    """Returns the step function of a sequential model, and the specs of its state.

    A recurrent layer computes `outputs[:, t]` from `inputs[:, t]` and its state; all other layers
    of such a model (embedding, dropout, dense, normalisation over the last axis) treat each step
    independently. So the layers can be called on one step with an explicit state. Callers share no
    state, unlike with `stateful=True`.

    Args:
      model: ids, int32 `(batch, time)`, to logits, float32 `(batch, time, ids)`, each layer
        takes the output of the previous one; recurrent layers return sequences and read forwards.

    Returns:
      The step, see `zoo.decoding.sampling.Step`; and the names of the state's tensors,
      `state_0`, …, to their specs, float32 `(None, units)`.

    Raises:
      ValueError: the model is not of this form.
    """
    chain = [layer for layer in model.layers if not isinstance(layer, layers.InputLayer)]
    specs: dict[str, tf.TensorSpec] = {}
    names: dict[str, list[str]] = {}
    (tensor,) = model.inputs
    for layer in chain:
        if layer.input is not tensor:
            raise ValueError(
                f"Layer {layer.name!r} does not take what the layer before it returns."
            )
        tensor = layer.output
        if isinstance(layer, layers.Bidirectional):
            raise ValueError(f"Layer {layer.name!r} reads future steps.")
        if not isinstance(layer, layers.RNN):
            continue
        if not layer.return_sequences or layer.go_backwards or layer.return_state:
            raise ValueError(f"Layer {layer.name!r} must return sequences, and read forwards.")
        size = layer.cell.state_size
        sizes = [size] if isinstance(size, int) else list(size)
        names[layer.name] = []
        for units in sizes:
            # Numbered, because Keras' names depend on the layers that were built before.
            name = f"state_{len(specs)}"
            names[layer.name].append(name)
            specs[name] = tf.TensorSpec([None, units], tf.float32, name=name)

    def step(ids: tf.Tensor, state: State) -> tuple[tf.Tensor, State]:
        x: Any = ids
        new: State = {}
        for layer in chain:
            if layer.name in names:
                x, states = layer.cell(x, [state[n] for n in names[layer.name]], training=False)
                new |= dict(zip(names[layer.name], states, strict=True))
            else:
                x = layer(x) if isinstance(layer, layers.Embedding) else _call_on_step(layer, x)
        return x, new

    return step, specs


def _call_on_step(layer: layers.Layer, x: tf.Tensor) -> tf.Tensor:
    """Calls a layer on one step, float32 `(rows, units)`, as on a sequence of length 1."""
    return tf.squeeze(layer(tf.expand_dims(x, 1), training=False), 1)
