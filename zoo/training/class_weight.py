"""How much rows count in the loss, by their class."""

from __future__ import annotations

import math
import numbers
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from zoo.errors import UsageError, quoted, suggest

BALANCED = "balanced"


def parse_class_weight(value: Mapping[Any, float] | str | None) -> dict[str, float] | str | None:
    """Checks weights of classes; returns them as a run records them.

    Args:
      value: `"balanced"`, class name to weight, or None.

    Raises:
      UsageError: it is something else, or a weight is no positive number.
    """
    if value is None or value == BALANCED:
        return BALANCED if value == BALANCED else None
    if not isinstance(value, Mapping) or not value:
        raise UsageError(
            f"class_weight is {BALANCED!r} or a dict of class names to weights; got "
            f"{quoted(value)}."
        )
    for name, weight in value.items():
        known = isinstance(weight, numbers.Real) and not isinstance(weight, bool)
        if not known or not 0 < float(weight) < math.inf:
            raise UsageError(
                f"class_weight of {quoted(name)} must be a number above 0; got {quoted(weight)}."
            )
    return {str(name): float(weight) for name, weight in value.items()}


def weight_by_class(
    value: Mapping[str, float] | str | None, labels: Sequence[str] | None, y: Any, replicas: int
) -> dict[int, float] | None:
    """Returns the weight of each class by its number, as Keras' `fit` takes it.

    Args:
      value: of `parse_class_weight`. Balanced: a class of n of N rows has the weight N / (k n), k
        being the number of classes.
      labels: class names by number; None where the model has none.
      y: targets of the training rows, int `(rows,)` for a classifier.
      replicas: that train together.

    Raises:
      UsageError: the model is no classifier, has no such class, or is trained by several replicas.
    """
    if value is None:
        return None
    if not labels or not isinstance(y, np.ndarray) or y.ndim != 1 or y.dtype.kind not in "iu":
        raise UsageError("class_weight is for models that answer one class for each row.")
    if replicas > 1:
        raise UsageError("class_weight needs one device: give strategy='none'.")
    if isinstance(value, str):
        counts = np.bincount(y, minlength=len(labels))
        return {
            number: len(y) / (len(labels) * max(int(count), 1))
            for number, count in enumerate(counts)
        }
    for name in value:
        if name not in labels:
            raise UsageError(f"There is no class {quoted(name)}.{suggest(name, labels)}")
    return {number: value.get(label, 1.0) for number, label in enumerate(labels)}
