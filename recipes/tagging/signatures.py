"""From a trained tagging network to functions that take raw text and give tagged tokens."""

from __future__ import annotations

from collections.abc import Sequence

import keras
import tensorflow as tf

from recipes.tagging.running import best_tags, tag_probabilities
from recipes.tagging.tags import bioes_tags, to_bio
from recipes.tagging.tokens import TokenEncoder, joined, row_lengths, tokenise, windows, with_a_step
from zoo.serving.signatures import Functions

WINDOW = 512  # tokens that are read together: texts beside a long one are not padded to it


def tagging_signatures(model: keras.Model, encoder: TokenEncoder, tags: Sequence[str]) -> Functions:
    """Makes what a tagging network serves: keyword arguments of `zoo.serving.Served`.

    A text of more than 512 tokens, longer than any sentence, is read window by window.

    Args:
      model: takes what `encoder` gives; its output is of `bioes_tags(tags)`, as that of a
        `recipes.tagging.crf.CRF` or of a softmax.
      encoder: tokens to ids.
      tags: BIO, `O` first.

    Returns:
      `answer`: `text`, string `(batch,)`, to `tokens`, string `(batch, time)`; `start`
      and `end` (exclusive) of each in the text, int32, in characters; `tags`, string; `scores`,
      float32: the probability of the tag; all `(batch, time)`, `""` or 0 at padding; and
      `length`, int32 `(batch,)`.

      `others`: `tokens`, which takes `tokens`, string `(batch, time)`, padded with `""` on the
      right, to the same without `start` and `end`.
    """
    inside = bioes_tags(tags)
    names = tf.constant(["", *tags])
    number = tf.constant([list(tags).index(tag) for tag in to_bio(inside)])  # BIO of each BIOES

    def answer(tokens: tf.Tensor) -> dict[str, tf.Tensor]:
        tokens = with_a_step(tokens, "")
        length = row_lengths(tokens)  # (batch,)
        real = tf.sequence_mask(length, tf.shape(tokens)[1])  # (batch, time)
        # An empty token between others is no padding.
        parts = windows(tf.where(real & tf.equal(tokens, ""), "\ufffd", tokens), WINDOW)
        ids = encoder(parts.to_tensor(""))  # (windows, window) each
        mask = ids["words"] > 0
        output = model(ids, training=False)
        best = tf.gather(number, best_tags(output, inside, mask))  # (windows, window)
        # The probability of BIO's B-X is that of BIOES' B-X and S-X together.
        probabilities = tag_probabilities(output, inside, mask) @ tf.one_hot(number, len(tags))
        scores = joined(tf.gather(probabilities, best, batch_dims=2), parts, tokens)
        return {
            "tokens": tf.where(real, tokens, ""),
            "tags": tf.gather(names, tf.where(real, joined(best, parts, tokens) + 1, 0)),
            "scores": tf.where(real, scores, 0.0),
            "length": length,
        }

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="text")])
    def of_text(text: tf.Tensor) -> dict[str, tf.Tensor]:
        tokens, start, end = (ragged.to_tensor() for ragged in tokenise(text))
        return {**answer(tokens), "start": with_a_step(start, 0), "end": with_a_step(end, 0)}

    rows = tf.TensorSpec([None, None], tf.string, name="tokens")
    of_tokens = tf.function(answer, input_signature=[rows])
    return {"answer": of_text, "others": {"tokens": of_tokens}}
