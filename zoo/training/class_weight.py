"""Class weights: how much each row counts in the loss, depending on its class.

A classifier's targets are classes, int `(rows,)`, which Keras weights, or those that the recipe's
batches weight themselves: `zoo.data.batching.Weighting`.
"""

from __future__ import annotations

import dataclasses
import math
import numbers
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from zoo.errors import UsageError, quoted, suggest

if TYPE_CHECKING:
    from zoo.data import Batches
    from zoo.data.batching import Weighting

BALANCED = "balanced"
NONE = "none"
RARE = 0.1  # share of rows: custom data with a class below it are weighted by default


def parse_class_weight(value: Mapping[Any, float] | str | None) -> dict[str, float] | str | None:
    """Checks class weights and returns them in the form that a run records.

    Args:
      value: `"balanced"`, `"none"`, a mapping from class name to weight, or None.

    Raises:
      UsageError: it is something else, or a weight is not a positive number.
    """
    if value is None or (isinstance(value, str) and value in (BALANCED, NONE)):
        return value
    if not isinstance(value, Mapping) or not value:
        raise UsageError(
            f"class_weight is {BALANCED!r}, {NONE!r} or a dict of class names to weights; got "
            f"{quoted(value)}."
        )
    for name, weight in value.items():
        known = isinstance(weight, numbers.Real) and not isinstance(weight, bool)
        if not known or not 0 < float(weight) < math.inf:
            raise UsageError(
                f"class_weight of {quoted(name)} must be a number above 0; got {quoted(weight)}."
            )
    return {str(name): float(weight) for name, weight in value.items()}


def parse_class_weights(values: Sequence[str]) -> dict[str, float] | str | None:
    """Parses command-line values: `["balanced"]`, `["none"]`, or `["rare=3", …]`.

    Raises:
      UsageError: as for `parse_class_weight`, or a value is none of these.
    """
    if not values:
        return None
    if len(values) == 1 and values[0] in (BALANCED, NONE):
        return parse_class_weight(values[0])
    weights: dict[str, float] = {}
    for value in values:
        name, equals, weight = value.rpartition("=")
        try:
            number = float(weight)
        except ValueError:
            equals = ""
        if not equals:
            alone = f": {value} stands alone" if value in (BALANCED, NONE) else ""
            raise UsageError(
                f"--class-weight is {BALANCED}, {NONE} or CLASS=WEIGHT; got {quoted(value)}{alone}."
            )
        if name in weights:
            raise UsageError(f"--class-weight of {quoted(name)} is given twice.")
        weights[name] = number
    return parse_class_weight(weights)


def default_class_weight(
    labels: Sequence[str] | None, training: Batches, replicas: int
) -> str | None:
    """Returns `"balanced"` if a class has less than a share `RARE` of the rows, else None.

    Also returns None for models that are not classifiers, and for several replicas.
    """
    classes = _classes(training) if labels else None
    if not labels or classes is None or (training.weighting is None and replicas > 1):
        return None
    counts = np.bincount(classes, minlength=len(labels))
    return BALANCED if counts.min() < RARE * len(classes) else None


def weight_by_class(
    value: Mapping[str, float] | str | None,
    labels: Sequence[str] | None,
    training: Batches,
    replicas: int,
) -> dict[int, float] | None:
    """Returns the weight of each class by its index, as Keras' `fit` expects it.

    Args:
      value: returned by `parse_class_weight`. Balanced: a class with n of N rows has the weight
        N / (k n), where k is the number of classes.
      labels: class names by index; None if the model has none.
      training: the training rows.
      replicas: number of replicas that train together.

    Raises:
      UsageError: the model is not a classifier, lacks a class, or is trained by several replicas.
    """
    if value is None or value == NONE:
        return None
    classes = _classes(training)
    if not labels or classes is None:
        raise UsageError("class_weight is for models that answer one class for each row.")
    if replicas > 1 and training.weighting is None:
        raise UsageError("class_weight needs one device: give strategy='none'.")
    if isinstance(value, str):
        counts = np.bincount(classes, minlength=len(labels))
        return {
            number: len(classes) / (len(labels) * max(int(count), 1))
            for number, count in enumerate(counts)
        }
    for name in value:
        if name not in labels:
            raise UsageError(f"There is no class {quoted(name)}.{suggest(name, labels)}")
    return {number: value.get(label, 1.0) for number, label in enumerate(labels)}


def weighted(
    batches: Batches, weights: dict[int, float] | None
) -> tuple[Batches, dict[int, float] | None]:
    """Returns batches, and the class weights to pass to `fit` with them.

    Keras can only weight integer classes; other targets are weighted here.
    """
    if weights is None or batches.weighting is None:
        return batches, weights
    return dataclasses.replace(batches, y=_weighted(batches.y, batches.weighting, weights)), None


def weighted_validation(
    validation: Batches, training: Batches, weights: dict[int, float] | None
) -> tuple[Batches, dict[int, float] | None]:
    """Returns validation batches weighted like the training rows.

    Without weights, an epoch that always predicts the most frequent class would have the lowest
    loss.

    Args:
      validation: targets are classes `(rows,)`.
      training: its `weighting` determines how a row is weighted, see `weighted`.
      weights: returned by `weight_by_class`.

    Returns:
      Batches, and the class weights to use for their rows.
    """
    y = validation.y
    if weights is None or not isinstance(y, np.ndarray) or y.ndim != 1:
        return validation, None
    if training.weighting is None:
        return validation, weights
    return dataclasses.replace(validation, y=_weighted(y, training.weighting, weights)), None


def _weighted(y: np.ndarray, weighting: Weighting, weights: dict[int, float]) -> np.ndarray:
    return weighting.weighted(y, np.array([weights[number] for number in range(len(weights))]))


def _classes(batches: Batches) -> np.ndarray | None:
    """Returns the class of each row, int `(rows,)`; None if it is no classifier."""
    y = batches.y
    if batches.weighting is not None:
        return batches.weighting.classes(y)
    return y if isinstance(y, np.ndarray) and y.ndim == 1 and y.dtype.kind in "iu" else None
