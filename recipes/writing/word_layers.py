"""Layers of word-level language models: tied embeddings, weight dropout, carried states."""

from __future__ import annotations

import math
from collections.abc import Mapping, MutableMapping, Sequence

import keras
from keras import layers, ops

from zoo.assets import Json
from zoo.losses import StepLoss, is_first_replica, sum_over_replicas
from zoo.tensors import Tensor

IMPOSSIBLE = -1e9  # logit of ids that are never predicted


@keras.saving.register_keras_serializable("zoo")
class TiedEmbedding(layers.Embedding):
    """Maps ids to vectors E x or, if states h are given, to the log-probabilities of the ids.

        log p(next | h) = log softmax(E h + b)

    Input and output share E (H. Inan, K. Khosravi, R. Socher; O. Press, L. Wolf: both 2017). In
    training, whole rows of E are dropped, so a word is dropped everywhere or nowhere (Y. Gal,
    Z. Ghahramani: A Theoretically Grounded Application of Dropout in Recurrent Neural Networks,
    NIPS 2016).

    With `sampled`, training uses a sampled softmax over the next id and that many others. These are
    sampled by rank, p(k) = log(1 + 1 / k) / log(ids), and their logits are corrected for how often
    they are sampled (Y. Bengio, J.-S. Senécal 2008). Ids must therefore be sorted by descending
    frequency; 0 is padding.

    Args:
      size: number of ids.
      units: dimension of the vectors.
      word_dropout: fraction of the ids that is dropped in a step.
      sampled: number of ids sampled for the softmax in training; 0 for a full softmax.

    Call arguments:
      ids: int `(batch, time)`.
      states: float `(batch, time, units)`, or None.

    Returns:
      Without states, vectors, float `(batch, time, units)`; with states, the log-probability of
      `ids` in nats, float32 `(batch, time, 1)`.
    """

    def __init__(
        self, size: int, units: int, word_dropout: float = 0.0, sampled: int = 0, **kwargs: object
    ) -> None:
        kwargs = {"embeddings_initializer": keras.initializers.RandomUniform(-0.1, 0.1), **kwargs}
        super().__init__(size, units, **kwargs)
        self.word_dropout, self.sampled = word_dropout, sampled
        self.generator = keras.random.SeedGenerator()

    def build(self, ids_shape: tuple, states_shape: tuple | None = None) -> None:
        if not self.built:
            super().build(ids_shape)
            self.bias = self.add_weight(
                shape=(self.input_dim,), initializer="zeros", name="softmax_bias"
            )

    def call(self, ids: Tensor, states: Tensor | None = None, training: bool = False) -> Tensor:
        if states is not None:
            flat = ops.reshape(states, (-1, self.output_dim))
            numbers = ops.reshape(ids, (-1,))
            score = self._sampled if training and self.sampled else self._whole
            return ops.reshape(score(numbers, flat), (*ops.shape(ids), 1))
        vectors = super().call(ids)
        if training and self.word_dropout:
            kept = ops.ones((self.input_dim, 1), self.compute_dtype)
            kept = keras.random.dropout(kept, self.word_dropout, seed=self.generator)
            vectors = vectors * ops.take(kept, ids, axis=0)
        return vectors

    def logits(self, states: Tensor) -> Tensor:
        """Returns logits of all ids, float32 `(rows, ids)`, for states, float `(rows, units)`."""
        product = self._products(states, self.embeddings)
        padding = ops.cast(ops.equal(ops.arange(self.input_dim), 0), "float32") * IMPOSSIBLE
        return product + ops.cast(self.bias, "float32") + padding

    def _products(self, states: Tensor, vectors: Tensor) -> Tensor:
        states, vectors = (ops.cast(each, self.compute_dtype) for each in (states, vectors))
        return ops.cast(ops.matmul(states, ops.transpose(vectors)), "float32")

    def _own_logit(self, ids: Tensor, states: Tensor) -> Tensor:
        """Returns the logit of each row's id, float32 `(rows,)`."""
        vectors = ops.cast(ops.take(self.embeddings, ids, axis=0), self.compute_dtype)
        products = ops.cast(states, self.compute_dtype) * vectors
        return ops.cast(ops.sum(products, axis=-1), "float32") + ops.take(
            ops.cast(self.bias, "float32"), ids
        )

    def _whole(self, ids: Tensor, states: Tensor) -> Tensor:
        return self._own_logit(ids, states) - ops.logsumexp(self.logits(states), axis=-1)

    def _sampled(self, ids: Tensor, states: Tensor) -> Tensor:
        span = math.log(self.input_dim)  # of ids 1 … size - 1
        drawn = keras.random.uniform((self.sampled,), seed=self.generator, dtype="float32")
        others = ops.clip(ops.cast(ops.exp(drawn * span), "int32"), 1, self.input_dim - 1)
        bias = ops.cast(self.bias, "float32")
        right = self._own_logit(ids, states)
        # The product makes the gradient dense. A sparse gradient would hold the row of a word
        # that all replicas have sampled once per replica; its norm, which is clipped, would differ.
        vectors = ops.multiply(self.embeddings, 1.0)
        wrong = self._products(states, ops.take(vectors, others, axis=0))
        # Makes the expected value of their sum equal to the sum over all ids.
        expected = self.sampled / span * ops.log1p(1 / ops.cast(others, "float32"))
        wrong += ops.take(bias, others) - ops.log(expected)
        same = ops.equal(ops.expand_dims(ids, -1), others)  # sampled by chance
        wrong = ops.where(same, IMPOSSIBLE, wrong)
        both = ops.concatenate([ops.expand_dims(right, -1), wrong], axis=-1)
        return right - ops.logsumexp(both, axis=-1)

    def save_own_variables(self, store: MutableMapping[str, Tensor]) -> None:
        for number, weight in enumerate(self.weights):  # Keras' own method omits the bias
            store[str(number)] = weight

    def load_own_variables(self, store: Mapping[str, Tensor]) -> None:
        for number, weight in enumerate(self.weights):
            weight.assign(store[str(number)])

    def compute_output_shape(self, ids_shape: tuple, states_shape: tuple | None = None) -> tuple:
        return (*ids_shape, self.output_dim if states_shape is None else 1)

    def compute_output_spec(
        self, ids: Tensor, states: Tensor | None = None, training: bool = False
    ) -> keras.KerasTensor:
        shape = self.compute_output_shape(ids.shape, None if states is None else states.shape)
        return keras.KerasTensor(shape, self.compute_dtype if states is None else "float32")

    def get_config(self) -> dict[str, Json]:
        config = super().get_config()
        own = {"size": config.pop("input_dim"), "units": config.pop("output_dim")}
        return {**config, **own, "word_dropout": self.word_dropout, "sampled": self.sampled}


