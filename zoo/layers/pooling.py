"""Pooling over the real steps of a sequence."""

from __future__ import annotations

import keras
from keras import ops

from zoo.assets import Json
from zoo.tensors import Tensor


@keras.saving.register_keras_serializable("zoo")
class MaskedPooling(keras.layers.Layer):
    """Reduces a sequence to one vector; padded steps are omitted.

    Keras' `GlobalMaxPooling1D` takes the maximum over padding too.

    Args:
      mode: `"last"` (the state at the last real step), `"mean"`, `"max"` (per unit, the
        strongest value over time; Collobert et al. 2011), or `"mean+max"` (both, concatenated).

    Call arguments:
      inputs: float `(batch, time, units)`.
      mask: bool `(batch, time)`, True at real steps. They are on the left, at least one in each
        row. Without a mask all steps are real.

    Returns:
      float `(batch, units)`, or `(batch, 2 * units)` for `"mean+max"`.

    Raises:
      ValueError: an unknown mode.
    """

    MODES = ("last", "mean", "max", "mean+max")

    def __init__(self, mode: str = "max", **kwargs: object) -> None:
        super().__init__(**kwargs)
        if mode not in self.MODES:
            raise ValueError(f"mode must be one of {', '.join(self.MODES)}; got {mode!r}.")
        self.mode = mode
        self.supports_masking = True

    def call(self, inputs: Tensor, mask: Tensor | None = None) -> Tensor:
        if mask is None:
            mask = ops.ones(ops.shape(inputs)[:2], dtype="bool")
        real = ops.expand_dims(ops.cast(mask, inputs.dtype), -1)  # (batch, time, 1)
        pooled = []
        if self.mode == "last":
            # Real steps are on the left, so that their number gives the last position.
            last = ops.sum(ops.cast(mask, "int32"), axis=1) - 1
            selector = ops.expand_dims(
                ops.one_hot(last, ops.shape(inputs)[1], dtype=inputs.dtype), -1
            )
            pooled.append(ops.sum(inputs * selector, axis=1))
        if "mean" in self.mode:
            # In half precision, sums of hundreds of terms lose small terms.
            total = ops.sum(ops.cast(inputs * real, "float32"), axis=1)
            count = ops.sum(ops.cast(mask, "float32"), axis=1, keepdims=True)
            pooled.append(ops.cast(total / count, inputs.dtype))
        if "max" in self.mode:
            lowest = ops.cast(-6e4, inputs.dtype)  # within float16's range
            pooled.append(ops.max(ops.where(ops.expand_dims(mask, -1), inputs, lowest), axis=1))
        return pooled[0] if len(pooled) == 1 else ops.concatenate(pooled, axis=-1)

    def compute_mask(self, inputs: Tensor, previous_mask: Tensor | None = None) -> None:
        return None  # there is no time axis left

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        units = input_shape[-1]
        return (input_shape[0], 2 * units if self.mode == "mean+max" else units)

    def get_config(self) -> dict[str, Json]:
        return {**super().get_config(), "mode": self.mode}
