"""What a classifier answers."""

from __future__ import annotations

from collections.abc import Sequence

import tensorflow as tf


def class_answer(labels: Sequence[str], probabilities: tf.Tensor) -> dict[str, tf.Tensor]:
    """Makes the outputs of a classifier.

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
