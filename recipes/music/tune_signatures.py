"""Serving signatures of a network that generates tunes, token by token."""

from __future__ import annotations

import keras
import tensorflow as tf

from recipes.music.codec import MAX_BYTES, TuneCodec
from zoo.bounds import first_bytes, marked
from zoo.decoding import generation_signatures, scored, step_function
from zoo.decoding.sampling import MAX_STEPS
from zoo.serving.signatures import Functions

KIND, KEY, PRIME, TUNE = (
    tf.TensorSpec([None], tf.string, name=name) for name in ("type", "key", "prime", "tune")
)


def tune_signatures(
    model: keras.Model,
    tunes: TuneCodec,
    *,
    steps: int,
    temperature: float,
    top_k: int,
    top_p: float,
    max_bytes: int = MAX_BYTES,
    max_steps: int = MAX_STEPS,
) -> Functions:
    """Returns the signatures of a model of tunes: keyword arguments of `zoo.serving.Served`.

    Args:
      model: ids to logits, as in `zoo.decoding.step_function`.
      tunes: types, keys and tunes to ids and back.
      steps, temperature, top_k, top_p: values of the default signature.
      max_bytes: maximum size of a tune to continue or to score; longer ones have no answer.
      max_steps: maximum number of tokens of all rows of a request together.

    Returns:
      `generation`, as of `zoo.decoding.generation_signatures`. The seed is `type`, `key` and
      `prime`, string `(batch,)`, `""` where nothing is given. The default takes `type` and `key`.
      The answer is `tune`, string `(batch,)`, in ABC notation.

      `score`: `type`, `key` and `tune`, string `(batch,)`, to `log_probability` and `count`.

      A row with an unknown type, key or prime has no answer: see `TuneCodec.problem`.
    """
    generation = generation_signatures(
        *step_function(model),
        inputs=[KIND, KEY, PRIME],
        encode=lambda type, key, prime: tunes.prefix(type, key, first_bytes(prime, max_bytes)),
        answer=lambda ids, prefix: {"tune": tunes.text(ids, prefix)},
        steps=steps,
        temperature=temperature,
        top_k=top_k,
        top_p=top_p,
        end=tunes.end,
        default=["type", "key"],
        max_steps=max_steps,
        problem=lambda type, key, prime: tunes.problem(type, key, prime, max_bytes),
    )

    @tf.function(input_signature=[KIND, KEY, TUNE], autograph=False)
    def score(type: tf.Tensor, key: tf.Tensor, tune: tf.Tensor) -> dict[str, tf.Tensor]:
        ids = tunes.ragged(type, key, first_bytes(tune, max_bytes))
        problem = tunes.problem(type, key, tune, max_bytes, unknown=True)
        return marked(scored(model, ids, prefix=2), problem)

    return {"generation": generation, "score": score}
