"""Descriptions of the inputs and outputs of signatures, without TensorFlow."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np


@dataclasses.dataclass(frozen=True)
class TensorInfo:
    """An input or output.

    Attributes:
      dtype: TensorFlow's name of the type, such as `"float32"` or `"string"`.
      shape: size of each axis, None if it is dynamic; None if the number of axes is unknown.
    """

    dtype: str
    shape: tuple[int | None, ...] | None

    @property
    def rank(self) -> int | None:
        return None if self.shape is None else len(self.shape)

    @property
    def numpy(self) -> Any:
        """The corresponding NumPy type."""
        if self.dtype == "bfloat16":
            import tensorflow as tf

            return tf.bfloat16.as_numpy_dtype
        return object if self.dtype == "string" else np.dtype(self.dtype)


@dataclasses.dataclass(frozen=True)
class SignatureInfo:
    """A signature of a model.

    Attributes:
      inputs, outputs: tensors by name.
    """

    inputs: Mapping[str, TensorInfo]
    outputs: Mapping[str, TensorInfo]
