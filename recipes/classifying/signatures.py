"""Signatures of text classifiers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import keras
import tensorflow as tf

from zoo.serving.signatures import Functions
from zoo.text import WordEncoder
from zoo.text.novelty import id_novelty


def class_signatures(model: keras.Model, encoder: WordEncoder, labels: Sequence[str]) -> Functions:
    """Returns the signatures of a text classifier: keyword arguments of `zoo.serving.Served`.

    Args:
      model: word ids to probabilities.
      encoder: texts to word ids.
      labels: class names.

    Returns:
      `answer`: `text`, string `(batch,)`, to the outputs of `class_answer` and of
      `zoo.text.novelty.id_novelty`.
    """

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="text")], autograph=False)
    def answer(text: tf.Tensor) -> dict[str, tf.Tensor]:
        ids = encoder(text)  # (batch, time)
        probabilities = model(ids, training=False)  # (batch, classes)
        return {**class_answer(labels, probabilities), **id_novelty(ids)}

    return {"answer": answer}


def mean_answer(
    labels: Sequence[str], answers: Sequence[Mapping[str, tf.Tensor]]
) -> dict[str, tf.Tensor]:
    """Returns `class_answer` of the mean of several networks' probabilities."""
    return class_answer(labels, sum(each["probabilities"] for each in answers) / len(answers))


def class_answer(labels: Sequence[str], probabilities: tf.Tensor) -> dict[str, tf.Tensor]:
    """Returns the outputs of a classifier.

    Args:
      labels: class names.
      probabilities: float32 `(batch, classes)`.

    Returns:
      `label`, string `(batch,)`: the most probable class; `score`, float32 `(batch,)`: its
      probability; and `probabilities`.
    """
    return {
        "label": tf.gather(tf.constant(labels), tf.argmax(probabilities, axis=-1)),
        "score": tf.reduce_max(probabilities, axis=-1),
        "probabilities": probabilities,
    }
