"""Signatures of tagging networks: functions from raw text to tagged tokens."""

from __future__ import annotations

from collections.abc import Sequence

import keras
import tensorflow as tf

from recipes.tagging.running import best_tags, tag_probabilities
from recipes.tagging.tags import bioes_tags, to_bio
from recipes.tagging.tokens import (
    FURTHER,
    TokenEncoder,
    joined,
    only_visible,
    row_lengths,
    tokenise,
    windows,
    with_a_step,
)
from zoo.bounds import first_bytes, in_parts
from zoo.serving.signatures import Functions
from zoo.text.novelty import word_novelty

WINDOW = 512  # tokens read together; short texts in a batch are not padded to a long one
WINDOWS = 64  # windows computed together


def tagging_signatures(
    model: keras.Model,
    encoder: TokenEncoder,
    tags: Sequence[str],
    max_bytes: int = 250_000,
    max_words: int = 50_000,
    common: int | None = None,
) -> Functions:
    """Returns the signatures of a tagging network: keyword arguments of `zoo.serving.Served`.

    A text of more than 512 tokens, which is more than a sentence has, is read in windows.

    Args:
      model: takes the output of `encoder`. Its output is over `bioes_tags(tags)`, from a
        `recipes.tagging.crf.CRF` or a softmax.
      encoder: maps tokens to ids.
      tags: BIO tags, `O` first.
      max_bytes: maximum length of a text. A longer text is truncated before tokenisation.
      max_words: maximum number of tokens per text. Further tokens are neither tagged nor returned.
      common: number of the encoder's words, from the first, that count as known in
        `unknown_words`; None: all.

    Returns:
      `answer`: maps `text`, string `(batch,)`, to `tokens`, string `(batch, time)`; `start`
      and `end` (exclusive) of each token in the text, int32, in characters; `tags`, string;
      `scores`, float32: the probability of the tag; all `(batch, time)`, `""` or 0 at padding;
      `length`, int32 `(batch,)`; `complete`, bool `(batch,)`: False where the text was too
      long and its end was not read; and the outputs of `zoo.text.novelty.word_novelty`.

      `others`: `tokens`, which maps `tokens`, string `(batch, time)`, padded with `""` on the
      right, to the same outputs without `start` and `end`.
    """
    inside = bioes_tags(tags)
    names = tf.constant(["", *tags])
    number = tf.constant([list(tags).index(tag) for tag in to_bio(inside)])  # BIO of each BIOES

    def tag(rows: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """Tags windows `(windows, window)`."""
        ids = encoder(rows["tokens"])  # (windows, window) each
        mask = ids["words"] > 0
        output = model(ids, training=False)
        best = tf.gather(number, best_tags(output, inside, mask))  # (windows, window)
        # The probability of BIO's B-X is that of BIOES' B-X and S-X together.
        probabilities = tag_probabilities(output, inside, mask) @ tf.one_hot(number, len(tags))
        return {
            "best": best,
            "scores": tf.gather(probabilities, best, batch_dims=2),
            "unknown": encoder.is_unknown(ids["words"], common),
        }

    specs = {
        "unknown": tf.TensorSpec([None, None], tf.int32),
        "best": tf.TensorSpec([None, None], tf.int32),
        "scores": tf.TensorSpec([None, None], tf.float32),
    }

    def answer(tokens: tf.Tensor) -> dict[str, tf.Tensor]:
        tokens = with_a_step(tokens, "")
        length = row_lengths(tokens)  # (batch,)
        real = tf.sequence_mask(length, tf.shape(tokens)[1])  # (batch, time)
        # An empty token between others is not padding.
        parts = windows(tf.where(real & tf.equal(tokens, ""), "\ufffd", tokens), WINDOW)
        found = in_parts(tag, {"tokens": parts.to_tensor("")}, specs, WINDOWS)
        best = tf.where(real, joined(found["best"], parts, tokens) + 1, 0)
        unknown = tf.where(real, joined(found["unknown"], parts, tokens), 0)
        return {
            **word_novelty(tf.reduce_sum(unknown, axis=1), length, FURTHER),
            "tokens": tf.where(real, tokens, ""),
            "tags": tf.gather(names, best),
            "scores": tf.where(real, joined(found["scores"], parts, tokens), 0.0),
            "length": length,
        }

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="text")], autograph=False)
    def of_text(text: tf.Tensor) -> dict[str, tf.Tensor]:
        ragged = tokenise(first_bytes(text, max_bytes))
        if encoder.normalisation:
            ragged = only_visible(ragged)
        tokens, start, end = (part[:, :max_words].to_tensor() for part in ragged)
        whole = (tf.strings.length(text) <= max_bytes) & (ragged[0].row_lengths() <= max_words)
        places = {"start": with_a_step(start, 0), "end": with_a_step(end, 0)}
        return {**answer(tokens), **places, "complete": whole}

    @tf.function(
        input_signature=[tf.TensorSpec([None, None], tf.string, name="tokens")], autograph=False
    )
    def of_tokens(tokens: tf.Tensor) -> dict[str, tf.Tensor]:
        whole = row_lengths(tokens) <= max_words
        return {**answer(tokens[:, :max_words]), "complete": whole}

    return {"answer": of_text, "others": {"tokens": of_tokens}}
