"""Recurrent cells with layer normalisation at every step."""

from __future__ import annotations

import keras
from keras import ops

from zoo.assets import Json
from zoo.tensors import Tensor

GATES = {"simplernn": 1, "lstm": 4, "gru": 3}


@keras.saving.register_keras_serializable("zoo")
class LayerNormCell(keras.layers.Layer):
    """One step of a recurrent network with layer normalisation inside (Ba, Kiros & Hinton 2016).

    The input of a gate or candidate, W x_t + U h_{t-1}, is normalised to mean 0 and variance 1 over
    its units, then scaled and shifted by learnt gains g and biases b. It can neither shrink nor
    grow from step to step, whatever U is. With N for that normalisation:

        SimpleRNN  h_t = tanh(N(W x_t + U h_{t-1}))

        LSTM       i, f, c, o = N(W x_t + U h_{t-1}), each by itself; c_t as without N;
                   h_t = sigmoid(o) * tanh(N(c_t))

        GRU        z, r = sigmoid(N(W x_t + U h_{t-1})), each by itself;
                   h_t = z * h_{t-1} + (1 - z) * tanh(N(W_h x_t + r * (U_h h_{t-1})))

    The paper normalises W x and U h separately in the LSTM. Here their sum is normalised, as in its
    equation for simple networks: this keeps the scale of inputs with few features. Use it as
    `keras.layers.RNN(LayerNormCell(64, "lstm"))`.

    Args:
      units: size of the state.
      kind: `"simplernn"`, `"lstm"` or `"gru"`.
      activation: activation of the SimpleRNN; the others use tanh.
      recurrent_initializer: initializer of U.
      unit_forget_bias: whether the bias of the LSTM's forget gate starts at 1.

    Call arguments:
      inputs: float `(batch, features)`, of one step.
      states: `[h]`, or `[h, c]` of the LSTM, `(batch, units)` each.

    Returns:
      h_t, `(batch, units)`, and the new states.

    Raises:
      ValueError: an unknown kind.
    """

    no_cudnn = "cuDNN's kernels do not normalise inside the cell"  # a GPU runs it as a loop

    def __init__(
        self,
        units: int,
        kind: str = "lstm",
        activation: str = "tanh",
        recurrent_initializer: str = "orthogonal",
        unit_forget_bias: bool = True,
        **kwargs: object,
    ) -> None:
        super().__init__(**kwargs)
        if kind not in GATES:
            raise ValueError(f"kind must be one of {', '.join(GATES)}; got {kind!r}.")
        self.units, self.kind, self.activation = units, kind, activation
        self.recurrent_initializer = recurrent_initializer
        self.unit_forget_bias = unit_forget_bias
        self.state_size = [units, units] if kind == "lstm" else [units]
        self.output_size = units
        self._act = keras.activations.get(activation)

    def build(self, input_shape: tuple) -> None:
        size = GATES[self.kind] * self.units
        self.kernel = self.add_weight(
            shape=(input_shape[-1], size), initializer="glorot_uniform", name="kernel"
        )
        self.recurrent_kernel = self.add_weight(
            shape=(self.units, size),
            initializer=self.recurrent_initializer,
            name="recurrent_kernel",
        )
        self.bias = self.add_weight(shape=(size,), initializer=self._biases, name="bias")
        self.gain = self.add_weight(shape=(size,), initializer="ones", name="gain")
        if self.kind == "lstm":
            self.cell_bias = self.add_weight(
                shape=(self.units,), initializer="zeros", name="cell_bias"
            )
            self.cell_gain = self.add_weight(
                shape=(self.units,), initializer="ones", name="cell_gain"
            )

    def _biases(self, shape: tuple, dtype: str | None = None) -> Tensor:
        forget = float(self.kind == "lstm" and self.unit_forget_bias)
        parts = [ops.zeros((self.units,), dtype) for _ in range(GATES[self.kind])]
        if forget:
            parts[1] = ops.ones((self.units,), dtype)
        return ops.concatenate(parts)

    def call(
        self, inputs: Tensor, states: list[Tensor], training: bool = False
    ) -> tuple[Tensor, list[Tensor]]:
        h = states[0]
        x = ops.matmul(inputs, self.kernel)
        u = ops.matmul(h, self.recurrent_kernel)
        if self.kind == "simplernn":
            h = self._act(self._normal(x + u, 0))
            return h, [h]
        if self.kind == "lstm":
            parts = ops.split(x + u, 4, axis=-1)
            i, f, c, o = (self._normal(part, gate) for gate, part in enumerate(parts))
            c = ops.sigmoid(f) * states[1] + ops.sigmoid(i) * ops.tanh(c)
            h = ops.sigmoid(o) * ops.tanh(_normalised(c) * self.cell_gain + self.cell_bias)
            return h, [h, c]
        (x_z, x_r, x_h), (u_z, u_r, u_h) = ops.split(x, 3, axis=-1), ops.split(u, 3, axis=-1)
        z = ops.sigmoid(self._normal(x_z + u_z, 0))
        r = ops.sigmoid(self._normal(x_r + u_r, 1))
        h = z * h + (1 - z) * ops.tanh(self._normal(x_h + r * u_h, 2))
        return h, [h]

    def _normal(self, values: Tensor, gate: int) -> Tensor:
        """Normalises `(batch, units)`, with the gain and bias of gate number `gate`."""
        part = slice(gate * self.units, (gate + 1) * self.units)
        return _normalised(values) * self.gain[part] + self.bias[part]

    def get_initial_state(self, batch_size: int | Tensor | None = None) -> list[Tensor]:
        """Returns zeros `(batch, units)` for each state, of the compute dtype."""
        return [ops.zeros((batch_size, size), dtype=self.compute_dtype) for size in self.state_size]

    def get_config(self) -> dict[str, Json]:
        return {
            **super().get_config(),
            "units": self.units,
            "kind": self.kind,
            "activation": self.activation,
            "recurrent_initializer": self.recurrent_initializer,
            "unit_forget_bias": self.unit_forget_bias,
        }


def _normalised(values: Tensor) -> Tensor:
    """Normalises each row of `(batch, units)` to mean 0 and variance 1."""
    wide = ops.cast(values, "float32")  # squares overflow in half precision
    mean = ops.mean(wide, axis=-1, keepdims=True)
    variance = ops.mean(ops.square(wide - mean), axis=-1, keepdims=True)
    return ops.cast((wide - mean) * ops.rsqrt(variance + 1e-5), values.dtype)
