"""Text to word ids, inside the graph: the same operations for training and for serving.

Only TensorFlow's core ops are used, so that any TF Serving binary runs them.
"""

from __future__ import annotations

import collections
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from zoo.bounds import first_bytes, last_bytes
from zoo.data.batching import Ragged
from zoo.errors import ZooError
from zoo.text.chunks import in_chunks
from zoo.text.normalisation import NONE, normalise

PADDING = 0
UNKNOWN = 1
RESERVED = 2  # ids below this are not words
MAX_BYTES = 100_000  # maximum bytes read of a text


def split_words(text: tf.Tensor) -> tf.RaggedTensor:
    """Splits raw text into lower-cased words and punctuation marks.

    HTML tags become spaces, bytes that are not UTF-8 become U+FFFD, and each character that is
    neither letter, digit, mark nor apostrophe is a separate token: `"Great movie!!"` gives
    `great movie ! !`. Texts must be normalised before, see `zoo.text.normalise`.

    Args:
      text: string `(batch,)`.

    Returns:
      string `(batch, None)`, ragged; a row may be empty.
    """
    text = tf.strings.unicode_transcode(text, "UTF-8", "UTF-8", errors="replace")
    # Control characters go first: TensorFlow 2.21's `lower` drops what follows a NUL.
    text = tf.strings.regex_replace(text, r"[\pZ\pC]+", " ")
    text = tf.strings.lower(text, encoding="utf-8")
    text = tf.strings.regex_replace(text, r"</?[a-z][^<>]*>", " ")
    text = tf.strings.regex_replace(text, r"([^\pL\pM\pN\s'])", r" \1 ")
    return tf.strings.split(text)


def learn_vocabulary(texts: Sequence[str], size: int, normalisation: int = NONE) -> list[str]:
    """Returns the `size` most frequent words of `texts`, most frequent first.

    Ties are broken alphabetically, so that the result does not depend on the order of rows.

    Args:
      texts: raw texts.
      size: maximum number of words.
      normalisation: rule of `zoo.text.normalise`; the same as for the `WordEncoder`.

    Raises:
      ZooError: no text has any words.
    """
    counts: collections.Counter[bytes] = collections.Counter()
    for words in in_chunks(lambda text: split_words(normalise(text, normalisation)), texts):
        counts.update(words.flat_values.numpy().tolist())
    if not counts:
        raise ZooError(
            "The training texts hold no word. Check that the text column is the right one."
        )
    ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return [word.decode("utf-8") for word, _ in ranked[:size]]


@keras.saving.register_keras_serializable("zoo")
class WordEncoder(keras.layers.Layer):
    """Raw text to right-padded word ids.

    A text longer than `max_words` keeps its first quarter of `max_words` and its last three
    quarters: opinions are stated at the beginning and above all at the end. A text without
    words becomes the single id `UNKNOWN`, because no row may be empty. Of a text of more than
    `max_bytes`, only that many bytes from the beginning and the end are read.

    Args:
      vocabulary: words; word `i` gets the id `i + RESERVED`.
      max_words: maximum number of ids per row.
      max_bytes: maximum bytes of a text, before it is split.
      normalisation: how texts are normalised, see `zoo.text.normalise`.

    Call arguments:
      text: string `(batch,)`.

    Returns:
      int32 `(batch, time)`, with `time` the longest row's, at least 1; 0 is padding.
    """

    def __init__(
        self,
        vocabulary: Sequence[str],
        max_words: int,
        max_bytes: int = MAX_BYTES,
        normalisation: int = NONE,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.vocabulary = list(vocabulary)
        self.max_words = max_words
        self.max_bytes = max_bytes
        self.normalisation = normalisation
        self.built = True  # no weights to build
        self._table = tf.lookup.StaticHashTable(
            tf.lookup.KeyValueTensorInitializer(
                tf.constant(self.vocabulary, tf.string),
                tf.range(RESERVED, len(self.vocabulary) + RESERVED, dtype=tf.int64),
            ),
            default_value=UNKNOWN,
        )

    def ragged(self, text: tf.Tensor) -> tf.RaggedTensor:
        """Returns int32 `(batch, None)`, ragged, no row empty."""
        head = self.max_bytes // 4
        ends = [first_bytes(text, head), " ", last_bytes(text, self.max_bytes - head)]
        long = tf.strings.length(text) > self.max_bytes
        read = tf.where(long, tf.strings.join(ends), text)
        words = split_words(normalise(read, self.normalisation))
        # On flat values: operations on ragged tensors are many operations each.
        flat, lengths, starts = words.flat_values, words.row_lengths(), words.row_starts()
        keep = tf.clip_by_value(lengths, 1, self.max_words)  # of each row, as all below
        head = tf.where(lengths > self.max_words, keep // 4, keep)
        skipped = tf.maximum(lengths - self.max_words, 0)
        first = tf.cumsum(keep, exclusive=True)
        row = tf.repeat(tf.range(tf.size(keep)), keep)  # of each id, as all below
        position = tf.range(tf.size(row, tf.int64)) - tf.gather(first, row)
        position += tf.where(position >= tf.gather(head, row), tf.gather(skipped, row), 0)
        index = tf.gather(starts, row) + position
        nothing = tf.size(flat, tf.int64)  # the place of "", the only word of a row without words
        index = tf.where(tf.gather(lengths > 0, row), index, nothing)
        ids = self._table.lookup(tf.gather(tf.concat([flat, [""]], 0), index))
        return tf.RaggedTensor.from_row_lengths(tf.cast(ids, tf.int32), keep, validate=False)

    def call(self, text: tf.Tensor) -> tf.Tensor:
        return self.ragged(text).to_tensor(PADDING)

    def rows(self, texts: Sequence[str]) -> Ragged:
        """Encodes a whole data set, for `Batches`."""
        rows: list[np.ndarray] = []
        for ids in in_chunks(self.ragged, texts):
            rows += np.split(ids.flat_values.numpy(), ids.row_splits.numpy()[1:-1])
        return Ragged(rows)

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        return (input_shape[0], None)

    def portable(self) -> dict[str, Any]:
        """Returns vocabulary and rules as JSON can hold them: see `zoo.serving.portable`."""
        from zoo.text.rules import text_rules

        names = ("vocabulary", "max_words", "max_bytes")
        rules = text_rules(self.normalisation)
        return {"kind": "words", **{name: getattr(self, name) for name in names}, **rules}

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        names = ("vocabulary", "max_words", "max_bytes", "normalisation")
        return {**config, **{name: getattr(self, name) for name in names}}
