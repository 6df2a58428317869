"""Fast recurrent layers for inference: a fused TensorFlow op, and loops with few ops per step.

Keras computes each step of a recurrent layer with about twenty operations. For a single row, most
of the time is spent on launching them. Inference uses the same weights with these kernels:

- LSTM, up to `FEW` rows: `BlockLSTMV2`, one operation for the whole sequence.
- LSTM with more rows, GRU and SimpleRNN: one product of all inputs and the kernel, then a loop that
  computes `STEPS` steps per iteration.

Other layers, and layers with other activations or options, are computed by Keras. The outputs equal
those of Keras to 1e-6, for every mask. The choice is based on the times in `results/latency.json`
(`layers`). Training does not use these kernels.
"""

from __future__ import annotations

import contextlib
import contextvars
from collections.abc import Callable, Iterator
from typing import Any

import keras
import tensorflow as tf
from keras import activations, layers

from zoo.training.keras_private import layers_of, replace_method

FEW = 32  # rows; for more, `BlockLSTMV2` is no faster than a loop, and needs more memory
STEPS = 16  # steps per iteration of a loop

BLOCK, LOOP, KERAS = f"BlockLSTMV2 up to {FEW} rows, else a loop", "loop", "Keras"

State = tuple[tf.Tensor, ...]  # the first part is the output

_serving = contextvars.ContextVar("serving", default=False)


@contextlib.contextmanager
def serving() -> Iterator[None]:
    """Context in which the layers of a model that was `prepare`d are traced with these kernels."""
    token = _serving.set(True)
    try:
        yield
    finally:
        _serving.reset(token)


def prepare(model: keras.Model) -> None:
    """Makes the recurrent layers of a model use these kernels within `serving`.

    Args:
      model: a model for inference; it must not be trained.
    """
    for layer in layers_of(model):
        if kernel_of(layer) is not None:
            replace_method(layer, "inner_loop", _within_serving)


def kernels_of(model: keras.Model) -> dict[str, str]:
    """Returns how each recurrent layer of a model is computed: path to description."""
    found = {layer.path: layer for layer in layers_of(model) if isinstance(layer, layers.RNN)}
    return {path: kernel_of(layer) or KERAS for path, layer in sorted(found.items())}


def kernel_of(layer: Any) -> str | None:
    """Returns the kernel of a layer: `BLOCK` or `LOOP`; None: computed by Keras."""
    kind = type(layer)  # a subclass may compute something else
    if kind not in (layers.LSTM, layers.GRU, layers.SimpleRNN):
        return None
    if layer.unroll or layer.stateful or layer.compute_dtype != "float32":
        return None
    if kind is layers.GRU and not layer.reset_after:
        return None
    usual = (
        kind is layers.LSTM
        and layer.activation is activations.tanh
        and layer.recurrent_activation is activations.sigmoid
    )
    return BLOCK if usual else LOOP


def _within_serving(layer: Any, original: Callable[..., Any]) -> Callable[..., Any]:
    def inner_loop(sequences: Any, initial_state: Any, mask: Any, training: Any = False) -> Any:
        if not _serving.get() or training:
            return original(sequences, initial_state, mask, training=training)
        return run(layer, sequences, tuple(initial_state), mask)

    return inner_loop


