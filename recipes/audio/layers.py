"""Layers for audio features, and for networks with a blank label (CTC)."""

from __future__ import annotations

import keras
from keras import KerasTensor, layers, ops

Shape = tuple[int | None, ...]

DECADES = 4.0  # decades of power in a unit of `LogMel`
FAINTEST = 6.5  # decades below the loudest: lower values are clipped
IMPOSSIBLE = -1e9  # a logit: finite, so that differences of two are defined


@keras.saving.register_keras_serializable("zoo")
class StackFrames(layers.Layer):
    """Concatenates every `size` neighbouring frames to one step.

    Fewer steps take less time and shorten the paths of gradients (H. Sak et al.: Fast and Accurate
    Recurrent Neural Network Acoustic Models for Speech Recognition, Interspeech 2015). The mask of
    the output is True where a step has a frame that is not all 0.

    Args:
      size: number of frames in a step.

    Call arguments:
      inputs: float `(batch, frames, features)`, 0 at padding, on the right, and nowhere else.

    Returns:
      `(batch, steps, size * features)`, where steps = ceil(frames / size).
    """

    def __init__(self, size: int = 3, **kwargs: object) -> None:
        super().__init__(**kwargs)
        if size < 1:
            raise ValueError(f"size must be at least 1; got {size!r}.")
        self.size = size
        self.supports_masking = True

    def call(self, inputs: KerasTensor, mask: KerasTensor | None = None) -> KerasTensor:
        padded = ops.pad(inputs, [[0, 0], [0, self.size - 1], [0, 0]])
        # Frame i of each step. This works with an unknown number of frames (symbolic calls).
        ends = [i - self.size + 1 or None for i in range(self.size)]
        return ops.concatenate([padded[:, i : end : self.size] for i, end in enumerate(ends)], -1)

    def compute_mask(
        self, inputs: KerasTensor, previous_mask: KerasTensor | None = None
    ) -> KerasTensor:
        return ops.any(ops.not_equal(self.call(inputs), 0), axis=-1)

    def compute_output_shape(self, input_shape: tuple[int | None, int | None, int]) -> Shape:
        batch, frames, features = input_shape
        steps = None if frames is None else -(-frames // self.size)
        return (batch, steps, self.size * features)

    def get_config(self) -> dict[str, object]:
        return {**super().get_config(), "size": self.size}


@keras.saving.register_keras_serializable("zoo")
class SpectralShape(layers.Layer):
    """Separates spectrum and loudness of each frame, and removes the effect of the microphone.

    Depending on voice and microphone, an s is 20 dB or 50 dB softer than the vowel beside it, but
    its spectrum has the same shape. So the mean over the bands is subtracted from each frame, and
    then the mean over the louder half of the frames from each band (cepstral mean normalization; B.
    Atal 1974). The loudness of a frame and its change are two additional features.

    Call arguments:
      inputs: float `(batch, frames, bands)`, log-mel of `LogMel`, -1 … 1; 0 at padding alone, on
        the right.

    Returns:
      `(batch, frames, bands + 2)`, decimal logarithms of power, the last two scaled; only padding
      is 0.
    """

    def __init__(self, **kwargs: object) -> None:
        super().__init__(**kwargs)
        self.supports_masking = True

    def call(self, inputs: KerasTensor, mask: KerasTensor | None = None) -> KerasTensor:
        real = ops.any(ops.not_equal(inputs, 0), axis=-1, keepdims=True)  # (batch, frames, 1)
        logs = ops.maximum((ops.cast(inputs, "float32") - 1) * DECADES, -FAINTEST)
        loud = ops.mean(logs, axis=-1, keepdims=True)
        counted = ops.cast(real, "float32")
        louder = ops.cast(loud >= _mean(loud, counted), "float32") * counted
        shape = logs - loud
        shape = shape - _mean(shape, louder)
        loud = ops.where(real, (loud - _mean(loud, louder)) / (FAINTEST / 2), 0.0)
        before = ops.pad(loud, [[0, 0], [1, 1], [0, 0]])
        change = (before[:, 2:] - before[:, :-2]) * 1.5
        values = ops.concatenate([shape, loud, change], axis=-1)
        # In silence, all values are 0, which means padding.
        values = ops.where(real, ops.where(values == 0, 1e-6, values), 0.0)
        return ops.cast(values, self.compute_dtype)

    def compute_output_shape(self, input_shape: tuple[int | None, int | None, int]) -> Shape:
        return (*input_shape[:2], input_shape[2] + 2)


def _mean(values: KerasTensor, weights: KerasTensor) -> KerasTensor:
    """Returns the mean over time, `(batch, 1, width)`; `weights` are `(batch, frames, 1)`."""
    total = ops.maximum(ops.sum(weights, axis=1, keepdims=True), 1.0)
    return ops.sum(values * weights, axis=1, keepdims=True) / total


@keras.saving.register_keras_serializable("zoo")
class BlankPadding(layers.Layer):
    """Sets the probability of the blank, id 0, to 1 at padding.

    The probability of a text then does not depend on the number of padded steps: losses and
    searches over alignments need no row lengths.

    Call arguments:
      inputs: float logits `(batch, time, ids)`.
      mask: bool `(batch, time)`: real steps.

    Returns:
      The logits; at padding, 0 for the blank and -1e9 for other ids. The output has no mask.
    """

    def __init__(self, **kwargs: object) -> None:
        super().__init__(**kwargs)
        self.supports_masking = True

    def call(self, inputs: KerasTensor, mask: KerasTensor | None = None) -> KerasTensor:
        if mask is None:
            return inputs
        ids = ops.arange(inputs.shape[-1])
        blank = ops.cast(ops.where(ids == 0, 0.0, IMPOSSIBLE), inputs.dtype)
        return ops.where(ops.expand_dims(mask, -1), inputs, blank)

    def compute_mask(self, inputs: KerasTensor, previous_mask: KerasTensor | None = None) -> None:
        return None

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return input_shape
