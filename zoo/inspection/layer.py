"""What was found in one recurrent layer, and how its steps are named and cut."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np

from zoo.inspection.capture import Capture
from zoo.inspection.unroll import Unrolled


@dataclasses.dataclass(frozen=True)
class Layer:
    """What was found in one recurrent layer."""

    capture: Capture
    unrolled: Unrolled
    gates: dict[str, np.ndarray]


def labels_of(layer_call: Capture, row: int, labels: Mapping[str, Sequence[str]]) -> list[str]:
    """Returns a label for each real step of a layer, in the order of the input.

    Those of the longest key that the layer's name begins with; the number of the step, from 1,
    where there are none.
    """
    length = int(layer_call.lengths[row])
    keys = [key for key in labels if layer_call.name.startswith(key)]
    named = list(labels[max(keys, key=len)]) if keys else []
    return (named + [str(step + 1) for step in range(len(named), length)])[:length]


def real(layer_call: Capture, values: np.ndarray, row: int) -> np.ndarray:
    """Returns a row's values at its real steps, `(steps, …)`, in the order of the input."""
    return layer_call.in_order(values)[row, layer_call.in_order(layer_call.mask)[row]]
