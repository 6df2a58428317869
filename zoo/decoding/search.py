"""Greedy and beam search over a network that predicts one id at a time.

Both are one graph of core ops (`tf.while_loop`, gathers), which any TF Serving binary runs.
Each row of a batch ends when its hypotheses have ended, or at its own limit, and does not depend
on other rows. The loop ends with the last row.

The score of a hypothesis y of n ids, including the end id, is

    score(y) = sum_t log p(y_t | y_<t, x) / n ** penalty

With penalty 0 it is the log-probability, which favours short outputs; with 1 the mean per id.
The score also orders the hypotheses within the search, ended and open ones together.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import tensorflow as tf

PADDING = 0
IMPOSSIBLE = -1e9  # a log-probability: finite, so that differences are defined
_INCOMPLETE = -1e6  # added to the score to sort hypotheses without an end last

State: TypeAlias = Any
"""Tensors (a dict, tuple or list of them) whose first axis is the rows."""

Step: TypeAlias = Callable[[tf.Tensor, State], tuple[tf.Tensor, State, tf.Tensor | None]]
"""Takes the previous ids, int32 `(rows,)`, and the state; returns the logits, float32
`(rows, ids)`, the state for the next step, and attention weights to keep, float32
`(rows, source)`, or None. In a beam search, `rows` is batch times beam, with the hypotheses of a
row of the batch adjacent."""


@dataclasses.dataclass(frozen=True)
class Hypotheses:
    """Result of a search, the best hypothesis first.

    Attributes:
      ids: int32 `(batch, n, time)`: without the end id, padded with 0.
      scores: float32 `(batch, n)`: as above.
      complete: bool `(batch, n)`: whether it ended with the end id, not at its limit.
      weights: float32 `(batch, n, time, source)`, 0 where `ids` is; None unless kept.
    """

    ids: tf.Tensor
    scores: tf.Tensor
    complete: tf.Tensor
    weights: tf.Tensor | None


def greedy(
    step: Step,
    state: State,
    limits: tf.Tensor,
    *,
    begin: int,
    end: int,
    never: Sequence[int] = (),
    penalty: float = 0.0,
) -> Hypotheses:
    """Takes the most probable id at each step.

    Args:
      step: one step of the network.
      state: of the first step, each tensor `(batch, ...)`.
      limits: int32 `(batch,)`: maximum number of ids of each row, including the end id. A row
        with limit 0 is empty, complete, and has the score 0.
      begin: the id before the first one.
      end: the id that ends a row.
      never: ids that are never selected; their probability is 0.
      penalty: of the scores, also called length normalisation.

    Returns:
      One hypothesis per row: `n` is 1.
    """
    batch = tf.shape(limits)[0]

    def body(time: Any, previous: Any, state: Any, done: Any, total: Any, kept: Any) -> Any:
        logits, state, _ = step(previous, state)
        logs = log_probabilities(logits, never)
        next_ids = tf.where(done, PADDING, tf.argmax(logs, axis=-1, output_type=tf.int32))
        total += tf.where(done, 0.0, tf.gather(logs, next_ids, batch_dims=1))
        done |= (next_ids == end) | (time + 1 >= limits)
        new = {"ids": next_ids[:, tf.newaxis]}
        return time + 1, next_ids, state, done, total, _append(kept, new)

    ids = tf.fill([batch], begin)
    kept = {"ids": tf.zeros([batch, 0], tf.int32)}
    total, kept = _loop(body, ids, state, limits <= 0, tf.zeros([batch]), kept)
    kept = {name: value[:, tf.newaxis] for name, value in kept.items()}
    return _hypotheses(kept, total[:, tf.newaxis], limits, end, penalty)


def beam_search(
    step: Step,
    state: State,
    limits: tf.Tensor,
    *,
    begin: int,
    end: int,
    beam: int | tf.Tensor,
    n_best: int | tf.Tensor = 1,
    never: Sequence[int] = (),
    penalty: float = 0.0,
    keep: tf.Tensor | None = None,
) -> Hypotheses:
    """Keeps the `beam` best hypotheses of each row at each step.

    Ended hypotheses compete with the others; a row is done when all of its hypotheses have ended.
    A beam of 1 gives the result of `greedy`.

    Args:
      step, state, limits, begin, end, never, penalty: as for `greedy`; `state`, `(batch, ...)`
        each, has one row per row of the batch, and is repeated here for the beam.
      beam: hypotheses per row, at least 1: int, or int32 scalar.
      n_best: number of returned hypotheses, from 1 to `beam`.
      keep: int32 scalar, the number of weights of a step (`source`); None keeps no weights.

    Returns:
      `n_best` hypotheses per row. Those that reached their limit come after those that ended.
    """
    batch, beam = tf.shape(limits)[0], tf.convert_to_tensor(beam, tf.int32)
    state = tf.nest.map_structure(lambda value: tf.repeat(value, beam, axis=0), state)
    first = tf.range(batch)[:, tf.newaxis] * beam  # (batch, 1): the first row of each beam

    def body(time: Any, previous: Any, state: Any, done: Any, total: Any, kept: Any) -> Any:
        logits, state, weights = step(tf.reshape(previous, [-1]), state)
        logs = log_probabilities(logits, never)
        vocabulary = tf.shape(logs)[-1]
        logs = tf.reshape(logs, [batch, beam, vocabulary])
        # An ended hypothesis has one continuation: padding, with log-probability 0.
        continuation = tf.where(tf.range(vocabulary) == PADDING, 0.0, IMPOSSIBLE)
        sums = total[..., tf.newaxis] + tf.where(done[..., tf.newaxis], continuation, logs)
        length = tf.where(done, _lengths(kept["ids"]), time + 1)
        scores = tf.reshape(_score(sums, length[..., tf.newaxis], penalty), [batch, -1])
        _, index = tf.math.top_k(scores, beam)  # (batch, beam), of beam * vocabulary
        total = tf.gather(tf.reshape(sums, [batch, -1]), index, batch_dims=1)
        parent, next_ids = index // vocabulary, index % vocabulary
        done = tf.gather(done, parent, batch_dims=1)
        next_ids = tf.where(done, PADDING, next_ids)
        done |= (next_ids == end) | (time + 1 >= limits)[:, tf.newaxis]
        rows = tf.reshape(first + parent, [-1])
        state = tf.nest.map_structure(lambda value: tf.gather(value, rows), state)
        kept = {name: tf.gather(value, parent, batch_dims=1) for name, value in kept.items()}
        new = {"ids": next_ids[..., tf.newaxis]}
        if keep is not None:
            weights = tf.reshape(tf.gather(weights, rows), [batch, beam, 1, -1])
            new["weights"] = weights
        return time + 1, next_ids, state, done, total, _append(kept, new)

    # At first there is one hypothesis; equal copies would give duplicates.
    total = tf.where(tf.range(beam) == 0, 0.0, IMPOSSIBLE) + tf.zeros([batch, beam])
    total = tf.where((limits <= 0)[:, tf.newaxis], 0.0, total)
    kept = {"ids": tf.zeros([batch, beam, 0], tf.int32)}
    if keep is not None:
        kept["weights"] = tf.zeros([batch, beam, 0, keep])
    done = tf.repeat((limits <= 0)[:, tf.newaxis], beam, axis=1)
    total, kept = _loop(body, tf.fill([batch, beam], begin), state, done, total, kept)
    hypotheses = _hypotheses(kept, total, limits, end, penalty)
    order = hypotheses.scores + tf.where(hypotheses.complete, 0.0, _INCOMPLETE)
    _, best = tf.math.top_k(order, n_best)

    def take(value: tf.Tensor) -> tf.Tensor:
        return tf.gather(value, best, batch_dims=1)

    weights = None if hypotheses.weights is None else take(hypotheses.weights)
    return Hypotheses(
        take(hypotheses.ids), take(hypotheses.scores), take(hypotheses.complete), weights
    )


def log_probabilities(logits: tf.Tensor, never: Sequence[int] = ()) -> tf.Tensor:
    """Returns log-probabilities over the allowed ids, which exclude padding.

    Args:
      logits: float32 `(..., ids)`.
      never: further ids that are excluded.

    Returns:
      float32 `(..., ids)`, in nats.
    """
    size = tf.shape(logits)[-1]
    excluded = tf.reduce_any(
        tf.range(size)[:, tf.newaxis] == tf.constant([PADDING, *never]), axis=1
    )
    return tf.nn.log_softmax(tf.where(excluded, IMPOSSIBLE, logits))


def _score(total: tf.Tensor, length: tf.Tensor, penalty: float) -> tf.Tensor:
    return total / tf.cast(tf.maximum(length, 1), tf.float32) ** penalty


def _lengths(ids: tf.Tensor) -> tf.Tensor:
    return tf.math.count_nonzero(ids, axis=-1, dtype=tf.int32)


def _hypotheses(
    kept: dict[str, tf.Tensor], total: tf.Tensor, limits: tf.Tensor, end: int, penalty: float
) -> Hypotheses:
    """Removes the end ids, and computes the scores."""
    ids = kept["ids"]
    complete = tf.reduce_any(ids == end, axis=-1) | (limits <= 0)[:, tf.newaxis]
    scores = _score(total, _lengths(ids), penalty)
    ids = tf.where(ids == end, PADDING, ids)
    weights = kept.get("weights")
    if weights is not None:
        weights *= tf.cast(ids != PADDING, tf.float32)[..., tf.newaxis]
    return Hypotheses(ids, scores, complete, weights)


def _append(kept: dict[str, tf.Tensor], new: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
    axis = len(new["ids"].shape) - 1  # time
    return {name: tf.concat([kept[name], new[name]], axis=axis) for name in kept}


def _loop(
    body: Callable[..., Any], previous: Any, state: Any, done: Any, total: Any, kept: Any
) -> Any:
    """Runs `body` until all rows are done; returns the last `total` and `kept`.

    The sizes of beams and kept sequences are dynamic; of a state, only the number of rows is.
    """

    def dynamic_shape(value: tf.Tensor) -> tf.TensorShape:
        return tf.TensorShape([None] * len(value.shape))

    variables = (tf.constant(0), previous, state, done, total, kept)
    invariants = list(tf.nest.map_structure(dynamic_shape, variables))
    invariants[2] = tf.nest.map_structure(
        lambda value: tf.TensorShape([None, *value.shape[1:]]), state
    )
    *_, total, kept = tf.while_loop(
        lambda time, previous, state, done, total, kept: ~tf.reduce_all(done),
        body,
        variables,
        shape_invariants=tuple(invariants),
    )
    return total, kept


MAX_BEAM = 100  # hypotheses: limits the memory of a request
