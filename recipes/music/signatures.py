"""Serving signatures of a network that generates music of several voices, frame by frame."""

from __future__ import annotations

import keras
import tensorflow as tf

from recipes.music.encode import MusicEncoder
from recipes.music.frames import DIGITS, NEVER, FrameChain
from recipes.music.keys import KEYS
from zoo.bounds import first_bytes, in_parts, marked, problems
from zoo.decoding.generator import generation_signatures
from zoo.decoding.sampling import MAX_STEPS
from zoo.serving.signatures import Functions

MAX_CHORD = 1_000  # bytes of a first chord that are read
SCORED = 2**16  # maximum number of notes that are scored together: limits the memory of a request
# The seed. `prime` has MIDI numbers, 0 for none; trailing silence is padding.
INPUTS = (
    tf.TensorSpec([None], tf.string, name="key"),
    tf.TensorSpec([None], tf.string, name="chord"),
    tf.TensorSpec([None, None, None], tf.int32, name="prime"),
)
# Frames of the whole piece; 0: it ends by itself, -1: it does not end.
NUM_FRAMES = tf.TensorSpec([None], tf.int32, name="num_frames")


def frame_signatures(
    model: keras.Model,
    encoder: MusicEncoder,
    *,
    voices: int,
    steps: int,
    temperature: float,
    top_k: int,
    top_p: float,
    ends: bool = False,
    max_frames: int = 10_000,
    max_steps: int = MAX_STEPS,
) -> Functions:
    """Returns the signatures of a model of frames: keyword arguments of `zoo.serving.Served`.

    Args:
      model: as in `recipes.music.frames.FrameChain.step`.
      encoder: names of keys and chords to numbers.
      voices: maximum number of notes in a generated frame.
      steps, temperature, top_k, top_p: values of the default signature.
      ends: whether the network predicts the end of a piece. In a known key, a piece ends only on
        the tonic triad.
      max_frames: maximum length of a piece to continue or to score; longer ones have no answer.
      max_steps: maximum number of frames of all rows of a request together.

    Returns:
      `generation`, as of `zoo.decoding.generation_signatures`. The seed is `key`, string
      `(batch,)`, `""` for any key; `chord`, string `(batch,)`, a first frame, `""` for
      none; and `prime`, int32 `(batch, frames, notes)`, frames to continue; where `ends`, also
      `num_frames`, int32 `(batch,)`, the number of frames of the whole piece: 0 if it ends by
      itself, -1 if it does not end. The default has only the input
      `key`. Invalid text is ignored. The answer is `key`, string
      `(batch,)`, the key that was read; `frames`, int32 `(batch, frames, voices)`: MIDI numbers,
      ascending, 0 for none, those of the seed first; and `length`, int32 `(batch,)`, their number.

      `score`: `key`, `frames` int32 `(batch, frames, notes)` and `length` int32 `(batch,)` to
      `log_probability` and `count`, as in `recipes.music.frames.FrameChain.score`. Both also
      return `valid` and `problem`: see `zoo.bounds.marked`.
    """
    chain = FrameChain(voices, conditions=len(KEYS) + 1, ends=ends, cadences=ends)
    step, state = chain.step(model)

    def prime_length(prime: tf.Tensor) -> tf.Tensor:
        """Returns the frames of each row up to the last that sounds, int32 `(batch,)`."""
        sounds = tf.reduce_any(chain.is_note(prime), axis=2)
        frames = tf.range(1, tf.shape(prime)[1] + 1)
        length = tf.reduce_max(tf.where(sounds, frames, 0), axis=1)
        return tf.maximum(length, 0)  # of no frames at all, the maximum is the lowest number

    def too_long(length: tf.Tensor) -> tf.Tensor:
        message = f"The piece is longer than {max_frames:,} frames"
        return problems((length > max_frames, message))

    def begins_with(chord: tf.Tensor, prime: tf.Tensor) -> tf.Tensor:
        """Returns the frames that each piece begins with, int32 `(batch,)`."""
        first = encoder.chord(first_bytes(chord, MAX_CHORD))
        return tf.cast(first.row_lengths() > 0, tf.int32) + prime_length(prime)

    def problem(
        chord: tf.Tensor, prime: tf.Tensor, num_frames: tf.Tensor | None = None, **_: tf.Tensor
    ) -> tf.Tensor:
        if num_frames is None:
            return too_long(prime_length(prime))
        most = min(max_frames, NEVER - 2)
        wrong = "The number of frames must be -1, 0, or more than the piece begins with and at most"
        there = begins_with(chord, prime)
        outside = (num_frames < -1) | (num_frames > most)
        short = (num_frames > 0) & (num_frames <= there)
        return problems(
            (prime_length(prime) > max_frames, f"The piece is longer than {max_frames:,} frames"),
            (outside | short, f"{wrong} {most:,}"),
        )

    def encode(
        key: tf.Tensor,
        chord: tf.Tensor,
        prime: tf.Tensor,
        num_frames: tf.Tensor | None = None,
    ) -> tf.RaggedTensor:
        begin = encoder.key(key)[:, tf.newaxis] + chain.first
        if num_frames is not None:
            fits = (num_frames >= -1) & (num_frames < NEVER - 1)
            digits = chain.countdown(tf.where(fits, num_frames, 0))
            begin = tf.concat([digits, begin], axis=1)
        first = encoder.chord(first_bytes(chord, MAX_CHORD))
        one = tf.cast(first.row_lengths() > 0, tf.int32)
        length = prime_length(prime)
        length = tf.where(length > max_frames, 0, length)
        prime = prime[:, :max_frames]
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
        number = seed[:, DIGITS if ends else 0] - chain.first
        key = encoder.key_name(number)
        if ends:  # what the number of steps has cut goes back to the last chord that can end it
            begun = tf.math.count_nonzero(seed == chain.end, axis=1, dtype=tf.int32)
            free = tf.reduce_all(seed[:, :DIGITS] == chain.zero, axis=1)  # no count, not endless
            length = tf.where(free, chain.cut(frames, length, number, begun), length)
            inside = tf.range(tf.shape(frames)[1]) < length[:, tf.newaxis]
            frames = tf.where(inside[..., tf.newaxis], frames, 0)
        return {"key": key, "frames": frames, "length": length}

    @tf.function(
        input_signature=[
            INPUTS[0],
            tf.TensorSpec([None, None, None], tf.int32, name="frames"),
            tf.TensorSpec([None], tf.int32, name="length"),
        ],
        autograph=False,
    )
    def score(key: tf.Tensor, frames: tf.Tensor, length: tf.Tensor) -> dict[str, tf.Tensor]:
        problem = too_long(length)
        rows = {
            "key": encoder.key(key),
            "frames": frames[:, :max_frames],
            "length": tf.where(length > max_frames, 0, length),
        }
        specs = {
            "log_probability": tf.TensorSpec([None], tf.float32),
            "count": tf.TensorSpec([None], tf.int32),
        }
        found = in_parts(lambda part: chain.score(model, **part), rows, specs, size=SCORED)
        return marked(found, problem)

    generation = generation_signatures(
        step,
        state,
        [*INPUTS, NUM_FRAMES] if ends else INPUTS,
        encode,
        answer,
        steps=steps,
        temperature=temperature,
        top_k=top_k,
        top_p=top_p,
        end=chain.over,
        unit=chain.end,
        per_step=voices + 1,
        default=["key"],
        max_steps=max_steps,
        problem=problem,
    )
    return {"generation": generation, "score": score}