def run(
    layer: Any,
    sequences: tf.Tensor,
    initial_state: State,
    mask: tf.Tensor | None,
    few: int = FEW,
) -> tuple[tf.Tensor, tf.Tensor, list[tf.Tensor]]:
    """Computes a layer, as the `inner_loop` of a `keras.layers.RNN` does.

    The real steps of a row are moved to its start. The values computed after them are ignored.

    Args:
      layer: a layer for which `kernel_of` is not None.
      sequences: float32 `(batch, time, features)`, at least one step.
      initial_state: float32 `(batch, units)` each.
      mask: bool `(batch, time)`, True at real steps, wherever they are; None: all are real.
      few: maximum number of rows for which `BLOCK` uses the op.

    Returns:
      The output of the last step, `(batch, units)`; the outputs, `(batch, time, units)`, of the
      last step only if the layer does not return sequences; and the states after the last step, if
      the layer returns them.
    """
    batch, time = tf.unstack(tf.shape(sequences)[:2])
    if mask is None:
        steps = tf.transpose(sequences, [1, 0, 2])
        if layer.go_backwards:
            steps = tf.reverse(steps, [0])
        seen = tf.fill([batch, 1], time)
        shown = tf.ones([batch, 1], tf.bool)
    else:
        real = tf.cast(tf.reverse(mask, [1]) if layer.go_backwards else mask, tf.int32)
        seen = tf.cumsum(real, axis=1)  # real steps up to this one, (batch, time)
        behind = seen[:, -1:] + tf.cumsum(1 - real, axis=1)
        place = tf.where(real > 0, seen, behind) - 1
        if layer.go_backwards:
            place = tf.reverse(place, [1])
        steps = _moved(sequences, place)
        shown = (real if layer.zero_output_for_mask else seen) > 0
    states = _states(layer, steps, initial_state, few)
    count = seen[:, -1]

    def at(values: tf.Tensor, number: tf.Tensor) -> tf.Tensor:
        """Returns the values after `number` steps, `(batch, …, units)`; the first ones for 0."""
        rows = tf.reshape(tf.range(batch), [-1] + [1] * (number.shape.rank - 1))
        flat = tf.reshape(values, [-1, layer.units])
        return tf.gather(flat, tf.maximum(number - 1, 0) * batch + rows)

    last = tf.where(shown[:, -1:], at(states[0], count), 0.0)
    if not layer.return_sequences:
        outputs = last[:, tf.newaxis]
    elif mask is None:
        outputs = tf.transpose(states[0], [1, 0, 2])
    else:
        outputs = tf.where(shown[..., tf.newaxis], at(states[0], seen), 0.0)
    ends = [
        tf.where(count[:, tf.newaxis] > 0, at(values, count), first)
        for values, first in zip(states, initial_state, strict=False)
    ]
    return last, outputs, ends


def _moved(sequences: tf.Tensor, place: tf.Tensor) -> tf.Tensor:
    """Returns sequences `(time, batch, features)`; `place` is where each step goes."""
    batch, time = tf.unstack(tf.shape(place))
    target = place * batch + tf.range(batch)[:, tf.newaxis]
    source = tf.math.invert_permutation(tf.reshape(target, [-1]))
    features = sequences.shape[-1]
    steps = tf.gather(tf.reshape(sequences, [-1, features]), source)
    return tf.reshape(steps, [time, batch, features])


def _states(layer: Any, steps: tf.Tensor, first: State, few: int) -> list[tf.Tensor]:
    """Returns the states after each step, `(time, batch, units)` each.

    Args:
      layer, few: see `run`.
      steps: float32 `(time, batch, features)`.
      first: the initial states.

    Returns:
      The outputs; and, if the layer returns its states, the other states.
    """
    count = len(first) if layer.return_state else 1
    if kernel_of(layer) == LOOP:
        return _loop(layer, steps, first)[:count]
    return tf.cond(
        tf.shape(steps)[1] <= few,
        lambda: _block(layer, steps, first)[:count],
        lambda: _loop(layer, steps, first)[:count],
    )


def _block(layer: Any, steps: tf.Tensor, first: State) -> list[tf.Tensor]:
    cell = layer.cell
    none = tf.zeros([layer.units])
    bias = cell.bias if layer.use_bias else tf.zeros([4 * layer.units])
    outputs = tf.raw_ops.BlockLSTMV2(
        seq_len_max=tf.shape(steps, tf.int64)[0],
        x=steps,
        cs_prev=first[1],
        h_prev=first[0],
        # Its gates are in Keras' order: input, forget, cell, output.
        w=tf.concat([cell.kernel, cell.recurrent_kernel], axis=0),
        wci=none,
        wcf=none,
        wco=none,
        b=tf.convert_to_tensor(bias),
        use_peephole=False,
    )
    return [outputs.h, outputs.cs]


