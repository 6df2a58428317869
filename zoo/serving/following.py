"""Streaming input: answers to an input that arrives in parts (capability `streaming`)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np

from zoo.errors import UsageError, quoted
from zoo.serving.inputs import LENGTH, input_specs

STATE = ("state", "state_length", "state_settled")


class Follower:
    """One input that arrives in parts, and its state.

    Args:
      function: the signature of the capability.
    """

    def __init__(self, function: Any) -> None:
        self._function = function
        specs = input_specs(function)
        (self._input,) = [name for name in specs if name not in (*STATE, LENGTH, "last")]
        self._state: Mapping[str, Any] = {
            "state": np.zeros((1, 0), np.float32),
            "state_length": np.zeros(1, np.int32),
            "state_settled": np.zeros(1, np.int32),
        }

    def add(self, values: Any, last: bool = False) -> dict[str, str]:
        """Adds the next part of the input and returns the answer so far.

        Args:
          values: float32 `(values,)`; may be empty.
          last: whether this is the last part.

        Returns:
          `text`: the text that became final with this part; `partial`: the text after it, which may
          still change.

        Raises:
          UsageError: the values are not a valid input, or there are too many.
        """
        import tensorflow as tf

        try:
            given = np.asarray(values, np.float32)
        except (TypeError, ValueError):
            given = np.empty((), np.float32)
        if given.ndim != 1:
            raise UsageError(f"A part must be a list of numbers; got {quoted(values)}.")
        given = given[np.newaxis]
        found = self._function(
            **{
                self._input: tf.constant(given),
                LENGTH: tf.constant([given.shape[1]], tf.int32),
                "last": tf.constant([last]),
            },
            **{name: tf.constant(value) for name, value in self._state.items()},
        )
        if not found["valid"].numpy()[0]:
            raise UsageError(found["problem"].numpy()[0].decode())
        self._state = {name: found[name].numpy() for name in STATE}
        return {name: found[name].numpy()[0].decode() for name in ("text", "partial")}


def answers(follower: Follower, parts: Iterable[Any]) -> Iterator[dict[str, str]]:
    """Yields the answer to each part of one input, and the answer at its end."""
    for part in parts:
        yield follower.add(part)
    yield follower.add((), last=True)
