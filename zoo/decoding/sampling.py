"""Sampling ids one by one from a network's distribution, in one graph of core ops.

Each row of a batch has its own stream of random numbers, from its own seed, and its own end. It
does not depend on the other rows: the same seed gives the same ids, whatever else is in the batch.

Distributions are filtered in this order (Holtzman et al.: The Curious Case of Neural Text
Degeneration, ICLR 2020, for top-p; Fan et al.: Hierarchical Neural Story Generation, ACL 2018,
for top-k):

    temperature  p_i ~ exp(logit_i / T); at T = 0 the most probable id alone
    top-k        only the k most probable ids; 0: all
    top-p        of these the fewest, most probable first, whose shares add up to at least p
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from typing import Any, TypeAlias

import tensorflow as tf

from zoo.config import Config
from zoo.decoding.search import IMPOSSIBLE, PADDING, log_probabilities

RANGES = (  # of the options, from and to; that of `steps` bounds the time a request can take
    ("steps", 0, 100_000),
    ("temperature", 0.0, 100.0),
    ("top_k", 0, 2**31 - 1),
    ("top_p", 1e-6, 1.0),
)

MAX_STEPS = 1_000_000  # steps of all rows of a request together, where a recipe says no other
COLDEST = 1e-20  # a lower temperature counts as this one: it tells equals apart from all others

State: TypeAlias = dict[str, tf.Tensor]
"""Tensors `(rows, ...)` by name."""

Step: TypeAlias = Callable[[tf.Tensor, State], tuple[tf.Tensor, State]]
"""Takes ids, int32 `(rows,)`, and the state before them; returns the logits of the ids after them,
float32 `(rows, ids)`, and the new state."""


def settings(config: Config) -> dict[str, Any]:
    """Returns the options of `sample` from a recipe's config: `steps`, `temperature`, …"""
    return {name: getattr(config, name) for name, *_ in RANGES}


@dataclasses.dataclass(frozen=True)
class Samples:
    """Sampled sequences.

    Attributes:
      ids: int32 `(rows, time)`: without the end id, 0 after the last.
      log_probability: float32 `(rows,)`: of these ids, and of the end if it was sampled, under the
        unmodified network: at temperature 1 and without filtering.
      complete: bool `(rows,)`: whether the row ended by itself.
    """

    ids: tf.Tensor
    log_probability: tf.Tensor
    complete: tf.Tensor


