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

NEVER = (UNKNOWN, BEGIN)  # ids that no translation has


def limits(ids: tf.Tensor) -> tf.Tensor:
    """Returns the maximum length of each translation: twice that of its source, and 10.

    Of Multi30k's 29,000 French training sentences, one is longer. Of an empty text, none.

    Args:
      ids: int32 `(batch, source)`, 0 at padding.

    Returns:
      int32 `(batch,)`, in pieces, the end included.
    """
    inside = (ids != PADDING) & (ids != END)
    pieces = tf.math.count_nonzero(inside, axis=1, dtype=tf.int32)
    return tf.where(pieces > 0, 2 * pieces + 10, 0)


def encoding(model: keras.Model) -> Callable[[tf.Tensor], tuple[State, State]]:
    """Returns a function of source ids to what the decoder's first step takes.

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
      source, target: texts to ids and back.
      beam: hypotheses that `answer` goes on with.
      penalty: of the scores, as in `zoo.decoding.search`.

    Returns:
      `answer`: `text`, string `(batch,)`, to `translation`, string `(batch,)`, `score`,
      float32 `(batch,)`, the mean log-probability of a piece if the penalty is 1, and
      `complete`, bool `(batch,)`: False where the text was too long and its end was not read, or
      where the translation was cut off at its maximum length; and `unknown_words` and `novelty`,
      float32 `(batch,)`, of `Subwords.measured`.

      `search`: `text`, and the scalars `beam` and `n_best` (int32, 1 ≤ n_best ≤ beam ≤ 100), to
      these outputs, `(batch, n_best)`, and `pieces`, string
      `(batch, n_best, target)`; with attention also `attention`, float32
      `(batch, n_best, target, source)`, and `source_pieces`, string `(batch, source)`. Padding
      of pieces is `""`, of attention 0.
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
