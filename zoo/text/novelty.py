"""How far a text is from the training texts: by the words that a model does not know.

A language that is not the model's is found by it, too: almost no word of it is known.
"""

from __future__ import annotations

import tensorflow as tf

from zoo.text.words import PADDING, UNKNOWN

FURTHER = 10  # known words that are counted with those of a text: a short one tells less


def word_novelty(
    unknown: tf.Tensor, words: tf.Tensor, further: int = FURTHER
) -> dict[str, tf.Tensor]:
    """Returns two outputs of an answer, float32 `(batch,)` each.

    Args:
      unknown: how many words of each text are unknown, int `(batch,)`.
      words: how many it has, int `(batch,)`.
      further: known words that are counted with those of each text.

    Returns:
      `unknown_words`, the share of the words that are unknown, 0 of a text without words; and
      `novelty`, their number divided by that of all words and the further ones.
    """
    found, total = tf.cast(unknown, tf.float32), tf.cast(words, tf.float32)
    share = tf.math.divide_no_nan(found, total)
    return {"unknown_words": share, "novelty": found / (total + further)}


def id_novelty(ids: tf.Tensor) -> dict[str, tf.Tensor]:
    """Returns the same, of the ids of a `WordEncoder`.

    Args:
      ids: int32 `(batch, time)`. A text without words is one unknown word.
    """
    unknown, words = (
        tf.math.count_nonzero(each, axis=1) for each in (ids == UNKNOWN, ids != PADDING)
    )
    return word_novelty(unknown, words)
