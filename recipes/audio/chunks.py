"""Speech that is written down while it is spoken: chunks of sound go in, words come out.

The network reads a recording from both ends, so it cannot go on from a state of its own. The state
is the sound of the last seconds. Each chunk is added to it, and all of it is heard again. A word is
settled when the sound goes on for `AHEAD` seconds behind it; what is settled ends where it is
quietest between this word and the next one. `CONTEXT` seconds of it are kept, so that the network
hears what comes before the next word.

Core ops of TensorFlow; no row depends on another row.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import tensorflow as tf

from recipes.audio.ctc import BLANK, IMPOSSIBLE, best_alignment
from recipes.audio.features import HOP, LogMel, check_rows, frame_count

AHEAD = 1.0  # seconds behind a word until it is settled: no digit is longer
CONTEXT = 3.0  # seconds that are settled, and heard again with what follows
SILENT = 2.0  # seconds behind the last settled word that may still hold the next one's beginning
LOUD = 9.0  # more than any feature

Heard = Callable[[tf.Tensor, tf.Tensor], tuple[tf.Tensor, tf.Tensor]]


def chunk_signature(
    heard: Heard,
    written: Callable[[tf.Tensor], tf.Tensor],
    encoder: LogMel,
    stack: int,
    max_seconds: int,
) -> tf.types.experimental.GenericFunction:
    """Makes the function of the capability `streaming`: see `zoo.serving.capabilities`.

    Args:
      heard: samples and lengths to features `(batch, frames, bands)` and logits
        `(batch, steps, ids)`, both float32.
      written: ids, int32 `(batch, length)`, 0 at padding, to text, string `(batch,)`.
      encoder: samples to features.
      stack: frames in a step.
      max_seconds: of a chunk and the state before it together; a row with more has no answer, and
        its state is as it was.

    Returns:
      Of `audio`, float32 `(batch, samples)`, the new samples, with `length`, int32 `(batch,)`;
      `state`, float32 `(batch, samples)`, the sound before, with `state_length` and
      `state_settled`, int32 `(batch,)`, how many of its samples there are and are settled, all 0 at
      first; and `last`, bool `(batch,)`, whether nothing follows: to `text`, string `(batch,)`, the
      words that are settled now; `partial`, those heard behind them, which may change; and the next
      `state`, `state_length` and `state_settled`.
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
    """Finds the steps that are settled: until the quietest one behind the last word that is.

    Args:
      logits: float32 `(batch, steps, ids)`.
      features: float32 `(batch, frames, bands)`.
      settled: steps that were settled before, int32 `(batch,)`.
      length: samples of each row, int32 `(batch,)`.
      stack: frames in a step.

    Returns:
      int32 `(batch,)`, from `settled` on.
    """
    steps = tf.shape(logits)[1]
    place = tf.range(steps)
    there = (frame_count(length) + stack - 1) // stack  # steps of each row
    ids = tf.argmax(logits, axis=-1, output_type=tf.int32)  # (batch, steps)
    word = (ids != BLANK) & (place >= settled[:, tf.newaxis])
    per_second = LogMel.rate / (stack * HOP)
    old = word & (place < (there - round(AHEAD * per_second))[:, tf.newaxis])
    final = tf.reduce_max(tf.where(old, place, -1), axis=1)[:, tf.newaxis]  # (batch, 1); -1: none
    # The same word in the steps that follow is the same word.
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
    """Returns the ids of the best alignment of some steps, bool `(batch, steps)`."""
    blank = tf.one_hot(BLANK, tf.shape(logits)[2], on_value=0.0, off_value=IMPOSSIBLE)
    return best_alignment(tf.where(there[..., tf.newaxis], logits, blank))[0]


def _joined(
    parts: Sequence[tf.Tensor], lengths: Sequence[tf.Tensor]
) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns rows one behind the other, without their padding, and their lengths."""
    rows = [
        tf.RaggedTensor.from_tensor(part, lengths=length)
        for part, length in zip(parts, lengths, strict=True)
    ]
    return tf.concat(rows, axis=1).to_tensor(0.0), tf.add_n(list(lengths))


def _behind(sound: tf.Tensor, length: tf.Tensor, cut: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns the samples from `cut`, int32 `(batch,)`, on, and their number."""
    size = tf.shape(sound)[1]
    place = tf.range(size)
    there = (place >= cut[:, tf.newaxis]) & (place < length[:, tf.newaxis])
    rows = tf.ragged.boolean_mask(sound, there)
    return rows.to_tensor(0.0), tf.cast(rows.row_lengths(), tf.int32)


def _chosen(
    first: tf.Tensor, one: tuple[tf.Tensor, tf.Tensor], other: tuple[tf.Tensor, tf.Tensor]
) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns the rows of `one` where `first`, bool `(batch,)`, and of `other` elsewhere."""
    width = tf.maximum(tf.shape(one[0])[1], tf.shape(other[0])[1])
    wide = [tf.pad(rows, [[0, 0], [0, width - tf.shape(rows)[1]]]) for rows, _ in (one, other)]
    return tf.where(first[:, tf.newaxis], *wide), tf.where(first, one[1], other[1])