@keras.saving.register_keras_serializable("zoo")
class WeightDropLSTM(layers.LSTM):
    """An LSTM with dropout on its recurrent weights; all steps of a batch share the mask.

    S. Merity, N. Keskar, R. Socher: Regularizing and Optimizing LSTM Language Models, ICLR 2018.

    Args:
      units: size of the state.
      weight_dropout: fraction of the recurrent weights that is dropped in a training step.
      **kwargs: arguments of `keras.layers.LSTM`.
    """

    def __init__(self, units: int, weight_dropout: float = 0.0, **kwargs: object) -> None:
        super().__init__(units, **kwargs)
        self.weight_dropout = weight_dropout
        self.generator = keras.random.SeedGenerator()

    def inner_loop(
        self,
        sequences: Tensor,
        initial_state: Sequence[Tensor],
        mask: Tensor | None,
        training: bool = False,
    ) -> tuple[Tensor, Tensor, list[Tensor]]:
        if not (training and self.weight_dropout):
            return super().inner_loop(sequences, initial_state, mask, training)
        kernel = self.cell.recurrent_kernel
        dropped = keras.random.dropout(kernel, self.weight_dropout, seed=self.generator)
        # Bypasses Keras' own setattr, which would track it.
        object.__setattr__(self.cell, "recurrent_kernel", dropped)
        try:
            return super().inner_loop(sequences, initial_state, mask, training)
        finally:
            object.__setattr__(self.cell, "recurrent_kernel", kernel)

    def get_config(self) -> dict[str, Json]:
        return {**super().get_config(), "weight_dropout": self.weight_dropout}


