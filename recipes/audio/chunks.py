"""Streaming speech recognition: chunks of audio go in, words come out.

The network is bidirectional, so it has no state that could be carried from chunk to chunk. Instead,
the state is the audio of the last seconds. Each chunk is appended to it, and the network processes
all of it again. A word is final when `AHEAD` seconds of audio follow it. The final part ends at the
quietest point between this word and the next one. Its last `CONTEXT` seconds are kept as left
context of the next word.

Only TensorFlow's core ops are used; no row depends on another row.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import tensorflow as tf

from recipes.audio.ctc import BLANK, IMPOSSIBLE, best_alignment
from recipes.audio.features import HOP, LogMel, check_rows, frame_count

AHEAD = 1.0  # seconds after a word until it is final: no digit is longer
CONTEXT = 3.0  # seconds of the final part that are processed again with the next chunk
SILENT = 2.0  # last seconds of a part without words: the next word may begin in them
LOUD = 9.0  # more than any feature

Heard = Callable[[tf.Tensor, tf.Tensor], tuple[tf.Tensor, tf.Tensor]]


def chunk_signature(
    heard: Heard,
    written: Callable[[tf.Tensor], tf.Tensor],
    encoder: LogMel,
    stack: int,
    max_seconds: int,
) -> tf.types.experimental.GenericFunction:
    """Returns the function of the capability `streaming`: see `zoo.serving.capabilities`.

    Args:
      heard: function from samples and lengths to features `(batch, frames, bands)` and logits
        `(batch, steps, ids)`, both float32.
      written: function from ids, int32 `(batch, length)`, 0 at padding, to text, string `(batch,)`.
      encoder: samples to features.
      stack: number of frames in a step.
      max_seconds: maximum length of a chunk and its state together. A longer row has no answer, and
        its state is unchanged.

    Returns:
      A function. Its inputs are `audio`, float32 `(batch, samples)`, the new samples, and `length`,
      int32 `(batch,)`; `state`, float32 `(batch, samples)`, the audio before them; `state_length`
      and `state_settled`, int32 `(batch,)`, the numbers of its samples and of those that are final,
      all 0 at first; and `last`, bool `(batch,)`, whether this is the last chunk. Its outputs are
      `text`, string `(batch,)`, the new final words; `partial`, the words after them, which may
      change; and the next `state`, `state_length` and `state_settled`.
    """

    step = stack * HOP  # samples

    def chunk(
        audio: tf.Tensor,
        length: tf.Tensor,
        state: tf.Tensor,
        state_length: tf.Tensor,
        state_settled: tf.Tensor,
        last: tf.Tensor,
    ) -> dict[str, tf.Tensor]:
        audio, length, problem = check_rows(audio, length, encoder.rate, max_seconds)
        before, before_length, wrong = check_rows(state, state_length, encoder.rate, max_seconds)
        sound, total = _joined((before, audio), (before_length, length))
        sound, total, long = check_rows(sound, total, encoder.rate, max_seconds)
        for another in (wrong, long):
            problem = tf.where(problem != "", problem, another)
        refused = problem != ""

        features, logits = heard(sound, total)
        settled = state_settled // step  # steps
        end = _settle(logits, features, settled, total, stack)
        end = tf.where(last, tf.shape(logits)[1], end)
        place = tf.range(tf.shape(logits)[1])
        now = place < end[:, tf.newaxis]
        fresh = (place >= settled[:, tf.newaxis]) & ~refused[:, tf.newaxis]
        cut = tf.maximum(end - round(CONTEXT * encoder.rate / step), 0)
        rest = _behind(sound, total, tf.where(last, total, cut * step))
        rest = _chosen(refused, (state, state_length), rest)
        return {
            "text": written(_words(logits, now & fresh)),
            "partial": written(_words(logits, ~now & fresh)),
            "state": rest[0],
            "state_length": rest[1],
            "state_settled": tf.where(
                refused, state_settled, tf.where(last, 0, (end - cut) * step)
            ),
            "valid": ~refused,
            "problem": problem,
        }

    more = (
        tf.TensorSpec([None, None], tf.float32, name="state"),
        tf.TensorSpec([None], tf.int32, name="state_length"),
        tf.TensorSpec([None], tf.int32, name="state_settled"),
        tf.TensorSpec([None], tf.bool, name="last"),
    )
    return tf.function(chunk, input_signature=[*encoder.inputs, *more], autograph=False)


def _settle(
    logits: tf.Tensor, features: tf.Tensor, settled: tf.Tensor, length: tf.Tensor, stack: int
) -> tf.Tensor:
    """Returns the number of final steps: those up to the quietest one after the last final word.

    Args:
      logits: float32 `(batch, steps, ids)`.
      features: float32 `(batch, frames, bands)`.
      settled: number of steps that were final before, int32 `(batch,)`.
      length: number of samples of each row, int32 `(batch,)`.
      stack: number of frames in a step.

    Returns:
      int32 `(batch,)`, at least `settled`.
    """
    steps = tf.shape(logits)[1]
    place = tf.range(steps)
    there = (frame_count(length) + stack - 1) // stack  # steps of each row
    ids = tf.argmax(logits, axis=-1, output_type=tf.int32)  # (batch, steps)
    word = (ids != BLANK) & (place >= settled[:, tf.newaxis])
    per_second = LogMel.rate / (stack * HOP)
    old = word & (place < (there - round(AHEAD * per_second))[:, tf.newaxis])
    final = tf.reduce_max(tf.where(old, place, -1), axis=1)[:, tf.newaxis]  # (batch, 1); -1: none
    # The same id in the steps that follow belongs to the same word.
    same = ids == tf.gather(ids, tf.maximum(final, 0), batch_dims=1)
    run = tf.math.cumprod(tf.cast(same | (place <= final), tf.int32), axis=1) == 1
    following = tf.where(word & ~run & (place > final), place, steps)
    following = tf.minimum(tf.reduce_min(following, axis=1), there)[:, tf.newaxis]
    between = (place > final) & ~run & (place < following)

    loudness = tf.reduce_mean(features, axis=2)  # (batch, frames)
    loudness = tf.pad(loudness, [[0, 0], [0, steps * stack - tf.shape(loudness)[1]]])
    loudness = tf.reduce_mean(tf.reshape(loudness, [-1, steps, stack]), axis=2)
    quietest = tf.argmin(tf.where(between, loudness, LOUD), axis=1, output_type=tf.int32)
    behind = tf.reduce_max(tf.where(run, place, -1), axis=1) + 1
    ends = tf.where(tf.reduce_any(between, axis=1), quietest, behind)
    silent = tf.where(tf.reduce_any(word, axis=1), 0, there - round(SILENT * per_second))
    return tf.maximum(settled, tf.where(final[:, 0] >= 0, ends, silent))


def _words(logits: tf.Tensor, there: tf.Tensor) -> tf.Tensor:
    """Returns the ids of the best alignment of the steps `there`, bool `(batch, steps)`."""
    blank = tf.one_hot(BLANK, tf.shape(logits)[2], on_value=0.0, off_value=IMPOSSIBLE)
    return best_alignment(tf.where(there[..., tf.newaxis], logits, blank))[0]


def _joined(
    parts: Sequence[tf.Tensor], lengths: Sequence[tf.Tensor]
) -> tuple[tf.Tensor, tf.Tensor]:
    """Concatenates rows along time without their padding; also returns the lengths."""
    rows = [
        tf.RaggedTensor.from_tensor(part, lengths=length)
        for part, length in zip(parts, lengths, strict=True)
    ]
    return tf.concat(rows, axis=1).to_tensor(0.0), tf.add_n(list(lengths))


def _behind(sound: tf.Tensor, length: tf.Tensor, cut: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns the samples of each row from `cut`, int32 `(batch,)`, on, and their number."""
    size = tf.shape(sound)[1]
    place = tf.range(size)
    there = (place >= cut[:, tf.newaxis]) & (place < length[:, tf.newaxis])
    rows = tf.ragged.boolean_mask(sound, there)
    return rows.to_tensor(0.0), tf.cast(rows.row_lengths(), tf.int32)


def _chosen(
    first: tf.Tensor, one: tuple[tf.Tensor, tf.Tensor], other: tuple[tf.Tensor, tf.Tensor]
) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns the rows of `one` where `first`, bool `(batch,)`, is True, else those of `other`."""
    width = tf.maximum(tf.shape(one[0])[1], tf.shape(other[0])[1])
    wide = [tf.pad(rows, [[0, 0], [0, width - tf.shape(rows)[1]]]) for rows, _ in (one, other)]
    return tf.where(first[:, tf.newaxis], *wide), tf.where(first, one[1], other[1])
