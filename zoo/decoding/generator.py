"""Signatures of a generative network that continues a seed id by id, whatever the ids denote."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf

from zoo.bounds import in_parts, marked, named_function, parted
from zoo.decoding.sampling import (
    MAX_STEPS,
    RANGES,
    State,
    Step,
    log_probabilities,
    prefill,
    sample,
)

SCORED = 2**17  # ids that are scored together: bounds the memory that a request takes

OPTIONS = (  # of the signature `generate`
    tf.TensorSpec([], tf.int32, name="steps"),
    tf.TensorSpec([], tf.float32, name="temperature"),
    tf.TensorSpec([], tf.int32, name="top_k"),
    tf.TensorSpec([], tf.float32, name="top_p"),
)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Generation:
    """The functions of a model that generates sequences.

    Attributes:
      generate: maps a seed, random seeds and the sampling options to sequences.
      begin: maps a seed to the logits of the first id after it, and a state.
      step: maps an id and a state to the logits of the next id, and the next state.
      default: maps a seed to sequences with fixed options; it is the model's answer. None if
        `zoo.serving.Served` is given another `answer`.
    """

    generate: Any
    begin: Any
    step: Any
    default: Any = None


def generation_signatures(
    step: Step,
    state: dict[str, tf.TensorSpec],
    inputs: Sequence[tf.TensorSpec],
    encode: Callable[..., tf.RaggedTensor],
    answer: Callable[[tf.Tensor, tf.RaggedTensor], dict[str, tf.Tensor]],
    *,
    steps: int,
    temperature: float,
    top_k: int,
    top_p: float,
    end: int | None = None,
    unit: int | None = None,
    per_step: int = 1,
    default: Sequence[str] | None = None,
    max_steps: int = MAX_STEPS,
    problem: Callable[..., tf.Tensor] | None = None,
) -> Generation:
    """Returns the functions of a model that continues a seed to a sequence.

    Args:
      step: one step of the network.
      state: specs of its recurrent state; the initial state is zero.
      inputs: the seed: named specs whose first axis is the batch, such as `prompt`.
      encode: takes them by name; returns the initial ids of the sequence, int32
        `(batch, (ids))`, at least one per row.
      answer: takes the sampled ids, int32 `(batch, time)`, 0 after the last, and those of the
        seed; returns named outputs.
      steps, temperature, top_k, top_p: options of the default.
      end, unit, per_step: see `zoo.decoding.sampling.sample`.
      default: the inputs that the default takes; the others are empty text or have no
        steps. All of them if None.
      max_steps: maximum total steps over all rows of a request; more are rejected.
      problem: takes the seed by name; returns why a row cannot start with it, string `(batch,)`,
        "" if it can. `encode` must accept such a row too. None: all rows are valid.

    Returns:
      `generate`: the seed, `random_seed` int32 `(batch,)`, and the options `steps`,
      `temperature`, `top_k`, `top_p`, to the outputs of `answer`, `log_probability` float32
      `(batch,)` (of the sampled ids, in nats, at temperature 1 and without filtering) and
      `complete` bool `(batch,)` (whether it ended by itself). `default`: the same with
      fixed options and the random seed 0. `begin`: the seed to `logits` float32 `(batch, ids)`
      of the next id, and the state. `step`: `input` int32 `(batch,)`, the id before, and the
      state, to the same: no state is kept between two calls. With `problem`, all but `step` also
      return `valid` and `problem`, as `zoo.bounds.marked` does.
    """
    seeds = {spec.name: spec for spec in inputs}
    names = list(seeds) if default is None else list(default)

    def begin(seed: dict[str, tf.Tensor]) -> tuple[tf.Tensor, State, tf.RaggedTensor]:
        prefix = encode(**seed)
        rows = prefix.nrows(out_type=tf.int32)
        zeros = {
            name: tf.zeros([rows, *spec.shape[1:]], spec.dtype) for name, spec in state.items()
        }
        lengths = tf.cast(prefix.row_lengths(), tf.int32)
        logits, values = prefill(step, zeros, prefix.to_tensor(0), lengths)
        return logits, values, prefix

    def made(seed: dict[str, tf.Tensor], random_seed: tf.Tensor, options: Any) -> dict[str, Any]:
        logits, values, prefix = begin(seed)
        sampled = sample(
            step,
            values,
            logits,
            random_seed,
            **options,
            end=end,
            unit=unit,
            per_step=per_step,
        )
        answers = {
            **answer(sampled.ids, prefix),
            "log_probability": sampled.log_probability,
            "complete": sampled.complete,
        }
        return answers if problem is None else marked(answers, problem(**seed))

    def not_too_many(rows: tf.Tensor, steps: Any) -> tf.Operation:
        """Asserts that a request does not exceed the maximum number of steps."""
        total = tf.cast(rows, tf.int64) * tf.cast(steps, tf.int64)
        message = f"rows times steps must be at most {max_steps}; got"
        return tf.debugging.Assert(total <= max_steps, [message, total])

    @named_function([*inputs, tf.TensorSpec([None], tf.int32, name="random_seed"), *OPTIONS])
    def generate(*values: tf.Tensor) -> dict[str, tf.Tensor]:
        seed, random_seed, options = values[: len(seeds)], values[len(seeds)], values[-4:]
        by_name = dict(zip((name for name, *_ in RANGES), options, strict=True))
        checks = [_within(name, low, high, by_name[name]) for name, low, high in RANGES]
        with tf.control_dependencies(checks):
            checked = {name: tf.identity(value) for name, value in by_name.items()}
        return made(dict(zip(seeds, seed, strict=True)), random_seed, checked)

    fixed = {"steps": steps, "temperature": temperature, "top_k": top_k, "top_p": top_p}

    @named_function([seeds[name] for name in names])
    def default_signature(*values: tf.Tensor) -> dict[str, tf.Tensor]:
        by_name = dict(zip(names, values, strict=True))
        rows = tf.shape(values[0])[0]
        seed = {name: by_name.get(name, _nothing(spec, rows)) for name, spec in seeds.items()}
        options = {spec.name: tf.constant(fixed[spec.name], spec.dtype) for spec in OPTIONS}
        return made(seed, tf.zeros([rows], tf.int32), options)

    @named_function(inputs)
    def begin_signature(*values: tf.Tensor) -> dict[str, tf.Tensor]:
        seed = dict(zip(seeds, values, strict=True))
        logits, state_values, _ = begin(seed)
        outputs = {"logits": logits, **state_values}
        return outputs if problem is None else marked(outputs, problem(**seed))

    previous = tf.TensorSpec([None], tf.int32, name="input")

    @named_function(
        [previous, *(tf.TensorSpec(s.shape, s.dtype, name=name) for name, s in state.items())]
    )
    def step_signature(previous: tf.Tensor, *values: tf.Tensor) -> dict[str, tf.Tensor]:
        logits, new = step(previous, dict(zip(state, values, strict=True)))
        return {"logits": logits, **new}

    return Generation(
        default=parted(default_signature, lambda rows, _: [not_too_many(rows, steps)]),
        generate=parted(generate, lambda rows, inputs: [not_too_many(rows, inputs["steps"])]),
        begin=parted(begin_signature),
        step=step_signature,
    )


def scored(model: Any, ids: tf.RaggedTensor, prefix: int = 1) -> dict[str, tf.Tensor]:
    """Returns the log-probabilities of whole sequences under a network.

    Args:
      model: maps ids `(batch, time)` to the logits of the next ids, `(batch, time, ids)`.
      ids: int32 `(batch, (time))`.
      prefix: number of initial ids of each row that are not scored, at least 1.

    Returns:
      `log_probability` float32 `(batch,)`, in nats, and `count` int32 `(batch,)`: ids scored.
    """
    dense = ids.to_tensor(0)
    dense = tf.pad(dense, [[0, 0], [0, tf.maximum(0, 2 - tf.shape(dense)[1])]])

    def score(rows: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        dense = rows["ids"]
        logs = log_probabilities(model(dense[:, :-1], training=False))
        true = dense[:, 1:]
        place = tf.range(1, tf.shape(dense)[1])
        inside = (true != 0) & (place >= prefix)
        chosen = tf.where(inside, tf.gather(logs, true, batch_dims=2), 0.0)
        return {
            "log_probability": tf.reduce_sum(chosen, axis=1),
            "count": tf.math.count_nonzero(inside, axis=1, dtype=tf.int32),
        }

    specs = {
        "log_probability": tf.TensorSpec([None], tf.float32),
        "count": tf.TensorSpec([None], tf.int32),
    }
    return in_parts(score, {"ids": dense}, specs, size=SCORED)


def _nothing(spec: tf.TensorSpec, rows: tf.Tensor) -> tf.Tensor:
    """Returns an empty seed: "", or a sequence without steps."""
    open_axes = [0 if size is None else size for size in spec.shape[1:]]
    if spec.dtype == tf.string:
        return tf.fill([rows, *open_axes], "")
    return tf.zeros([rows, *open_axes], spec.dtype)


def _within(name: str, low: Any, high: Any, value: tf.Tensor) -> tf.Operation:
    """Asserts that an option is in its range; `predict` shortens the error to one line."""
    message = f"{name} must be from {low:g} to {high:g}; got"
    return tf.debugging.Assert((value >= low) & (value <= high), [message, value])
