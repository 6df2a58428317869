"""Converts `TensorProto`s to arrays and back, with limits on their size."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import tensorflow as tf

from zoo.errors import quoted
from zoo.server.status import invalid
from zoo.server.tensors import TensorInfo

MAX_VALUES = 2**24  # of a tensor whose proto repeats one value


def array_of(proto: Any, name: str, info: TensorInfo) -> np.ndarray:
    """Converts a `TensorProto` to an array.

    Args:
      proto: the tensor; its type must be that of the input.
      name: name of the input, for messages.
      info: the input.

    Raises:
      Refused: the type differs, or the values do not fill the shape.
    """
    try:
        dtype = tf.as_dtype(proto.dtype).name
    except TypeError:
        dtype = "unknown"
    if dtype != info.dtype:
        raise invalid(f"Input {quoted(name)} is of type {dtype}; expected {info.dtype}.")
    sizes = [dim.size for dim in proto.tensor_shape.dim]
    if any(size < 0 for size in sizes) or proto.tensor_shape.unknown_rank:
        raise invalid(f"Input {quoted(name)} has an open shape. Say the size of each axis.")
    # A proto may repeat one value a billion times.
    if math.prod(sizes) > MAX_VALUES and len(proto.tensor_content) < math.prod(sizes):
        raise invalid(f"Input {quoted(name)} has more than {MAX_VALUES:,} values.")
    try:
        return tf.make_ndarray(proto)
    except (TypeError, ValueError) as error:
        raise invalid(
            f"Input {quoted(name)}: its values do not fill the shape {tuple(sizes)}."
        ) from error


def proto_of(array: np.ndarray) -> Any:
    """Returns a `TensorProto`."""
    return tf.make_tensor_proto(array)
