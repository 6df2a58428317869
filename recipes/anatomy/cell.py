"""Definitions common to all cells: their protocol, and the sigmoid."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol, TypeAlias, TypedDict

import numpy as np

from zoo.errors import ZooError

Array: TypeAlias = np.ndarray
Weights: TypeAlias = Any
"""A dict of arrays by name; for a cell made of cells, a list with the weights of each."""
CellCache: TypeAlias = Any
"""What `forward` keeps for `backward`: a `Cache`; for a cell made of cells, those of each."""
States: TypeAlias = "tuple[Array | States, ...]"
"""A state or several, `(batch, units)` each; for stacked cells, one tuple per cell."""


class Cache(TypedDict):
    """The values that `forward` of one cell stores for `backward`.

    Attributes:
      x: inputs, float `(batch, time, features)`.
      weights: arrays by name.
      mask: bool `(batch, time)`.
      steps: the quantities of each step by name, `(batch, units)` each.
    """

    x: Array
    weights: dict[str, Array]
    mask: Array
    steps: list[dict[str, Array]]


class Gradients(NamedTuple):
    """The output of `backward`: the derivatives of a scalar loss L.

    Attributes:
      x: ∂L/∂x, `(batch, time, features)`.
      initial: ∂L/∂(initial states), `(batch, units)` each, in the order of the states;
        for stacked cells, one tuple per cell.
      weights: ∂L/∂weights, with the names and shapes of the weights.
      through_time: ∂L/∂a<t> along all paths from a<t> to the loss, `(batch, time, units)`: the
        gradient that vanishes or explodes towards the first steps. For bidirectional cells,
        concatenated on the last axis; for stacked cells, a list.
    """

    x: Array
    initial: States
    weights: Weights
    through_time: Any


class Cell(Protocol):
    """The four functions of a cell; the modules `simple_rnn`, `lstm` and `gru` have them.

    Arrays are float32 or float64; masks are bool.
    """

    def from_keras(self, arrays: Sequence[Array], /) -> Weights:
        """Names the arrays of `layer.get_weights()`: `(features, …)`, `(units, …)` and `(…,)`."""

    def to_keras(self, weights: Weights, /) -> list[Array]:
        """Inverts `from_keras`, for weights or for gradients of the same shapes."""

    def forward(
        self,
        x: Array,
        weights: Weights,
        mask: Array | None = None,
        initial: Sequence[Array] | None = None,
    ) -> tuple[Array, tuple[Array, ...], CellCache]:
        """Runs forward through time.

        Args:
          x: float `(batch, time, features)`.
          weights: from `from_keras`.
          mask: bool `(batch, time)`, False at padded steps; None: all steps are real.
          initial: the states before the first step, float `(batch, units)` each; None: zeros.

        Returns:
          The outputs, float `(batch, time, units)`; the last states, `(batch, units)` each; and
          the cache for `backward`.
        """

    def backward(
        self, d_outputs: Array, cache: CellCache, d_states: Sequence[Array] | None = None
    ) -> Gradients:
        """Runs backward through time.

        Args:
          d_outputs: ∂L/∂outputs, float `(batch, time, units)`.
          cache: from `forward`.
          d_states: ∂L/∂(last states), float `(batch, units)` each; None: L does not depend on
            them.
        """


def sigmoid(z: Array) -> Array:
    """Returns 1 / (1 + e^-z), between 0 and 1: how far a gate is open.

    Takes floats of any shape; the result has the same shape and dtype. It uses tanh, because e^-z
    overflows at z = -1000.
    """
    return 0.5 * (1 + np.tanh(0.5 * z))


def check_weights(arrays: Sequence[Array]) -> Sequence[Array]:
    """Returns kernel `(features, …)`, recurrent kernel `(units, …)` and bias `(…,)`, unchanged.

    Raises:
      ZooError: there are more or fewer arrays.
    """
    if len(arrays) != 3:
        raise ZooError(
            "A recurrent layer of Keras with a bias has 3 weight arrays (kernel, recurrent "
            f"kernel, bias); got {len(arrays)}. Give `layer.get_weights()` of one such layer."
        )
    return arrays
