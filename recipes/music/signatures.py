"""Signatures of a network that writes music of several voices, frame by frame."""

from __future__ import annotations

import keras
import tensorflow as tf

from recipes.music.encode import MusicEncoder
from recipes.music.frames import FrameChain
from recipes.music.keys import KEYS
from zoo.decoding.generator import generation_signatures
from zoo.serving.signatures import Functions

# The seed. `prime` has MIDI numbers, 0 for none; trailing silence is padding.
INPUTS = (
    tf.TensorSpec([None], tf.string, name="key"),
    tf.TensorSpec([None], tf.string, name="chord"),
    tf.TensorSpec([None, None, None], tf.int32, name="prime"),
)


def frame_signatures(
    model: keras.Model,
    encoder: MusicEncoder,
    *,
    voices: int,
    steps: int,
    temperature: float,
    top_k: int,
    top_p: float,
) -> Functions:
    """Makes what a model of frames serves: keyword arguments of `zoo.serving.Served`.

    Args:
      model: as `recipes.music.frames.FrameChain.step` takes it.
      encoder: names of keys and chords to numbers.
      voices: notes that a generated frame has at most.
      steps, temperature, top_k, top_p: what the default uses.

    Returns:
      `generation`, as of `zoo.decoding.generation_signatures`. The seed is `key`, string
      `(batch,)`, `""` if it does not matter; `chord`, string `(batch,)`, a first frame, `""` for
      none; and `prime`, int32 `(batch, frames, notes)`, frames to go on from. The default takes
      `key` alone. What cannot be read counts as not given. The answer is `key`, string
      `(batch,)`, the key that was read; `frames`, int32 `(batch, frames, voices)`: MIDI numbers,
      ascending, 0 for none, those of the seed first; and `length`, int32 `(batch,)`, their number.

      `score`: `key`, `frames` int32 `(batch, frames, notes)` and `length` int32 `(batch,)` to
      `log_probability` and `count`, as `recipes.music.frames.FrameChain.score` has them.
    """
    chain = FrameChain(voices, conditions=len(KEYS) + 1)
    step, state = chain.step(model)

    def encode(key: tf.Tensor, chord: tf.Tensor, prime: tf.Tensor) -> tf.RaggedTensor:
        begin = encoder.key(key)[:, tf.newaxis] + chain.first
        first = encoder.chord(chord)
        one = tf.cast(first.row_lengths() > 0, tf.int32)
        sounds = tf.reduce_any(chain.is_note(prime), axis=2)
        frames = tf.range(1, tf.shape(prime)[1] + 1)
        length = tf.reduce_max(tf.where(sounds, frames, 0), axis=1)
        length = tf.maximum(length, 0)  # of no frames at all, the maximum is the lowest number
        return tf.concat(
            [
                begin,
                chain.to_ids(first.to_tensor(0)[:, tf.newaxis], one),
                chain.to_ids(prime, length),
            ],
            axis=1,
        )

    def answer(ids: tf.Tensor, prefix: tf.RaggedTensor) -> dict[str, tf.Tensor]:
        seed = prefix.to_tensor(0)
        frames, length = chain.to_frames(tf.concat([seed, ids], axis=1))
        key = encoder.key_name(seed[:, 0] - chain.first)
        return {"key": key, "frames": frames, "length": length}

    @tf.function(
        input_signature=[
            INPUTS[0],
            tf.TensorSpec([None, None, None], tf.int32, name="frames"),
            tf.TensorSpec([None], tf.int32, name="length"),
        ]
    )
    def score(key: tf.Tensor, frames: tf.Tensor, length: tf.Tensor) -> dict[str, tf.Tensor]:
        return chain.score(model, encoder.key(key), frames, length)

    generation = generation_signatures(
        step,
        state,
        INPUTS,
        encode,
        answer,
        steps=steps,
        temperature=temperature,
        top_k=top_k,
        top_p=top_p,
        unit=chain.end,
        per_step=voices + 1,
        default=["key"],
    )
    return {"generation": generation, "score": score}