def _loop(layer: Any, steps: tf.Tensor, first: State) -> list[tf.Tensor]:
    time, batch = tf.unstack(tf.shape(steps)[:2])
    rounds = -(-time // STEPS)
    steps = tf.pad(steps, [[0, rounds * STEPS - time], [0, 0], [0, 0]])
    kernel, recurrent, biases = _weights(layer)
    inputs = tf.matmul(tf.reshape(steps, [-1, steps.shape[-1]]), kernel)
    inputs = tf.nn.bias_add(inputs, biases[0])
    inputs = tf.reshape(inputs, [rounds, STEPS, batch, kernel.shape[-1]])
    step = _STEPS[type(layer)]
    shape = tf.constant([STEPS, -1, layer.units])
    kept = len(first) if layer.return_state else 1
    lists = [
        tf.raw_ops.TensorListReserve(
            element_shape=shape, num_elements=rounds, element_dtype=tf.float32
        )
        for _ in range(kept)
    ]

    def goes_on(number: tf.Tensor, rounds: tf.Tensor, *values: tf.Tensor) -> tf.Tensor:
        del values  # TensorFlow names inputs after parameters, and warns of `_`
        return number < rounds

    def one_round(number: tf.Tensor, rounds: tf.Tensor, *values: tf.Tensor) -> list[tf.Tensor]:
        inputs, recurrent, bias, *rest = values
        lists, state = rest[:kept], tuple(rest[kept:])
        made = []
        for given in tf.unstack(inputs[number], num=STEPS):
            state = step(layer, given, state, recurrent, bias)
            made.append(state)
        stacked = [tf.stack(parts) for parts in zip(*made, strict=True)]
        lists = [
            tf.raw_ops.TensorListSetItem(input_handle=each, index=number, item=part)
            for each, part in zip(lists, stacked, strict=False)
        ]
        return [number + 1, rounds, inputs, recurrent, bias, *lists, *state]

    # Not `tf.while_loop`, which adds several operations per variable and iteration to the graph; an
    # operation that calls a function takes four fifths of its time.
    variables = [tf.constant(0), rounds, inputs, recurrent, biases[-1], *lists, *first]
    specs = [tf.TensorSpec(each.shape, each.dtype) for each in variables]
    condition, body = (
        tf.function(each, input_signature=specs, autograph=False).get_concrete_function()
        for each in (goes_on, one_round)
    )
    done = tf.raw_ops.StatelessWhile(input=variables, cond=condition, body=body)
    return [
        tf.reshape(
            tf.raw_ops.TensorListStack(
                input_handle=each, element_shape=shape, element_dtype=tf.float32
            ),
            [rounds * STEPS, batch, layer.units],
        )[:time]
        for each in done[5 : 5 + kept]
    ]


def _weights(layer: Any) -> tuple[tf.Tensor, tf.Tensor, list[tf.Tensor]]:
    """Returns the kernels of input and state, and the biases: two for a GRU, one otherwise."""
    cell = layer.cell
    kernel, recurrent = map(tf.convert_to_tensor, (cell.kernel, cell.recurrent_kernel))
    rows = 2 if isinstance(layer, layers.GRU) else 1
    bias = tf.convert_to_tensor(cell.bias) if layer.use_bias else tf.zeros([kernel.shape[-1]])
    return kernel, recurrent, tf.unstack(tf.broadcast_to(bias, [rows, kernel.shape[-1]]))


def _lstm(
    layer: Any, given: tf.Tensor, state: State, recurrent: tf.Tensor, bias: tf.Tensor
) -> State:
    output, memory = state
    gate, activation = layer.recurrent_activation, layer.activation
    i, f, c, o = tf.split(given + tf.matmul(output, recurrent), 4, axis=-1)
    memory = gate(f) * memory + gate(i) * activation(c)
    return gate(o) * activation(memory), memory


def _gru(
    layer: Any, given: tf.Tensor, state: State, recurrent: tf.Tensor, bias: tf.Tensor
) -> State:
    (output,) = state
    parts = [2 * layer.units, layer.units]
    given_gates, given_candidate = tf.split(given, parts, axis=-1)
    product = tf.nn.bias_add(tf.matmul(output, recurrent), bias)
    gates, candidate = tf.split(product, parts, axis=-1)
    z, r = tf.split(layer.recurrent_activation(given_gates + gates), 2, axis=-1)
    candidate = layer.activation(given_candidate + r * candidate)
    return (candidate + z * (output - candidate),)


def _simple(
    layer: Any, given: tf.Tensor, state: State, recurrent: tf.Tensor, bias: tf.Tensor
) -> State:
    return (layer.activation(given + tf.matmul(state[0], recurrent)),)


# One step of each layer, from: layer, projected input, state, recurrent kernel, and the recurrent
# bias of a GRU.
_STEPS = {layers.LSTM: _lstm, layers.GRU: _gru, layers.SimpleRNN: _simple}
