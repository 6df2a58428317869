"""How sequences are generated: options of sampling, seeds, and texts as they are drawn."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import tensorflow as tf

from zoo.decoding.sampling import MAX_STEPS, RANGES, filter_logits, random_numbers, sample_ids
from zoo.errors import UsageError, check_integer, check_number, quoted, suggest
from zoo.recipe import Option


def sampling_options(config: Mapping[str, Any], *values: Any) -> dict[str, Any]:
    """Returns the options of the signature `generate`.

    Args:
      config: of the model, by which values that are None are replaced.
      *values: `steps`, `temperature`, `top_k` and `top_p`, in the order of `RANGES`.

    Raises:
      UsageError: a value is no number, or out of its range.
    """
    options: dict[str, Any] = {}
    for (name, low, high), value in zip(RANGES, values, strict=True):
        options[name] = config.get(name) if value is None else value
        (check_number if isinstance(low, float) else check_integer)(name, options[name])
        if not low <= options[name] <= high:
            raise UsageError(f"{name} must be from {low:g} to {high:g}; got {options[name]}.")
    return options


def random_seeds(seed: int, count: int) -> list[int]:
    """Returns the seed of the random numbers of each of `count` sequences.

    Raises:
      UsageError: the count is below 1, or a seed is out of range.
    """
    check_integer("count", count)
    check_integer("seed", seed)
    if count < 1:
        raise UsageError(f"count must be at least 1; got {count}.")
    if not 0 <= seed <= 2**31 - 1 - count:
        raise UsageError(f"seed must be from 0 to {2**31 - 1 - count}; got {seed}.")
    return [seed + number for number in range(count)]


def rows_together(config: Mapping[str, Any], steps: int) -> int:
    """Returns how many sequences of `steps` steps are asked for in one request, at most 64."""
    most = config.get("max_steps", MAX_STEPS)
    return max(1, min(64, most // max(steps, 1)))


def check_seed(
    seed: Mapping[str, Any],
    specs: Mapping[str, tf.TensorSpec],
    *,
    has_hook: bool,
    options: Sequence[Option] = (),
) -> None:
    """Checks the types of what a sequence is to begin with.

    Args:
      seed: values by name.
      specs: of the inputs of the signature `begin`.
      has_hook: whether the recipe's `seed` reads them; else numbers go to the signature as they
        are.
      options: what the recipe declares of them.

    Raises:
      UsageError: a value is neither a text nor a path, or is no integer where one is declared.
    """
    integers = {option.name for option in options if option.type is int}
    for name, value in seed.items():
        if name in integers:
            check_integer(name, value)
            continue
        numeric = name in specs and specs[name].dtype != tf.string and not has_hook
        if not numeric and not isinstance(value, (str, os.PathLike)):
            raise UsageError(f"{name} must be a text; got {quoted(value)}.")


def fill_seed(
    inputs: Mapping[str, Any], specs: Mapping[str, tf.TensorSpec], name: str
) -> dict[str, Any]:
    """Returns a value for each input of a seed: `""`, 0 or an empty list where none is given.

    Args:
      inputs: the values that are given.
      specs: of the inputs of the signature `begin`.
      name: of the model, for messages.

    Raises:
      UsageError: the model knows no such input.
    """
    if unknown := sorted(inputs.keys() - specs.keys()):
        raise UsageError(
            f"{name} takes no {unknown[0]!r} to begin with; it takes {', '.join(specs)}."
            f"{suggest(unknown[0], specs)}"
        )

    def nothing(spec: tf.TensorSpec) -> Any:
        if spec.shape.rank > 1:
            return []
        return "" if spec.dtype == tf.string else 0

    return {n: inputs.get(n, nothing(spec)) for n, spec in specs.items()}


def stream(
    step: Callable[..., Mapping[str, tf.Tensor]],
    begun: Mapping[str, tf.Tensor],
    symbols: Sequence[str],
    seed: int,
    *,
    steps: int,
    temperature: float,
    top_k: int,
    top_p: float,
) -> Iterator[str]:
    """Returns an iterator over the texts of ids as they are drawn: `steps` of them at most.

    Args:
      step: the signature `step`.
      begun: `logits` of the first id, float32 `(1, ids)`, and the state there, of one row.
      symbols: the text of each id from 1 on; an id beyond them is the end.
      seed: of the random numbers.
      steps, temperature, top_k, top_p: as of `Predictor.generate`.
    """
    how = (
        tf.constant(temperature, tf.float32),
        tf.constant(top_k),
        tf.constant(top_p, tf.float32),
    )
    numbers = random_numbers(tf.constant([seed]), tf.constant(steps))

    def pieces(state: dict[str, tf.Tensor]) -> Iterator[str]:
        for number in numbers[0, :steps]:
            shares, ids = filter_logits(state.pop("logits"), *how)
            chosen = sample_ids(shares, ids, number[tf.newaxis])
            if int(chosen[0]) > len(symbols):  # the end
                return
            yield symbols[int(chosen[0]) - 1]
            state = dict(step(input=chosen, **state))

    return pieces(dict(begun))  # an option of a wrong type has been refused before this
