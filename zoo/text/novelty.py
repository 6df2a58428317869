"""Measures how far a text is from the training texts, by the share of unknown words.

This also detects texts in another language: almost none of their words are known.
"""

from __future__ import annotations

import tensorflow as tf

from zoo.text.words import PADDING, UNKNOWN

FURTHER = 10  # known words added to those of a text: short texts are less conclusive


def word_novelty(
    unknown: tf.Tensor, words: tf.Tensor, further: int = FURTHER
) -> dict[str, tf.Tensor]:
    """Returns two outputs of an answer, float32 `(batch,)` each.

    Args:
      unknown: number of unknown words of each text, int `(batch,)`.
      words: number of words of each text, int `(batch,)`.
      further: number of known words added to those of each text.

    Returns:
      `unknown_words`, the share of the words that are unknown, 0 of a text without words; and
      `novelty`, their number divided by that of all words and the further ones.
    """
    found, total = tf.cast(unknown, tf.float32), tf.cast(words, tf.float32)
    share = tf.math.divide_no_nan(found, total)
    return {"unknown_words": share, "novelty": found / (total + further)}


def id_novelty(ids: tf.Tensor) -> dict[str, tf.Tensor]:
    """Returns the outputs of `word_novelty` for the ids of a `WordEncoder`.

    Args:
      ids: int32 `(batch, time)`. A text without words is one unknown word.
    """
    unknown, words = (
        tf.math.count_nonzero(each, axis=1) for each in (ids == UNKNOWN, ids != PADDING)
    )
    return word_novelty(unknown, words)
