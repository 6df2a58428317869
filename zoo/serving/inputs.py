"""Converts raw values to the input tensors of a signature: columns, lengths, padding."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from zoo.errors import UsageError, first_line, shortened
from zoo.utf8 import utf8

LENGTH = "length"  # the input or output with the length of each row


def input_specs(function: Any) -> dict[str, tf.TensorSpec]:
    """Returns the inputs, by name, of a signature of a `tf.function` or a SavedModel."""
    if hasattr(function, "input_signature") and function.input_signature:
        return {spec.name: spec for spec in function.input_signature}
    return dict(function.structured_input_signature[1])


def output_specs(function: Any) -> dict[str, tf.TensorSpec]:
    """Returns the outputs, by name, of a signature of a `tf.function` or a SavedModel."""
    outputs = getattr(function, "structured_outputs", None)
    if outputs is None:
        outputs = function.get_concrete_function().structured_outputs
    return dict(sorted(outputs.items()))


def scalars_of(function: Any) -> dict[str, tf.TensorSpec]:
    """Returns the options of a signature: its inputs without axes."""
    return {name: spec for name, spec in input_specs(function).items() if spec.shape.rank == 0}


def tensors(
    examples: Mapping[str, Sequence], specs: Mapping[str, tf.TensorSpec]
) -> dict[str, tf.Tensor]:
    """Returns examples as one batch of inputs of a signature.

    Args:
      examples: columns, as for `Predictor.predict`; those that are not inputs are omitted.
      specs: specs of the signature's inputs, by name.

    Raises:
      UsageError: as for `Predictor.predict`.
    """
    selected = {name: examples[name] for name in specs if name in examples}
    columns = columns_of(with_lengths(selected, specs), specs)
    return {name: input_tensor(name, spec, columns[name]) for name, spec in specs.items()}


def with_lengths(examples: Any, specs: Mapping[str, tf.TensorSpec]) -> Any:
    """Returns examples with the `length` of each row, if the signature takes it."""
    if LENGTH not in specs or len(specs) == 1:
        return examples
    others = {name: spec for name, spec in specs.items() if name != LENGTH}
    if not isinstance(examples, Mapping):
        if (
            len(others) > 1
            or isinstance(examples, (str, bytes))
            or not hasattr(examples, "__iter__")
        ):
            return examples
        examples = {next(iter(others)): list(examples)}
    sequences = [name for name, spec in others.items() if spec.shape.rank > 1 and name in examples]
    if LENGTH in examples or not sequences:
        return examples
    column = examples[sequences[0]]
    if isinstance(column, (str, bytes)) or not hasattr(column, "__iter__"):
        return examples  # rejected later for this reason
    column = list(column)
    return {**examples, sequences[0]: column, LENGTH: [size_of(value) for value in column]}


def columns_of(examples: Any, specs: Mapping[str, tf.TensorSpec]) -> dict[str, list]:
    """Checks raw examples against a signature's inputs and returns them as columns.

    Args:
      examples: as for `Predictor.predict`.
      specs: specs of the inputs with axes, by name.

    Returns:
      Input name to a list with one value per example; text is UTF-8 bytes.

    Raises:
      UsageError: as for `Predictor.predict`.
    """
    if isinstance(examples, (str, bytes)):
        raise UsageError("predict takes a list of examples, not one text: predict([text]).")
    if not isinstance(examples, Mapping):
        if len(specs) != 1:
            raise UsageError(f"This model takes a dict with the inputs {', '.join(specs)}.")
        examples = {next(iter(specs)): examples}
    if examples.keys() != specs.keys():
        raise UsageError(
            f"This model takes the inputs {', '.join(specs)}; got "
            f"{shortened(', '.join(map(str, examples))) or 'none'}."
        )
    for name, column in examples.items():
        if isinstance(column, (str, bytes)) or not hasattr(column, "__iter__"):
            raise UsageError(
                f"Input {name!r} must be a list of values, one an example; got a value of type "
                f"{type(column).__name__}."
            )
    columns = {name: list(column) for name, column in examples.items()}
    if len({len(column) for column in columns.values()}) > 1:
        raise UsageError("The inputs differ in length; each example needs a value of each.")
    for name, spec in specs.items():
        sequences = spec.shape.rank > 1
        for row, value in enumerate(columns[name]):
            if sequences and (isinstance(value, (str, bytes)) or not hasattr(value, "__len__")):
                raise UsageError(
                    f"Example {row} of input {name!r} is of type {type(value).__name__}; it must "
                    "be a list."
                )
            if spec.dtype == tf.string:
                for part in value if sequences else [value]:
                    if not isinstance(part, (str, bytes)):
                        raise UsageError(
                            f"Example {row} of input {name!r} is of type {type(part).__name__}; "
                            "it must be text."
                        )
        if spec.dtype.is_floating and spec.shape.rank > 2 and LENGTH not in specs:
            shapes = dict.fromkeys(map(_shape, columns[name]))
            if len(shapes) > 1:
                one, other = list(shapes)[:2]
                raise UsageError(
                    f"The examples of input {name!r} have the shapes {one} and {other}; those of "
                    "one call must have the same shape. Call predict for each shape."
                )
        if spec.dtype == tf.string:
            columns[name] = [
                [_encoded(part) for part in value] if sequences else _encoded(value)
                for value in columns[name]
            ]
    return columns


def input_tensor(name: str, spec: tf.TensorSpec, values: Any) -> tf.Tensor:
    """Returns an input of a signature; rows of unequal length are padded with "" or 0.

    Args:
      name: name of the input, for messages.
      spec: its dtype and rank.
      values: one value per example, nested in lists as deep as the rank of `spec`; one value for
        rank 0.

    Returns:
      A tensor of the dtype and rank of `spec`; each axis is as long as the longest list.

    Raises:
      UsageError: values of another type or depth.
    """
    try:
        if spec.shape.rank > 1:
            array = _padded_floats(values, spec) if spec.dtype.is_floating else None
            if array is None:
                array = _padded(values, spec.shape.rank, b"" if spec.dtype == tf.string else 0)
                # TensorFlow rejects values of another type in a list; an empty list has no shape.
                tensor = tf.constant(array.tolist(), spec.dtype)
                tensor = tensor if array.size else tf.reshape(tensor, array.shape)
            else:
                tensor = tf.constant(array)
        else:
            tensor = tf.constant(values, spec.dtype)
        if tensor.shape.rank != spec.shape.rank:
            raise ValueError(f"it has {tensor.shape.rank} axes, not {spec.shape.rank}")
        return tensor
    # An integer that is too large raises an OverflowError or, together with floats, a SystemError
    # of NumPy or TensorFlow.
    except (TypeError, ValueError, OverflowError, SystemError) as error:
        raise UsageError(
            f"Input {name!r} takes values of type {spec.dtype.name}, one an example, all of one "
            f"shape ({first_line(error)})."
        ) from error


def batch_tensors(
    columns: Mapping[str, list], specs: Mapping[str, tf.TensorSpec], index: Sequence[int] | Any
) -> dict[str, tf.Tensor]:
    """Returns the inputs of some rows; all float series are padded to the same length.

    Args:
      columns: the result of `columns_of`.
      specs: specs of the inputs, by name.
      index: the rows.

    Raises:
      UsageError: as `input_tensor`.
    """
    padded = {
        name: input_tensor(name, spec, [columns[name][row] for row in index])
        for name, spec in specs.items()
    }
    series = [
        name for name, spec in specs.items() if spec.shape.rank == 2 and spec.dtype.is_floating
    ]
    longest = max((padded[name].shape[1] for name in series), default=0)
    for name in series:
        padded[name] = tf.pad(padded[name], [[0, 0], [0, longest - padded[name].shape[1]]])
    return padded


def _padded_floats(values: Any, spec: tf.TensorSpec) -> np.ndarray | None:
    """Returns rows of numbers as one array, padded with 0: a fast path for audio and long series.

    Returns None if the rows are not numeric arrays of the rank of the signature.
    """
    try:
        rows = [np.asarray(value) for value in values]
    except ValueError:  # lists of unequal length within a row
        return None
    rank = spec.shape.rank - 1
    numbers = all(row.ndim == rank and (row.dtype.kind in "fiu" or not row.size) for row in rows)
    if not rows or not numbers:
        return None
    shape = np.max([row.shape for row in rows], axis=0)
    array = np.zeros((len(rows), *shape), spec.dtype.as_numpy_dtype)
    with np.errstate(over="ignore"):  # numbers beyond float32 become infinite
        for place, row in zip(array, rows, strict=True):
            place[tuple(slice(size) for size in row.shape)] = row
    return array


def _padded(values: Any, rank: int, filler: Any) -> np.ndarray:
    """Returns nested lists of unequal length as an array of `rank` axes, padded on the right."""
    if rank == 1:
        row = np.empty(len(values), object)
        for place, value in enumerate(values):
            row[place] = value
        return row
    rows = [_padded(value, rank - 1, filler) for value in values]
    shape = np.max([row.shape for row in rows], axis=0) if rows else [0] * (rank - 1)
    array = np.full((len(rows), *shape), filler, object)
    for row, value in zip(array, rows, strict=True):
        row[tuple(slice(size) for size in value.shape)] = value
    return array


def _shape(value: Any) -> tuple[int, ...]:
    """Returns the shape of nested lists; the outer axis only if unequal (rejected later)."""
    try:
        return np.shape(value)
    except ValueError:
        return (len(value),)


def _encoded(value: str | bytes) -> bytes:
    return value if isinstance(value, bytes) else utf8(value)


def size_of(value: Any) -> int:
    """Returns the length of a text or list; 1 for a number."""
    return len(value) if hasattr(value, "__len__") else 1
