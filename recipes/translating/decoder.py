"""The decoder of an encoder–decoder network; it runs all steps at once or one by one."""

from __future__ import annotations

import keras
from keras import layers, ops

from recipes.translating.attention import Attention
from zoo.assets import Json
from zoo.layers import CELLS
from zoo.tensors import Tensor


@keras.saving.register_keras_serializable("zoo")
class Decoder(layers.Layer):
    """Predicts each target id from the target ids before it and from the encoded source.

    With the embedding E, the encoder's last state h and the context c_t:

        s_t = RNN(E y_{t-1}, s_{t-1}),  s_0 = tanh(W h)
        c_t = attention of s_t over the encoder's states; without attention, c_t = h
        z_t = RNN([s_t, c_t], z_{t-1}),  z_0 = tanh(V h)
        p(y_t) = softmax(E tanh(U [z_t, c_t, E y_{t-1}]) + b)

    s_t does not depend on c_{t-1}. In training, where all y are known, attention and softmax are
    therefore computed for all steps at once, and both RNNs are plain layers. The softmax shares
    the embedding's weights (Press & Wolf, EACL 2017). Without attention, each step sees only the
    last state of the source (Cho et al., EMNLP 2014).

    Args:
      size: number of target ids, including 0 for padding.
      embedding: size of the target vectors E y.
      units: size of s_t and of z_t.
      cell: `"gru"` or `"lstm"`.
      attention: `"additive"`, `"multiplicative"`, or `"none"`.
      dropout: dropout rate of embeddings, contexts and readout in training.

    Call arguments:
      target: int `(batch, target)`: the id before each step, right-padded with 0.
      states: float `(batch, source, state)`: the encoder's states.
      last: float `(batch, last)`: the encoder's last state.
      states_mask: bool `(batch, source)`: real source steps; Keras passes it on from the layer
        that computed the states.

    Returns:
      Logits, float32 `(batch, target, size)`; their mask marks the real steps of the target.
    """

    def __init__(
        self,
        size: int,
        embedding: int = 128,
        units: int = 256,
        cell: str = "gru",
        attention: str = "additive",
        dropout: float = 0.0,
        **kwargs: object,
    ) -> None:
        super().__init__(**kwargs)
        self.size, self.embedding, self.units = size, embedding, units
        self.cell, self.attention, self.dropout = cell, attention, dropout
        policy = self.dtype_policy
        rnn = CELLS[cell]
        # With this scale, inputs (times sqrt(embedding)) and logits are initially of order 1.
        scale = keras.initializers.RandomNormal(stddev=embedding**-0.5)
        self.embed = layers.Embedding(size, embedding, scale, dtype=policy, name="embed")
        parts = len(self._parts)
        self.start = layers.Dense(2 * parts * units, "tanh", dtype=policy, name="start")
        self.first = rnn(units, return_sequences=True, dtype=policy, name="first")
        self.second = rnn(units, return_sequences=True, dtype=policy, name="second")
        self.attend = (
            None
            if attention == "none"
            else Attention(attention, units, dtype=policy, name="attend")
        )
        self.readout = layers.Dense(embedding, "tanh", dtype=policy, name="readout")
        self.drop = layers.Dropout(dropout, dtype=policy, name="drop")

    @property
    def _parts(self) -> tuple[str, ...]:
        """Names of the states of each RNN."""
        return ("h", "c") if self.cell == "lstm" else ("h",)

    @property
    def _names(self) -> list[str]:
        return [f"{rnn}_{part}" for rnn in ("first", "second") for part in self._parts]

    def build(self, target_shape: tuple, states_shape: tuple, last_shape: tuple) -> None:
        batch = target_shape[0]
        context = last_shape[-1] if self.attend is None else states_shape[-1]
        self.embed.build(target_shape)
        self.start.build(last_shape)
        self.first.build((batch, None, self.embedding))
        self.second.build((batch, None, self.units + context))
        if self.attend is not None:
            self.attend.build((batch, None, self.units), states_shape)
        self.readout.build((batch, None, self.units + context + self.embedding))
        self.bias = self.add_weight(shape=(self.size,), name="bias", initializer="zeros")

    def begin(
        self, states: Tensor, last: Tensor, states_mask: Tensor | None = None
    ) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """Returns the inputs of the first `step`: the state, and the memory, which is constant.

        Args:
          states: float `(batch, source, state)`.
          last: float `(batch, last)`.
          states_mask: bool `(batch, source)`; None if all states are real.

        Returns:
          The state: name to float `(batch, units)`. The memory: name to a tensor whose first axis
          is the batch: `last` without attention; `states`, `keys`, float `(batch, source, …)`, and
          `mask`, if given, with attention.
        """
        values = ops.split(self.start(last), 2 * len(self._parts), axis=-1)
        state = dict(zip(self._names, values, strict=True))
        if self.attend is None:
            return state, {"last": last}
        memory = {"states": states, "keys": self.attend.keys(states)}
        return state, memory if states_mask is None else {**memory, "mask": states_mask}

    def _states_of(self, rnn: str, state: dict[str, Tensor]) -> list[Tensor]:
        return [state[f"{rnn}_{part}"] for part in self._parts]

    def _embedded(self, ids: Tensor) -> Tensor:
        return self.embed(ids) * self.embedding**0.5

    def _logits(
        self, embedded: Tensor, contexts: Tensor, hidden: Tensor, training: bool | None
    ) -> Tensor:
        """Returns logits, float32 `(batch, …, size)`; all inputs have the same length."""
        hidden = self.readout(ops.concatenate([hidden, contexts, embedded], axis=-1))
        hidden = self.drop(hidden, training=training)
        weights = ops.cast(self.embed.embeddings, hidden.dtype)
        logits = ops.matmul(hidden, ops.transpose(weights))
        return ops.cast(logits, "float32") + ops.cast(self.bias, "float32")

    def call(
        self,
        target: Tensor,
        states: Tensor,
        last: Tensor,
        states_mask: Tensor | None = None,
        training: bool | None = None,
    ) -> Tensor:
        # Padding follows the real steps and does not affect them, so the RNNs need no mask.
        state, memory = self.begin(states, last, states_mask)
        embedded = self.drop(self._embedded(target), training=training)
        hidden = self.first(
            embedded, initial_state=self._states_of("first", state), training=training
        )
        if self.attend is None:
            contexts = ops.repeat(ops.expand_dims(last, 1), ops.shape(target)[1], axis=1)
        else:
            contexts, _ = self.attend(hidden, states, states_mask=states_mask, keys=memory["keys"])
        contexts = self.drop(contexts, training=training)
        hidden = self.second(
            ops.concatenate([hidden, contexts], axis=-1),
            initial_state=self._states_of("second", state),
            training=training,
        )
        return self._logits(embedded, contexts, hidden, training)

    def step(
        self, previous: Tensor, state: dict[str, Tensor], memory: dict[str, Tensor]
    ) -> tuple[Tensor, dict[str, Tensor], Tensor | None]:
        """Runs one step of `call`, for one or more hypotheses per source.

        Args:
          previous: int `(rows,)`: the ids before this step; `rows` is a multiple of `batch`, and
            the rows of each source are adjacent.
          state: the state from `begin` or from the previous step, `(rows, ...)`.
          memory: the memory from `begin`, `(batch, ...)`.

        Returns:
          Logits, float32 `(rows, size)`; the state for the next step; the attention weights,
          float32 `(rows, source)` (None without attention).
        """
        embedded = self._embedded(previous)
        hidden, first = self.first.cell(embedded, self._states_of("first", state), training=False)
        rows = ops.shape(previous)[0]
        if self.attend is None:
            batch = ops.shape(memory["last"])[0]
            contexts, weights = ops.repeat(memory["last"], rows // batch, axis=0), None
        else:
            batch, source = ops.shape(memory["states"])[:2]
            contexts, weights = self.attend(
                ops.reshape(hidden, (batch, rows // batch, self.units)),
                memory["states"],
                states_mask=memory.get("mask"),
                keys=memory["keys"],
            )
            contexts = ops.reshape(contexts, (rows, contexts.shape[-1]))
            weights = ops.reshape(weights, (rows, source))
        hidden, second = self.second.cell(
            ops.concatenate([hidden, contexts], axis=-1),
            self._states_of("second", state),
            training=False,
        )
        new = dict(zip(self._names, [*first, *second], strict=True))
        return self._logits(embedded, contexts, hidden, False), new, weights

    def compute_mask(self, target: Tensor, *_: object, **__: object) -> Tensor:
        return ops.not_equal(target, 0)

    def compute_output_shape(self, target_shape: tuple, *_: object, **__: object) -> tuple:
        return (*target_shape, self.size)

    def get_config(self) -> dict[str, Json]:
        names = ("size", "embedding", "units", "cell", "attention", "dropout")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}
