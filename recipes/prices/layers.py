"""Output layer of networks that forecast distributions."""

from __future__ import annotations

import keras
from keras import KerasTensor, layers, ops

PARAMETERS = 4  # location, scale, degrees of freedom, variance
MIN_DF = 2.1  # a Student's t with 2 or fewer has no variance


@keras.saving.register_keras_serializable("zoo")
class ForecastHead(layers.Layer):
    """Student's t distributions of sums over the next 1 … H steps, as multiples of a base.

    The weights are initialised to 0. The initial forecast is the base itself: location 0, and a
    variance that grows with the number of steps.

    Args:
      horizon: H.

    Call arguments:
      x: `(batch, time, units)`.

    Returns:
      float32 `(batch, time, H, 4)`: location, scale and degrees of freedom of the sum, and its
      variance, in units of the base's deviation and variance of one step.
    """

    def __init__(self, horizon: int, **kwargs: object) -> None:
        super().__init__(**{**kwargs, "dtype": "float32"})
        self.horizon = horizon
        self.dense = layers.Dense(PARAMETERS * horizon, kernel_initializer="zeros", dtype="float32")

    def build(self, shape: tuple) -> None:
        self.dense.build(shape)
        super().build(shape)

    def call(self, x: KerasTensor) -> KerasTensor:
        raw = self.dense(ops.cast(x, "float32"))
        raw = ops.reshape(raw, (*ops.shape(raw)[:2], self.horizon, PARAMETERS))
        steps = ops.arange(1, self.horizon + 1, dtype="float32")
        # Returns are almost unpredictable: the factor 0.1 keeps the location from fitting noise.
        location = 0.1 * raw[..., 0] * ops.sqrt(steps)
        scale = ops.exp(ops.clip(raw[..., 1] - 0.2, -5.0, 5.0)) * ops.sqrt(steps)
        df = MIN_DF + ops.softplus(raw[..., 2] + 3.0)
        variance = ops.exp(ops.clip(raw[..., 3], -5.0, 5.0)) * steps
        return ops.stack([location, scale, df, variance], axis=-1)

    def compute_output_shape(self, shape: tuple) -> tuple:
        return (*shape[:2], self.horizon, PARAMETERS)

    def get_config(self) -> dict[str, object]:
        return {**super().get_config(), "horizon": self.horizon}
