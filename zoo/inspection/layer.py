"""The results of one recurrent layer, and labels and values of its real steps."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np

from zoo.inspection.capture import Capture
from zoo.inspection.unroll import Unrolled


@dataclasses.dataclass(frozen=True)
class Layer:
    """The results of one recurrent layer: recorded values, unrolled steps, gate activations."""

    capture: Capture
    unrolled: Unrolled
    gates: dict[str, np.ndarray]


def labels_of(layer_call: Capture, row: int, labels: Mapping[str, Sequence[str]]) -> list[str]:
    """Returns a label for each real step of a layer, in the order of the input.

    These are the labels of the longest key that is a prefix of the layer's name. Steps without a
    label get their number, from 1.
    """
    length = int(layer_call.lengths[row])
    keys = [key for key in labels if layer_call.name.startswith(key)]
    named = list(labels[max(keys, key=len)]) if keys else []
    return (named + [str(step + 1) for step in range(len(named), length)])[:length]


def real(layer_call: Capture, values: np.ndarray, row: int) -> np.ndarray:
    """Returns a row's values at its real steps, `(steps, …)`, in the order of the input."""
    return layer_call.in_order(values)[row, layer_call.in_order(layer_call.mask)[row]]
