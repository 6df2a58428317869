"""Adversarial training of text classifiers with small perturbations of the word vectors.

T. Miyato, A. M. Dai, I. Goodfellow: Adversarial Training Methods for Semi-Supervised Text
Classification, ICLR 2017. Words are discrete, but their vectors s can be perturbed:

    adversarial          r = ε g / ‖g‖,  g = ∇_s loss(y, p(s))             adds loss(y, p(s + r))
    virtual adversarial  r = ε g / ‖g‖,  g = ∇_d KL(p(s) ‖ p(s + d))       adds KL(p(s) ‖ p(s + r))

with d a small random vector: one step of the power method. The virtual kind needs no labels. The
norm is over all words of a text; padding is not perturbed. All passes of a training step use the
same dropout masks, so that only the perturbation makes a difference.

A network could avoid the effect with long vectors, for which r is relatively small. The paper
therefore normalises the vectors to mean 0 and variance 1, weighted by word frequency. Here this is
done after each step.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from recipes.classifying.targets import class_probabilities
from zoo.tensors import Tensor
from zoo.training.train_step import LayerOutput

if TYPE_CHECKING:
    from zoo.data import Ragged
    from zoo.training.train_step import TrainingLoss, TrainStep

LAYER = "word_dropout"  # its output is perturbed: word vectors after word dropout
SMALL = 0.1  # norm of d
ENLARGED = 1024.0  # avoids underflow of float16 gradients, of which only the direction counts


def training_loss(
    model: keras.Model, adversarial: float, virtual_adversarial: float
) -> TrainingLoss | None:
    """Returns the loss with terms for perturbed word vectors; None if both norms are 0.

    Args:
      model: word ids `(batch, time)`, 0 at padding, to probabilities of classes. The layer
        `word_dropout` returns the word vectors.
      adversarial, virtual_adversarial: ε of each kind, the norm of the perturbation of a text; 0
        for none.
    """
    if not adversarial and not virtual_adversarial:
        return None
    output = LayerOutput(model.get_layer(LAYER))
    generators = [
        layer.seed_generator
        for layer in model.layers
        if isinstance(getattr(layer, "seed_generator", None), keras.random.SeedGenerator)
    ]
    # An attribute of the model, so that checkpoints contain its state.
    model.perturbation_seed = keras.random.SeedGenerator()

    def loss(step: TrainStep) -> tuple[tf.Tensor, tf.Tensor]:
        real = ops.expand_dims(ops.cast(ops.not_equal(step.x, 0), "float32"), -1)
        states = [generator.state.value * 1 for generator in generators]

        def answer(replace: Callable[[tf.Tensor], tf.Tensor]) -> tf.Tensor:
            with output.mapped(replace), step.drawing():
                return model(step.x, training=True)

        def answer_to(perturbation: tf.Tensor) -> tf.Tensor:
            for generator, state in zip(generators, states, strict=True):
                generator.state.assign(state)
            return answer(lambda _: vectors + ops.cast(perturbation, vectors.dtype))

        vectors: tf.Tensor = None
        with tf.GradientTape(watch_accessed_variables=False) as tape:

            def watch(value: tf.Tensor) -> tf.Tensor:
                nonlocal vectors
                vectors = value
                tape.watch(vectors)
                return vectors

            y_pred = answer(watch)
            total = step.loss(y_pred)
            enlarged = total * ENLARGED
        if adversarial:
            gradient = tape.gradient(enlarged, vectors)
            total += step.loss(answer_to(scale(gradient, real, adversarial)))
        if virtual_adversarial:
            expected = tf.stop_gradient(class_probabilities(step.y, y_pred))

            def divergence(perturbation: tf.Tensor) -> tf.Tensor:
                found = class_probabilities(step.y, answer_to(perturbation))
                return step.mean(keras.losses.kl_divergence(expected, found))

            with step.drawing():
                noise = keras.random.normal(ops.shape(vectors), seed=model.perturbation_seed)
            # In half precision, small noise would vanish.
            small = SMALL if vectors.dtype == "float32" else virtual_adversarial
            noise = scale(noise, real, small)
            with tf.GradientTape(watch_accessed_variables=False) as tape:
                tape.watch(noise)
                enlarged = divergence(noise) * ENLARGED
            gradient = tape.gradient(enlarged, noise)
            total += divergence(scale(gradient, real, virtual_adversarial))
        return y_pred, total

    return loss


def scale(vectors: tf.Tensor, real: tf.Tensor, norm: float) -> tf.Tensor:
    """Returns the vectors of each text, scaled to a norm over all of its words.

    Args:
      vectors: float `(batch, time, size)`.
      real: float32 `(batch, time, 1)`, 0 at padding, whose vectors become 0.
      norm: L2.

    Returns:
      float32 `(batch, time, size)`, a constant to gradients. A text of zeros stays as it is.
    """
    vectors = tf.stop_gradient(tf.cast(vectors, tf.float32)) * real
    # Divide by the largest number first, so that squares neither underflow nor overflow.
    vectors = tf.math.divide_no_nan(vectors, tf.reduce_max(tf.abs(vectors), (1, 2), keepdims=True))
    return norm * tf.math.divide_no_nan(vectors, tf.norm(vectors, axis=(1, 2), keepdims=True))


def frequencies(rows: Ragged, size: int) -> list[int]:
    """Returns the number of occurrences of each word id, from 0 to below `size`."""
    return np.bincount(rows.values, minlength=size).tolist()


def keep_normalised(embedding: keras.layers.Embedding, counts: Sequence[int]) -> None:
    """Normalises word vectors to mean 0 and variance 1, now and after each training step.

    Args:
      embedding: built.
      counts: number of occurrences of each word in the training texts.
    """
    normalised = Normalised(counts)
    table = embedding.embeddings
    table.constraint = normalised  # of the variable, so that files of the network do not name it
    table.assign(normalised(table))


class Normalised(keras.constraints.Constraint):
    """Normalises word vectors, float `(words, size)`, to mean 0 and variance 1.

    Args:
      counts: number of occurrences of each word in the training texts.
    """

    def __init__(self, counts: Sequence[int]) -> None:
        self.shares = np.array(counts, "float32")[:, None] / max(1, sum(counts))

    def __call__(self, vectors: Tensor) -> Tensor:
        vectors, weight = ops.convert_to_tensor(vectors), ops.convert_to_tensor(self.shares)
        centred = vectors - ops.sum(weight * vectors, axis=0)
        variance = ops.sum(weight * ops.square(centred), axis=0)
        return centred / ops.sqrt(ops.maximum(variance, 1e-12))
