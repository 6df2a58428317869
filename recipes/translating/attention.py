"""Attention of each decoder step over all encoder states."""

from __future__ import annotations

import keras
from keras import ops

from zoo.assets import Json
from zoo.tensors import Tensor


@keras.saving.register_keras_serializable("zoo")
class Attention(keras.layers.Layer):
    """Returns the attention-weighted sum of the source states for each query.

    With queries q_t and states h_s:

        additive        e_ts = v . tanh(W q_t + U h_s)   (Bahdanau, Cho & Bengio, ICLR 2015)
        multiplicative  e_ts = q_t . W h_s               (Luong, Pham & Manning, EMNLP 2015)

        a_ts = exp(e_ts) / sum_s' exp(e_ts')             over real source steps s'
        c_t = sum_s a_ts h_s

    Keras' own attention layers have no weights W and U for queries and states of different sizes.

    Args:
      kind: `"additive"` or `"multiplicative"`.
      units: the size of `W q_t` and `U h_s` of the additive kind.

    Call arguments:
      queries: float `(batch, target, query)`.
      states: float `(batch, source, state)`.
      states_mask: bool `(batch, source)`: real source steps, at least one per row; Keras passes
        it on from the layer that computed the states.
      keys: the result of `keys` for these states, if it is already available.

    Returns:
      The contexts, float `(batch, target, state)`, and the weights, float32
      `(batch, target, source)`, each row of which sums to 1 over the real steps.

    Raises:
      ValueError: the kind is unknown.
    """

    KINDS = ("additive", "multiplicative")

    def __init__(self, kind: str = "additive", units: int = 128, **kwargs: object) -> None:
        super().__init__(**kwargs)
        if kind not in self.KINDS:
            raise ValueError(f"kind must be one of {', '.join(self.KINDS)}; got {kind!r}.")
        self.kind = kind
        self.units = units

    def build(self, queries_shape: tuple, states_shape: tuple) -> None:
        if self.kind == "additive":
            self.of_states = keras.layers.Dense(self.units, use_bias=False, dtype=self.dtype_policy)
            self.of_query = keras.layers.Dense(self.units, dtype=self.dtype_policy)
            self.of_query.build(queries_shape)
            self.v = self.add_weight(shape=(self.units,), name="v", initializer="uniform")
        else:
            self.of_states = keras.layers.Dense(
                queries_shape[-1], use_bias=False, dtype=self.dtype_policy
            )
        self.of_states.build(states_shape)

    def keys(self, states: Tensor) -> Tensor:
        """Returns `U h_s` or `W h_s`, which are the same for all queries.

        Args:
          states: float `(batch, source, state)`.

        Returns:
          float `(batch, source, units)`, or `(batch, source, query)` for the multiplicative kind.
        """
        return self.of_states(states)

    def call(
        self,
        queries: Tensor,
        states: Tensor,
        states_mask: Tensor | None = None,
        keys: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        keys = self.keys(states) if keys is None else keys
        if self.kind == "additive":
            hidden = ops.expand_dims(self.of_query(queries), 2) + ops.expand_dims(keys, 1)
            scores = ops.einsum("btsu,u->bts", ops.tanh(hidden), self.v)
        else:
            scores = ops.matmul(queries, ops.transpose(keys, (0, 2, 1)))
        scores = ops.cast(scores, "float32")
        if states_mask is not None:
            scores = ops.where(ops.expand_dims(states_mask, 1), scores, -1e9)
        weights = ops.softmax(scores, axis=-1)
        return ops.matmul(ops.cast(weights, states.dtype), states), weights

    def compute_mask(self, *_: object, **__: object) -> None:
        return None

    def compute_output_shape(self, queries_shape: tuple, states_shape: tuple) -> tuple:
        return (
            (*queries_shape[:2], states_shape[-1]),
            (*queries_shape[:2], states_shape[1]),
        )

    def get_config(self) -> dict[str, Json]:
        return {**super().get_config(), "kind": self.kind, "units": self.units}
