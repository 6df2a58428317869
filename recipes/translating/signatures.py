"""Signatures of encoder–decoder networks: functions from raw text to raw text."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import keras
import tensorflow as tf

from recipes.translating.subwords import BEGIN, END, PADDING, UNKNOWN, Subwords
from zoo.decoding.sampling import State
from zoo.decoding.search import MAX_BEAM, Hypotheses, beam_search
from zoo.serving.signatures import Functions

NEVER = (UNKNOWN, BEGIN)  # ids that are never generated


def limits(ids: tf.Tensor) -> tf.Tensor:
    """Returns the maximum length of each translation: twice the source length plus 10.

    Only one of Multi30k's 29,000 French training sentences is longer. For empty texts, it is 0.

    Args:
      ids: int32 `(batch, source)`, 0 at padding.

    Returns:
      int32 `(batch,)`, in pieces, including the end.
    """
    inside = (ids != PADDING) & (ids != END)
    pieces = tf.math.count_nonzero(inside, axis=1, dtype=tf.int32)
    return tf.where(pieces > 0, 2 * pieces + 10, 0)


def encoding(model: keras.Model) -> Callable[[tf.Tensor], tuple[State, State]]:
    """Returns a function that maps source ids to the inputs of the decoder's first step.

    The ids are int32 `(batch, source)`. See `recipes.translating.decoder.Decoder.begin`.

    Args:
      model: with an input `source` and a `recipes.translating.decoder.Decoder` named `decoder`.
    """
    decoder = model.get_layer("decoder")
    _, *encoded = decoder.input
    encoder = keras.Model(model.input["source"], encoded)
    return lambda ids: decoder.begin(*encoder(ids, training=False), states_mask=ids != PADDING)


def translation_signatures(
    model: keras.Model, source: Subwords, target: Subwords, beam: int, penalty: float
) -> Functions:
    """Returns the signatures of a translation network: keyword arguments of `zoo.serving.Served`.

    Args:
      model: with an input `source` and a `recipes.translating.decoder.Decoder` named `decoder`.
      source, target: convert texts to ids and back.
      beam: beam size of `answer`.
      penalty: length penalty of the scores, see `zoo.decoding.search`.

    Returns:
      `answer` maps `text`, string `(batch,)`, to `translation`, string `(batch,)`; `score`, float32
      `(batch,)`, which is the mean log-probability per piece if the penalty is 1; `complete`, bool
      `(batch,)`, False if the text was truncated or if the translation was cut off at its maximum
      length; and `unknown_words` and `novelty`, float32 `(batch,)`, see `Subwords.measured`.

      `search` maps `text` and the scalars `beam` and `n_best` (int32, 1 ≤ n_best ≤ beam ≤ 100) to
      the same outputs, `(batch, n_best)`, and `pieces`, string `(batch, n_best, target)`. With
      attention, it also returns `attention`, float32 `(batch, n_best, target, source)`, and
      `source_pieces`, string `(batch, source)`. Pieces are padded with `""`, attention with 0.
    """
    decoder, encode = model.get_layer("decoder"), encoding(model)

    def search(
        text: tf.Tensor, beam: int | tf.Tensor, n_best: int | tf.Tensor, keep: bool
    ) -> tuple[Hypotheses, tf.RaggedTensor, dict[str, tf.Tensor]]:
        ragged, pieces, novelty = source.measured(text)
        ids = ragged.to_tensor(PADDING)
        state, memory = encode(ids)
        found = beam_search(
            lambda previous, state: decoder.step(previous, state, memory),
            state,
            limits(ids),
            begin=BEGIN,
            end=END,
            beam=beam,
            n_best=n_best,
            never=NEVER,
            penalty=penalty,
            keep=tf.shape(ids)[1] if keep else None,
        )
        whole = tf.reduce_any(ids == END, axis=1, keepdims=True)
        return dataclasses.replace(found, complete=found.complete & whole), pieces, novelty

    texts = tf.TensorSpec([None], tf.string, name="text")

    @tf.function(input_signature=[texts], autograph=False)
    def best(text: tf.Tensor) -> dict[str, tf.Tensor]:
        found, _, novelty = search(text, beam, 1, keep=False)
        return {
            "translation": target.join(found.ids[:, 0]),
            "score": found.scores[:, 0],
            "complete": found.complete[:, 0],
            **novelty,
        }

    options = [tf.TensorSpec([], tf.int32, name=name) for name in ("beam", "n_best")]

    @tf.function(input_signature=[texts, *options], autograph=False)
    def nbest(text: tf.Tensor, beam: tf.Tensor, n_best: tf.Tensor) -> dict[str, tf.Tensor]:
        allowed = (n_best >= 1) & (n_best <= beam) & (beam <= MAX_BEAM)
        message = f"beam must be from 1 to {MAX_BEAM}, and n_best from 1 to beam; got"
        with tf.control_dependencies([tf.debugging.Assert(allowed, [message, beam, n_best])]):
            beam, n_best = tf.identity(beam), tf.identity(n_best)
        found, pieces, novelty = search(text, beam, n_best, keep=decoder.attend is not None)
        shape = tf.shape(found.scores)  # (batch, n_best)
        answer = {
            "translation": target.join(found.ids),
            "score": found.scores,
            "complete": found.complete,
            "pieces": target.pieces(found.ids),
            **{name: tf.broadcast_to(v[:, tf.newaxis], shape) for name, v in novelty.items()},
        }
        if found.weights is not None:
            answer |= {"attention": found.weights, "source_pieces": pieces.to_tensor("")}
        return answer

    return {"answer": best, "search": nbest}
