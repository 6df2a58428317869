"""A head for frames of notes in which each key depends on those below it."""

from __future__ import annotations

import keras
from keras import layers, ops

from zoo.assets import Json
from zoo.tensors import Tensor


@keras.saving.register_keras_serializable("zoo")
class NADE(layers.Layer):
    """Neural autoregressive distribution over the keys that sound, given a state.

    With h the state of a network at this frame, and v_j = 1 where key j sounds:

        p(v_i = 1 | v_<i, h) = sigmoid(b_i + B_i h + U_i f(c + A h + sum_{j<i} v_j W_j))

    (Larochelle & Murray: The Neural Autoregressive Distribution Estimator, AISTATS 2011; on top
    of an RNN, Boulanger-Lewandowski, Bengio & Vincent, ICML 2012.) Keys are taken from the
    lowest to the highest.

    The argument of f changes only where a key sounds. It is therefore computed once for each
    note of a frame instead of each key, which takes a tenth of the time.

    Args:
      hidden: size of f's argument.
      keys: number of keys.
      notes: the sum over j has the lowest `notes` sounding keys below i; further ones do not
        change the distribution of the keys above them.
      activation: f.

    Call arguments:
      state: float `(..., state)`, h.
      frame: `(..., keys)`, v: 1 where a key sounds, else 0.

    Returns:
      Logits, float32 `(..., keys)`. The logit of a key depends on `frame` below it only.
    """

    def __init__(
        self,
        hidden: int = 100,
        keys: int = 88,
        notes: int = 6,
        activation: str = "tanh",
        **kwargs: object,
    ) -> None:
        super().__init__(**kwargs)
        self.hidden, self.keys, self.notes = hidden, keys, notes
        self.activation = keras.activations.get(activation)
        policy = self.dtype_policy
        # [c + A h, b + B h] in one product. The name "given" is part of saved weights.
        self.given = layers.Dense(hidden + keys, dtype=policy, name="given")

    def build(self, state_shape: tuple, frame_shape: tuple) -> None:
        self.given.build(state_shape)
        self.below = self.add_weight(  # W
            shape=(self.keys, self.hidden), initializer="glorot_uniform", name="below"
        )
        self.out = self.add_weight(  # U transposed
            shape=(self.hidden, self.keys), initializer="glorot_uniform", name="out"
        )

    def _parts(self, state: Tensor) -> tuple[Tensor, Tensor]:
        both = self.given(state)
        return both[..., : self.hidden], both[..., self.hidden :]

    def call(self, state: Tensor, frame: Tensor) -> Tensor:
        hidden, base = self._parts(state)
        frame = ops.cast(frame, hidden.dtype)
        # The part of a key: the number of sounding keys below it, at most `notes`.
        lower = ops.cumsum(frame, axis=-1) - frame
        part = ops.one_hot(
            ops.cast(ops.minimum(lower, self.notes), "int32"), self.notes + 1, dtype=hidden.dtype
        )  # (..., keys, notes + 1)
        # The n-th sounding key begins part n + 1; parts are summed up from below.
        begin = ops.swapaxes(part[..., :-1] * ops.expand_dims(frame, -1), -1, -2)
        sums = ops.cumsum(ops.matmul(begin, self.below), axis=-2)  # (..., notes, hidden)
        first = ops.expand_dims(hidden, -2)
        hidden = self.activation(ops.concatenate([first, first + sums], axis=-2))
        logits = ops.matmul(hidden, self.out)  # (..., notes + 1, keys)
        selected = ops.sum(ops.swapaxes(part, -1, -2) * logits, axis=-2)
        return ops.cast(selected, "float32") + ops.cast(base, "float32")

    def above(self, state: Tensor, frame: Tensor) -> Tensor:
        """Returns the logits of keys above the highest that sounds, for one key after another.

        Args:
          state: float `(..., state)`.
          frame: `(..., keys)`: the keys that sound so far.

        Returns:
          Logits, float32 `(..., keys)`: for keys above those of `frame`, what `call` returns for
          a frame that begins like this one.
        """
        hidden, base = self._parts(state)
        frame = ops.cast(frame, hidden.dtype)
        first = frame * ops.cast(ops.cumsum(frame, axis=-1) <= self.notes, hidden.dtype)
        hidden = self.activation(hidden + ops.matmul(first, self.below))
        logits = ops.matmul(hidden, self.out)
        return ops.cast(logits, "float32") + ops.cast(base, "float32")

    def compute_output_shape(self, state_shape: tuple, frame_shape: tuple) -> tuple:
        return (*state_shape[:-1], self.keys)

    def get_config(self) -> dict[str, Json]:
        return {
            **super().get_config(),
            "hidden": self.hidden,
            "keys": self.keys,
            "notes": self.notes,
            "activation": keras.activations.serialize(self.activation),
        }


@keras.saving.register_keras_serializable("zoo")
class Bernoulli(layers.Dense):
    """Keys that sound independently of each other, given a state: `NADE` without its sum.

        p(v_i = 1 | h) = sigmoid(b_i + B_i h)

    Args:
      keys: number of keys.

    Call arguments:
      state: float `(..., state)`, h.
      frame: `(..., keys)`, which is ignored.

    Returns:
      Logits, float32 `(..., keys)`.
    """

    def __init__(self, keys: int = 88, **kwargs: object) -> None:
        super().__init__(keys, **kwargs)
        self.keys = keys

    def build(self, state_shape: tuple, frame_shape: tuple | None = None) -> None:
        super().build(state_shape)

    def call(self, state: Tensor, frame: Tensor | None = None) -> Tensor:
        return ops.cast(super().call(state), "float32")

    def above(self, state: Tensor, frame: Tensor) -> Tensor:
        """Returns what `call` does, float32 `(..., keys)`; see `NADE.above`."""
        return self(state)

    def compute_output_shape(self, state_shape: tuple, frame_shape: tuple | None = None) -> tuple:
        return (*state_shape[:-1], self.keys)

    def get_config(self) -> dict[str, Json]:
        config = super().get_config()
        return {**{k: v for k, v in config.items() if k != "units"}, "keys": self.keys}
