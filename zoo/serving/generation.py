"""Generation of sequences: sampling options, seeds, and streaming of sampled text."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

import tensorflow as tf

from zoo.decoding.sampling import MAX_STEPS, RANGES, filter_logits, random_numbers, sample_ids
from zoo.errors import UsageError, check_integer, check_number, nearest, quoted
from zoo.recipe import Option

PRIME = "prime"  # a file to continue, which the recipe's `seed` reads


def sampling_options(config: Mapping[str, Any], *values: Any) -> dict[str, Any]:
    """Returns the options of the signature `generate`.

    Args:
      config: the model's config; its values replace those that are None.
      *values: `steps`, `temperature`, `top_k` and `top_p`, in the order of `RANGES`.

    Raises:
      UsageError: a value is not a number, or out of range.
    """
    options: dict[str, Any] = {}
    for (name, low, high), value in zip(RANGES, values, strict=True):
        options[name] = config.get(name) if value is None else value
        (check_number if isinstance(low, float) else check_integer)(name, options[name])
        if not low <= options[name] <= high:
            raise UsageError(f"{name} must be from {low:g} to {high:g}; got {options[name]}.")
    return options


def random_seeds(seed: int, count: int) -> list[int]:
    """Returns the random seed of each of `count` sequences.

    Raises:
      UsageError: the count is below 1, or a seed is out of range.
    """
    check_integer("count", count, 1)
    check_integer("seed", seed, 0, 2**31 - 1 - count)
    return [seed + number for number in range(count)]


def check_steps(config: Mapping[str, Any], steps: int) -> None:
    """Checks the length of a sequence that is streamed, as the graph does for a request.

    Raises:
      UsageError: it is longer than the model's limit.
    """
    if steps > most_steps(config):
        raise UsageError(f"steps must be at most {most_steps(config)}; got {steps}.")


def rows_together(config: Mapping[str, Any], steps: int) -> int:
    """Returns the number of sequences of `steps` steps per request, at most 64."""
    return max(1, min(64, most_steps(config) // max(steps, 1)))


def most_steps(config: Mapping[str, Any]) -> int:
    """Returns how many steps the rows of a request may have together."""
    return config.get("max_steps", MAX_STEPS)


def check_seed(
    seed: Mapping[str, Any],
    specs: Mapping[str, tf.TensorSpec],
    *,
    has_hook: bool,
    options: Sequence[Option] = (),
    model: str,
) -> None:
    """Checks the names and types of the values of a seed.

    Args:
      seed: values by name.
      specs: the input specs of the signature `begin`.
      has_hook: whether the recipe's `seed` reads the values; otherwise numbers are passed to the
        signature unchanged.
      options: the recipe's declarations of these values. If there are any, other names are
        errors, except `prime`.
      model: the model's name, for messages.

    Raises:
      UsageError: a name is unknown, or a value is neither a text nor a path, or is not an integer
        where one is declared.
    """
    if options:
        check_names(seed, [*(option.name for option in options), PRIME], model)
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
    """Returns a value for each input of a seed: `""`, 0 or an empty list by default.

    Args:
      inputs: the given values.
      specs: the input specs of the signature `begin`.
      name: the model's name, for messages.

    Raises:
      UsageError: the model has no such input.
    """
    check_names(inputs, specs, name)

    def nothing(spec: tf.TensorSpec) -> Any:
        if spec.shape.rank > 1:
            return []
        return "" if spec.dtype == tf.string else 0

    return {n: inputs.get(n, nothing(spec)) for n, spec in specs.items()}


def check_names(given: Iterable[str], known: Collection[str], model: str) -> None:
    """Checks the names of what a sequence starts with.

    Args:
      given: names that the user gives.
      known: those that are accepted, as a message lists them.
      model: the model's name, for the message.

    Raises:
      UsageError: a name is unknown.
    """
    for name in given:
        if name not in known:
            raise UsageError(
                f"{model} takes no {quoted(name)} to begin with; it takes {', '.join(known)}."
                f"{nearest(name, known)}"
            )


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
    """Returns an iterator over the texts of ids as they are sampled, at most `steps` of them.

    Args:
      step: the signature `step`.
      begun: `logits` of the first id, float32 `(1, ids)`, and the state there, for one row.
      symbols: the text of each id from 1 on; a larger id marks the end.
      seed: seed of the random numbers.
      steps, temperature, top_k, top_p: as for `Predictor.generate`.
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

    return pieces(dict(begun))  # options of a wrong type raise an error before this
