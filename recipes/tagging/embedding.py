"""Learnt and pretrained word vectors, with random replacement of rare words in training."""

from __future__ import annotations

from collections.abc import Sequence

import keras
import numpy as np
from keras import ops

from zoo.assets import Json
from zoo.tensors import Tensor


@keras.saving.register_keras_serializable("zoo")
class WordEmbedding(keras.layers.Layer):
    """An embedding in three parts, in the order of the ids.

    1. The first `common` ids are learnt. Id 0 is padding, id 1 the unknown word.
    2. The next `rare` ids are learnt. In training, they are randomly replaced by the unknown word,
       so that the unknown word gets a useful vector. `hidden` does so for words of all parts.
    3. The last `fixed` ids have pretrained vectors that are not trained, so that the network treats
       words of the training text and unseen words alike.

    Weights: `learnt` `(common + rare, units)` and, if `fixed` is not 0, `fixed` `(fixed, units)`,
    not trainable.

    Args:
      common, rare, fixed: numbers of ids, see above.
      units: size of a vector.
      rate: fraction of the rare words replaced in training.
      hidden: fraction of all words replaced in training.
      seed: seed of the replacement.

    Call arguments:
      ids: int `(batch, time)`.
      training: whether to replace rare words.

    Returns:
      float `(batch, time, units)`; masked where the id is 0.
    """

    def __init__(
        self,
        common: int,
        rare: int,
        fixed: int,
        units: int,
        rate: float = 0.5,
        hidden: float = 0.0,
        seed: int | None = None,
        **kwargs: object,
    ) -> None:
        super().__init__(**kwargs)
        self.common_ids, self.rare_words, self.fixed_words = common, rare, fixed
        self.units, self.rate, self.hidden, self.seed = units, rate, hidden, seed
        self.generator = keras.random.SeedGenerator(seed)
        self.supports_masking = True

    def build(self, input_shape: tuple) -> None:
        # Variance 1 / units, so that a vector's norm is about 1, as in Lample et al. 2016.
        limit = (3 / self.units) ** 0.5
        uniform = keras.initializers.RandomUniform(-limit, limit)
        shape = (self.common_ids + self.rare_words, self.units)
        self.learnt = self.add_weight(shape=shape, initializer=uniform, name="learnt")
        self.fixed = None
        if self.fixed_words:
            self.fixed = self.add_weight(
                shape=(self.fixed_words, self.units),
                initializer="zeros",
                trainable=False,
                name="fixed",
            )

    def call(self, ids: Tensor, training: bool = False) -> Tensor:
        first_fixed = self.common_ids + self.rare_words
        if training and ((self.rate and self.rare_words) or self.hidden):
            chance = keras.random.uniform(ops.shape(ids), seed=self.generator)
            rare = (ids >= self.common_ids) & (ids < first_fixed)
            dropped = rare & (chance < self.rate)
            if self.hidden:
                dropped = dropped | ((ids != 0) & (chance < self.hidden))
            ids = ops.where(dropped, ops.ones_like(ids), ids)
        if self.fixed is None:
            return ops.cast(ops.take(self.learnt, ids, axis=0), self.compute_dtype)
        is_fixed = ids >= first_fixed
        learnt = ops.take(self.learnt, ops.where(is_fixed, 0, ids), axis=0)
        fixed = ops.take(self.fixed, ops.where(is_fixed, ids - first_fixed, 0), axis=0)
        vectors = ops.where(ops.expand_dims(is_fixed, -1), fixed, learnt)
        return ops.cast(vectors, self.compute_dtype)

    def give(self, ids: Sequence[int], vectors: np.ndarray) -> None:
        """Sets the vectors of the given ids: float `(len(ids), units)`."""
        rows = np.asarray(ids)
        first_fixed = self.common_ids + self.rare_words
        for weight, chosen, first in (
            (self.learnt, rows < first_fixed, 0),
            (self.fixed, rows >= first_fixed, first_fixed),
        ):
            if weight is not None and chosen.any():
                values = np.copy(ops.convert_to_numpy(weight))
                values[rows[chosen] - first] = np.asarray(vectors)[chosen]
                weight.assign(values)

    def compute_mask(self, ids: Tensor, mask: Tensor | None = None) -> Tensor:
        return ops.not_equal(ids, 0)

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        return (*input_shape, self.units)

    def get_config(self) -> dict[str, Json]:
        return {
            **super().get_config(),
            "common": self.common_ids,
            "rare": self.rare_words,
            "fixed": self.fixed_words,
            "units": self.units,
            "rate": self.rate,
            "hidden": self.hidden,
            "seed": self.seed,
        }


@keras.saving.register_keras_serializable("zoo")
class JoinFeatures(keras.layers.Concatenate):
    """Concatenates features of the same steps; the mask is that of the first input.

    In Keras 3.15, `Concatenate` counts a step as real if it is real in any input, and all steps of
    an input without a mask as real.

    Call arguments:
      inputs: floats `(batch, time, …)`, which differ in their last axis only.

    Returns:
      float `(batch, time, sum)`.
    """

    def compute_mask(
        self, inputs: Sequence[Tensor], mask: Sequence[Tensor | None] | None = None
    ) -> Tensor | None:
        return mask[0] if mask else None