@keras.saving.register_keras_serializable("zoo")
class CarriedLSTM(layers.Layer):
    """An LSTM that begins each window with the final state of the previous window.

    The states are variables, so checkpoints include them. Training and evaluation have separate
    states. Gradients stop at the start of the window (truncated backpropagation through time).

    Args:
      units: size of the state.
      streams: number of texts that are read in parallel.
      weight_dropout: see `WeightDropLSTM`.

    Call arguments:
      sequences: float `(batch, time, features)`.
      stream: int `(batch,)`, the index of each row's text, from 0.
      begins: int `(batch,)`, 1 where the text begins here, with a zero state.

    Returns:
      float `(batch, time, units)`.
    """

    def __init__(
        self, units: int, streams: int, weight_dropout: float = 0.0, **kwargs: object
    ) -> None:
        super().__init__(**kwargs)
        self.units, self.streams, self.weight_dropout = units, streams, weight_dropout
        self.lstm = WeightDropLSTM(
            units,
            weight_dropout,
            return_sequences=True,
            return_state=True,
            dtype=self.dtype_policy,
            name="lstm",
        )

    def build(self, sequences_shape: tuple, stream_shape: tuple, begins_shape: tuple) -> None:
        self.lstm.build(sequences_shape)
        self.training_state, self.evaluation_state = (
            self.add_weight(
                shape=(self.streams, 2 * self.units),
                initializer="zeros",
                trainable=False,
                autocast=False,
                aggregation="only_first_replica",
                name=name,
            )
            for name in ("training_state", "evaluation_state")
        )

    def call(
        self, sequences: Tensor, stream: Tensor, begins: Tensor, training: bool = False
    ) -> Tensor:
        memory = self.training_state if training else self.evaluation_state
        state = ops.take(memory, stream, axis=0)
        state = ops.where(ops.expand_dims(begins, -1) > 0, 0.0, state)
        state = ops.split(ops.cast(state, self.compute_dtype), 2, axis=-1)
        outputs, *state = self.lstm(sequences, initial_state=list(state), training=training)
        # Each replica has some of the rows; all replicas keep all states. The first row of a batch
        # may be repeated on other replicas; the first replica takes precedence.
        new = ops.cast(ops.concatenate(state, axis=-1), "float32")
        new = ops.concatenate([new, ops.ones_like(new[:, :1])], axis=-1)
        new = ops.scatter(ops.expand_dims(stream, -1), new, (self.streams, 2 * self.units + 1))
        first = is_first_replica()
        both = sum_over_replicas(ops.stack([new * first, new * (1.0 - first)]))
        new = ops.where(both[0, :, -1:] > 0, both[0], both[1])
        count = new[:, -1:]
        memory.assign(ops.where(count > 0, new[:, :-1] / ops.maximum(count, 1.0), memory))
        return outputs

    def compute_output_shape(
        self, sequences_shape: tuple, stream_shape: tuple, begins_shape: tuple
    ) -> tuple:
        return (*sequences_shape[:-1], self.units)

    def get_config(self) -> dict[str, Json]:
        names = ("units", "streams", "weight_dropout")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}


@keras.saving.register_keras_serializable("zoo")
class NegativeLogLikelihood(StepLoss):
    """The mean of -log p over real steps, for networks that output log p themselves.

    Call arguments:
      y_true: ids `(batch, time)`, 0 at padding.
      y_pred: float32 `(batch, time, ways)`: one or several log-probabilities of each id, which
        are averaged.
    """

    def __init__(self, name: str = "negative_log_likelihood", **kwargs: object) -> None:
        super().__init__(name=name, **kwargs)

    def terms(self, y_true: Tensor, y_pred: Tensor) -> Tensor:
        return -ops.mean(y_pred, axis=-1)
