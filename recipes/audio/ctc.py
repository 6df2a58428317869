"""CTC decoding, from logits to texts: the best alignment, or prefix beam search.

Id 0 is the blank; words have the ids from 1 on. Both decoders consist of core ops in one graph. No
row depends on another row: after a `BlankPadding`, padding is blanks of probability 1.
(`tf.nn.ctc_beam_search_decoder` fixes the beam width when the graph is built.)
"""

from __future__ import annotations

from typing import Any

import tensorflow as tf

BLANK = 0
IMPOSSIBLE = -1e9
# Odd, so that multiplication by it (modulo 2^64) maps different numbers to different ones.
_FACTOR = 6364136223846793005


def best_alignment(logits: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Takes the most probable id of each step, and merges repetitions (greedy decoding).

    Args:
      logits: float32 `(batch, time, ids)`.

    Returns:
      int32 `(batch, length)`: ids without blanks, padded with 0 on the right; and float32
      `(batch,)`: the log-probability of the alignment.
    """
    logs = tf.nn.log_softmax(logits)
    chosen = tf.argmax(logs, axis=-1, output_type=tf.int32)  # (batch, time)
    previous = tf.pad(chosen[:, :-1], [[0, 0], [1, 0]])
    kept = tf.where(chosen == previous, BLANK, chosen)
    return _left_aligned(kept), tf.reduce_sum(tf.reduce_max(logs, axis=-1), axis=1)


def is_possible(score: Any) -> Any:
    """Returns whether a log-probability is that of a text (bool, of the shape of the score)."""
    return score > IMPOSSIBLE / 2


def prefix_beam_search(
    logits: tf.Tensor, beam: int | tf.Tensor, n_best: int | tf.Tensor = 1
) -> tuple[tf.Tensor, tf.Tensor]:
    """Searches for the most probable texts; keeps the `beam` most probable prefixes at each step.

    The probability of a prefix is the sum over its alignments so far (A. Graves, N. Jaitly:
    Towards End-to-End Speech Recognition with Recurrent Neural Networks, ICML 2014), separately for
    those that end in a blank and for the others. Equal prefixes are recognised by a 64-bit hash of
    their ids.

    Args:
      logits: float32 `(batch, time, ids)`.
      beam: number of prefixes per row, at least 1.
      n_best: number of texts to return, from 1 to `beam`.

    Returns:
      int32 `(batch, n_best, length)`: ids, the most probable text first, padded with 0 on the
      right; and float32 `(batch, n_best)`: log-probabilities. Where there are fewer texts than
      `n_best`, the others are empty, with -1e9 or less.
    """
    logs = tf.transpose(tf.nn.log_softmax(logits), [1, 0, 2])  # (time, batch, ids)
    time, batch, ids = tf.unstack(tf.shape(logs))
    beam = tf.convert_to_tensor(beam, tf.int32)
    first = tf.where(tf.range(beam) == 0, 0.0, IMPOSSIBLE) + tf.zeros([batch, beam])
    # Unused prefixes must differ from the empty one, whose hash is 0.
    number = -tf.range(tf.cast(beam, tf.int64)) + tf.zeros([batch, beam], tf.int64)
    words = tf.range(1, ids)  # (words,)

    def step(
        t: tf.Tensor,
        number: tf.Tensor,
        last: tf.Tensor,
        blank: tf.Tensor,
        other: tf.Tensor,
        kept: tf.TensorArray,
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor, tf.TensorArray]:
        log = logs[t]  # (batch, ids)
        both = _logaddexp(blank, other)
        of_last = tf.gather(log, last, batch_dims=1)  # (batch, beam)
        stay_blank = both + log[:, :1]
        stay_other = tf.where(last > 0, other + of_last, IMPOSSIBLE)
        # A repeated word counts as the same word, unless there was a blank between.
        again = words == last[..., tf.newaxis]  # (batch, beam, words)
        grown = tf.where(again, blank[..., tf.newaxis], both[..., tf.newaxis])
        grown += log[:, tf.newaxis, 1:]
        # Prefix j may equal prefix i with one more word: then both are merged.
        extended = number[:, :, tf.newaxis] * _FACTOR + tf.cast(last[:, tf.newaxis], tf.int64)
        same = (extended == number[:, tf.newaxis]) & (last > 0)[:, tf.newaxis]  # (batch, i, j)
        of_word = tf.gather(
            tf.pad(grown, [[0, 0], [0, 0], [1, 0]], constant_values=IMPOSSIBLE),
            tf.repeat(last[:, tf.newaxis], beam, axis=1),
            batch_dims=2,
        )  # (batch, i, j): of i with the last word of j
        merged = tf.reduce_logsumexp(tf.where(same, of_word, IMPOSSIBLE), axis=1)
        stay_other = _logaddexp(stay_other, merged)
        exists = tf.reduce_any(same[..., tf.newaxis] & again[:, tf.newaxis], axis=2)
        grown = tf.where(exists, IMPOSSIBLE, grown)
        sums = tf.concat(
            [_logaddexp(stay_blank, stay_other), tf.reshape(grown, [batch, -1])], axis=1
        )
        _, index = tf.math.top_k(sums, beam)
        stays = index < beam
        parent = tf.where(stays, index, (index - beam) // (ids - 1))
        word = tf.where(stays, 0, (index - beam) % (ids - 1) + 1)
        number = tf.gather(number, parent, batch_dims=1)
        number = tf.where(stays, number, number * _FACTOR + tf.cast(word, tf.int64))
        last = tf.where(stays, tf.gather(last, parent, batch_dims=1), word)
        grown = tf.gather(tf.reshape(grown, [batch, -1]), tf.maximum(index - beam, 0), batch_dims=1)
        blank = tf.where(stays, tf.gather(stay_blank, parent, batch_dims=1), IMPOSSIBLE)
        other = tf.where(stays, tf.gather(stay_other, parent, batch_dims=1), grown)
        kept = kept.write(t, tf.stack([parent, word]))
        return t + 1, number, last, blank, other, kept

    shape = tf.TensorShape([None, None])
    array = tf.TensorArray(tf.int32, time, element_shape=[2, None, None])
    begin = (
        tf.constant(0),
        number,
        tf.zeros([batch, beam], tf.int32),
        first,
        tf.fill([batch, beam], IMPOSSIBLE),
        array,
    )
    *_, blank, other, kept = tf.while_loop(
        lambda t, *_: t < time,
        step,
        begin,
        shape_invariants=(tf.TensorShape([]), shape, shape, shape, shape, tf.TensorShape(None)),
    )
    scores, position = tf.math.top_k(_logaddexp(blank, other), n_best)  # (batch, n_best)
    steps = kept.stack()  # (time, 2, batch, beam)

    def trace_back(
        t: tf.Tensor, position: tf.Tensor, traced: tf.TensorArray
    ) -> tuple[tf.Tensor, tf.Tensor, tf.TensorArray]:
        word = tf.gather(steps[t, 1], position, batch_dims=1)
        return t - 1, tf.gather(steps[t, 0], position, batch_dims=1), traced.write(t, word)

    traced = tf.TensorArray(tf.int32, time, element_shape=[None, None])
    *_, traced = tf.while_loop(
        lambda t, *_: t >= 0,
        trace_back,
        (time - 1, position, traced),
        shape_invariants=(tf.TensorShape([]), shape, tf.TensorShape(None)),
    )
    written = tf.transpose(traced.stack(), [1, 2, 0])  # (batch, n_best, time)
    flat = _left_aligned(tf.reshape(written, [batch * tf.shape(position)[1], time]))
    texts = tf.reshape(flat, [batch, tf.shape(position)[1], -1])
    return tf.where(scores[..., tf.newaxis] > IMPOSSIBLE / 2, texts, 0), scores


def _left_aligned(ids: tf.Tensor) -> tf.Tensor:
    """Removes zeros from ids `(rows, time)`; returns `(rows, longest)`, padded on the right."""
    return tf.RaggedTensor.from_row_lengths(
        tf.boolean_mask(ids, ids > 0), tf.math.count_nonzero(ids, axis=1), validate=False
    ).to_tensor(0)


def _logaddexp(one: tf.Tensor, other: tf.Tensor) -> tf.Tensor:
    """Returns log(exp(one) + exp(other))."""
    high = tf.maximum(one, other)
    return high + tf.math.log1p(tf.exp(-tf.abs(one - other)))