def filter_logits(
    logits: tf.Tensor, temperature: tf.Tensor, top_k: tf.Tensor, top_p: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns the probabilities to sample from, `(rows, ids)`, in descending order, and their ids.

    Args:
      logits: float32 `(rows, ids)`.
      temperature: float32 scalar, 0 or more.
      top_k: int32 scalar; 0 keeps all.
      top_p: float32 scalar, above 0 and at most 1.
    """
    size = tf.shape(logits)[-1]
    logs, ids = tf.math.top_k(log_probabilities(logits), size)  # equal ones: the lower id first
    keep = tf.range(size) < tf.where(top_k > 0, tf.minimum(top_k, size), size)
    keep &= (temperature > 0) | (tf.range(size) == 0)
    possible = keep & (logs > IMPOSSIBLE / 2)
    divisor = tf.where(temperature > 0, tf.maximum(temperature, COLDEST), 1.0)
    logs = tf.where(keep, logs / divisor, -math.inf)
    probabilities = tf.nn.softmax(logs)
    before = tf.cumsum(probabilities, axis=-1, exclusive=True)
    # The first one always stays; at 1 nothing is cut, however the shares are rounded.
    keep = (before < top_p) | (top_p >= 1) | (tf.range(size) == 0)
    probabilities = tf.where(keep & possible, probabilities, 0.0)
    return probabilities / tf.reduce_sum(probabilities, axis=-1, keepdims=True), ids


def sample_ids(probabilities: tf.Tensor, ids: tf.Tensor, number: tf.Tensor) -> tf.Tensor:
    """Samples one id per row, int32 `(rows,)`: the first with a cumulative sum above `number`.

    Args:
      probabilities, ids: `(rows, ids)`, from `filter_logits`.
      number: float32 `(rows,)`, uniform in [0, 1).
    """
    sums = tf.cumsum(probabilities, axis=-1)
    place = tf.reduce_sum(tf.cast(sums <= number[:, tf.newaxis], tf.int32), axis=-1)
    # Rounded sums may end below 1: then the last id with a positive probability.
    last = tf.math.count_nonzero(probabilities > 0, axis=-1, dtype=tf.int32) - 1
    return tf.gather(ids, tf.minimum(place, last), batch_dims=1)


def random_numbers(random_seed: tf.Tensor, count: tf.Tensor) -> tf.Tensor:
    """Returns `count` uniform numbers in [0, 1) for each seed, float32 `(rows, count)`.

    A longer row starts with the numbers of a shorter one. Philox, selected explicitly, gives the
    same numbers on every device (Salmon et al.: Parallel Random Numbers: As Easy as 1, 2, 3, SC
    2011).
    """
    count = -(-count // 4) * 4  # Philox generates four at a time

    def row(seed: tf.Tensor) -> tf.Tensor:
        key = tf.stack([seed, 0])
        return tf.random.stateless_uniform([count], key, alg="philox")

    spec = tf.TensorSpec([None], tf.float32)
    return tf.map_fn(row, random_seed, fn_output_signature=spec)


def prefill(
    step: Step, state: State, ids: tf.Tensor, lengths: tf.Tensor
) -> tuple[tf.Tensor, State]:
    """Feeds given ids to the network.

    Args:
      step: one step of the network.
      state: before the first id.
      ids: int32 `(rows, time)`, padded on the right.
      lengths: int32 `(rows,)`, at least 1 each.

    Returns:
      The logits after the last id of each row, and the state there.
    """
    logits, state = step(ids[:, 0], state)

    def body(time: Any, logits: Any, state: Any) -> Any:
        new = step(ids[:, time], state)
        inside = time < lengths

        def select(new: tf.Tensor, old: tf.Tensor) -> tf.Tensor:
            return tf.where(tf.reshape(inside, [-1] + [1] * (len(new.shape) - 1)), new, old)

        return time + 1, *tf.nest.map_structure(select, new, (logits, state))

    longest = tf.shape(ids)[1]
    _, logits, state = tf.while_loop(
        lambda time, *_: time < longest,
        body,
        (tf.constant(1), logits, state),
        shape_invariants=(tf.TensorShape([]), *_open((logits, state))),
    )
    return logits, state


def sample(
    step: Step,
    state: State,
    logits: tf.Tensor,
    random_seed: tf.Tensor,
    *,
    steps: tf.Tensor,
    temperature: tf.Tensor,
    top_k: tf.Tensor,
    top_p: tf.Tensor,
    end: int | None = None,
    unit: int | None = None,
    per_step: int = 1,
) -> Samples:
    """Samples ids until each row has ended or has `steps` steps.

    Args:
      step: one step of the network.
      state: state before the first sampled id.
      logits: logits of the first id, `(rows, ids)`.
      random_seed: int32 `(rows,)`.
      steps: int32 scalar.
      temperature, top_k, top_p: as for `filter_logits`.
      end: the id that ends a row; None if there is none.
      unit: the id that completes a step of several ids; None: each id is a step.
      per_step: maximum number of ids per step, including the one that completes it.
    """
    rows, limit = tf.shape(logits)[0], steps * per_step
    numbers = random_numbers(random_seed, limit)

    def body(
        time: Any, logits: Any, state: Any, made: Any, ended: Any, total: Any, kept: Any
    ) -> Any:
        chosen = sample_ids(*filter_logits(logits, temperature, top_k, top_p), numbers[:, time])
        done = ended | (made >= steps)
        chosen = tf.where(done, PADDING, chosen)
        logs = tf.gather(log_probabilities(logits), chosen, batch_dims=1)
        total += tf.where(done, 0.0, logs)
        kept = kept.write(time, chosen)
        if end is not None:
            ended |= chosen == end
        if unit is None:
            made += tf.cast(~done, tf.int32)
        else:
            made += tf.cast(chosen == unit, tf.int32)
        logits, state = step(chosen, state)
        return time + 1, logits, state, made, ended, total, kept

    variables = (
        tf.constant(0),
        logits,
        state,
        tf.zeros([rows], tf.int32),
        tf.zeros([rows], tf.bool),
        tf.zeros([rows]),
        tf.TensorArray(tf.int32, 0, dynamic_size=True, element_shape=[None]),
    )
    time, *_, ended, total, kept = tf.while_loop(
        lambda time, logits, state, made, ended, *_: (
            (time < limit) & tf.reduce_any(~ended & (made < steps))
        ),
        body,
        variables,
        shape_invariants=_open(variables),
    )
    ids = tf.cond(
        time > 0, lambda: tf.transpose(kept.stack()), lambda: tf.zeros([rows, 0], tf.int32)
    )
    ids = ids if end is None else tf.where(ids == end, PADDING, ids)
    return Samples(ids, total, ended)


def _open(variables: Any) -> Any:
    """Shapes of loop variables; of tensors, only the number of rows may change."""

    def shape(value: Any) -> Any:
        if isinstance(value, tf.TensorArray):
            return tf.TensorShape(None)
        return tf.TensorShape([None, *value.shape[1:]] if len(value.shape) else [])

    return tf.nest.map_structure(shape, variables)
