"""What a recipe serves."""

from __future__ import annotations

import dataclasses
from typing import Any


@dataclasses.dataclass(frozen=True)
class Served:
    """Signatures of a model, raw input to named outputs.

    Attributes:
      functions: signature name to a `tf.function` with an `input_signature` of named specs; each
        returns a dict of tensors whose first axis is the batch. `"serving_default"` is the one
        that TF Serving and `Predictor.predict` use when none is named.
      parts: the model and every layer that holds tables which the functions use: tables are
        found through them, and they live as long as the functions.
    """

    functions: dict[str, Any]
    parts: list[Any]
