"""One step of a network that was built for whole sequences."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf
from keras import layers

from zoo.decoding.sampling import State, Step


def step_function(model: keras.Model) -> tuple[Step, dict[str, tf.TensorSpec]]:
    """Returns one step of a model that is a chain of layers, and the state that it takes.

    A recurrent layer computes `outputs[:, t]` from `inputs[:, t]` and its state; all other layers
    of such a chain (embedding, dropout, dense, normalisation over the last axis) treat each step
    alone. So the layers can be called on one step, with the state in the open: nothing is shared
    between two callers, as it would be with `stateful=True`.

    Args:
      model: ids, int32 `(batch, time)`, to logits, float32 `(batch, time, ids)`, each layer taking
        what the one before it returns; recurrent layers return sequences and read forwards.

    Returns:
      See `zoo.decoding.sampling.Step`; and the names of the state's tensors, `state_0`, …, to
      their specs, float32 `(None, units)`.

    Raises:
      ValueError: the model is no such chain.
    """
    found = [layer for layer in model.layers if not isinstance(layer, layers.InputLayer)]
    specs: dict[str, tf.TensorSpec] = {}
    names: dict[str, list[str]] = {}
    (tensor,) = model.inputs
    for layer in found:
        if layer.input is not tensor:
            raise ValueError(
                f"Layer {layer.name!r} does not take what the layer before it returns."
            )
        tensor = layer.output
        if isinstance(layer, layers.Bidirectional):
            raise ValueError(f"Layer {layer.name!r} reads what is still to come.")
        if not isinstance(layer, layers.RNN):
            continue
        if not layer.return_sequences or layer.go_backwards or layer.return_state:
            raise ValueError(f"Layer {layer.name!r} must return sequences, and read forwards.")
        size = layer.cell.state_size
        sizes = [size] if isinstance(size, int) else list(size)
        names[layer.name] = []
        for units in sizes:
            # Numbered, because the names that Keras gives depend on what was built before.
            name = f"state_{len(specs)}"
            names[layer.name].append(name)
            specs[name] = tf.TensorSpec([None, units], tf.float32, name=name)

    def step(ids: tf.Tensor, state: State) -> tuple[tf.Tensor, State]:
        x: Any = ids
        new: State = {}
        for layer in found:
            if layer.name in names:
                x, states = layer.cell(x, [state[n] for n in names[layer.name]], training=False)
                new |= dict(zip(names[layer.name], states, strict=True))
            else:
                x = layer(x) if isinstance(layer, layers.Embedding) else _alone(layer, x)
        return x, new

    return step, specs


def _alone(layer: layers.Layer, x: tf.Tensor) -> tf.Tensor:
    """Calls a layer on one step, `(rows, units)`, as if it were a sequence of that length."""
    return tf.squeeze(layer(tf.expand_dims(x, 1), training=False), 1)
