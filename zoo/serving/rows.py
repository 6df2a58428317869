"""Invalid rows: found in the inputs or outputs of a model, and marked."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from zoo.errors import shortened
from zoo.serving.inputs import LENGTH, output_specs, size_of

VALID, PROBLEM = "valid", "problem"  # outputs, see `zoo.serving.capabilities.MARKS`
LONGEST = 400  # characters of an assertion message
_ASSERTED = re.compile(r"assertion failed: \[([^\]]*)\] \[(.*)\]")


def find_uneven(columns: Mapping[str, list], specs: Mapping[str, tf.TensorSpec]) -> dict[int, str]:
    """Finds rows whose series differ in length, or whose `length` is not that of a sequence.

    Series are the float inputs `(batch, time)` of a signature, such as those of a price bar. An
    empty series counts as unknown, and is not compared.

    Args:
      columns: the result of `zoo.serving.inputs.columns_of`.
      specs: specs of the inputs, by name.

    Returns:
      The index of each such row, and what is wrong with it.
    """
    names = sorted(name for name, spec in specs.items() if spec.shape.rank > 1)
    series = [
        name for name in names if specs[name].shape.rank == 2 and specs[name].dtype.is_floating
    ]
    problems = {}
    for row, values in enumerate(zip(*(columns[name] for name in names), strict=True)):
        sizes = {name: size_of(value) for name, value in zip(names, values, strict=True)}
        listed = ", ".join(f"{name} {size}" for name, size in sizes.items())
        if len({sizes[name] for name in series} - {0}) > 1:
            problems[row] = f"Its series differ in length ({listed})."
        elif LENGTH in specs and LENGTH not in names:
            length = columns[LENGTH][row]
            if isinstance(length, (int, np.integer)) and not 0 <= length <= max(sizes.values()):
                problems[row] = f"Its length, {length}, is not that of its values ({listed})."
    return problems


# Errors that TensorFlow raises for invalid inputs: a UnicodeDecodeError if the message quotes
# invalid UTF-8.
REFUSALS = (tf.errors.InvalidArgumentError, UnicodeDecodeError)


def refusal(error: Exception) -> str:
    """Returns the message of a graph about an invalid input, a sentence.

    Args:
      error: one of `REFUSALS`.
    """
    if isinstance(error, UnicodeDecodeError):
        message = error.object.decode("utf-8", errors="replace")
    else:
        message = getattr(error, "message", str(error))
    said = _ASSERTED.search(message)
    if said:
        return shortened(f"{said[1]} {said[2].replace('] [', ', ')}", LONGEST) + "."
    reasons = [line.strip() for line in message.partition("[[")[0].splitlines() if line.strip()]
    reason = reasons[-1] if reasons else type(error).__name__
    return f"The network cannot compute it ({shortened(reason)})."


def find_not_finite(values: Mapping[str, np.ndarray]) -> np.ndarray:
    """Returns which rows of the outputs contain a non-finite number, bool `(rows,)`."""
    wrong = [
        ~np.isfinite(value).reshape(len(value), -1).all(axis=1)
        for value in values.values()
        if value.dtype.kind == "f"
    ]
    rows = len(next(iter(values.values())))
    return np.any(wrong, axis=0) if wrong else np.zeros(rows, bool)


def blank(function: Any) -> dict[str, Any]:
    """Returns the outputs of a signature for an invalid row: NaN, "", 0 and False."""
    columns = {}
    for name, spec in output_specs(function).items():
        shape = [axis or 0 for axis in spec.shape[1:]]
        nothing: Any = b"" if spec.dtype == tf.string else spec.dtype.as_numpy_dtype(0)
        nothing = np.nan if spec.dtype.is_floating else nothing
        columns[name] = np.full(shape, nothing, object if spec.dtype == tf.string else None)
    return {name: value for name, value in columns.items() if name != LENGTH}
