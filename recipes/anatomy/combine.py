"""Cells made of cells: two that read from both ends, and several on top of each other."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np

from recipes.anatomy.cell import Array, Cell, Gradients, Weights


def bidirectional(cell: Cell) -> Bidirectional:
    """Returns a cell that reads from both ends, its outputs joined on the last axis.

    Schuster & Paliwal 1997; Keras' `Bidirectional(layer)` with `merge_mode="concat"`, which puts
    out 0 at masked steps. Without `return_sequences`, the output is the last state `a` of each
    direction, joined: where the second one stops reading is the first step.
    """
    return Bidirectional(cell)


def stacked(cells: Sequence[Cell]) -> Stacked:
    """Returns a cell in which each layer reads the outputs of the one before it (deep RNN)."""
    return Stacked(tuple(cells))


def _reversed(array: Array | None) -> Any:
    return None if array is None else array[:, ::-1]


@dataclasses.dataclass(frozen=True)
class Bidirectional:
    """Two of the same cell: one reads from the first step to the last, one the other way round.

    Weights are a list of both's; states are those of the first, then those of the second. Shapes
    and dtypes are those of `recipes.anatomy.cell.Cell`, but outputs are `(batch, time, 2 * units)`.
    """

    cell: Cell

    def from_keras(self, arrays: Sequence[Array]) -> Weights:
        half = len(arrays) // 2
        return [self.cell.from_keras(arrays[:half]), self.cell.from_keras(arrays[half:])]

    def to_keras(self, weights: Weights) -> list[Array]:
        return [array for each in weights for array in self.cell.to_keras(each)]

    def forward(
        self,
        x: Array,
        weights: Weights,
        mask: Array | None = None,
        initial: Sequence[Array] | None = None,
    ) -> tuple[Array, tuple[Array, ...], Any]:
        one, other = _halves(initial)
        y, states, cache = self.cell.forward(x, weights[0], mask, one)
        # Reversed, the padding comes first; masked steps leave the initial state as it is.
        y_back, states_back, cache_back = self.cell.forward(
            _reversed(x), weights[1], _reversed(mask), other
        )
        outputs = np.concatenate([y, _reversed(y_back)], axis=-1)  # (batch, time, 2 units)
        if mask is not None:
            outputs = np.where(mask[:, :, np.newaxis], outputs, 0)
        return outputs, (*states, *states_back), (mask, cache, cache_back)

    def backward(
        self, d_outputs: Array, cache: Any, d_states: Sequence[Array] | None = None
    ) -> Gradients:
        one, other = _halves(d_states)
        mask, cache_there, cache_back = cache
        if mask is not None:
            d_outputs = np.where(mask[:, :, np.newaxis], d_outputs, 0)
        dy, dy_back = np.split(d_outputs, 2, axis=-1)
        there = self.cell.backward(dy, cache_there, one)
        back = self.cell.backward(_reversed(dy_back), cache_back, other)
        return Gradients(
            x=there.x + _reversed(back.x),  # both have read the same x
            initial=(*there.initial, *back.initial),
            weights=[there.weights, back.weights],
            through_time=np.concatenate(
                [there.through_time, _reversed(back.through_time)], axis=-1
            ),
        )


def _halves(states: Sequence[Array] | None) -> tuple[Any, Any]:
    if states is None:
        return None, None
    half = len(states) // 2
    return states[:half], states[half:]


@dataclasses.dataclass(frozen=True)
class Stacked:
    """Layers on top of each other; weights, states and cache are lists with an entry a layer.

    Of `from_keras`, the argument is a list with `layer.get_weights()` of each layer. Shapes and
    dtypes are those of `recipes.anatomy.cell.Cell`; outputs are those of the last layer.
    """

    cells: tuple[Cell, ...]

    def from_keras(self, arrays: Sequence[Any]) -> Weights:
        pairs = zip(self.cells, arrays, strict=True)
        return [cell.from_keras(each) for cell, each in pairs]

    def to_keras(self, weights: Weights) -> list[Any]:
        return [cell.to_keras(each) for cell, each in zip(self.cells, weights, strict=True)]

    def forward(
        self,
        x: Array,
        weights: Weights,
        mask: Array | None = None,
        initial: Sequence[Any] | None = None,
    ) -> tuple[Array, tuple[Any, ...], Any]:
        given = [None] * len(self.cells) if initial is None else initial
        states, caches = [], []
        for cell, each, start in zip(self.cells, weights, given, strict=True):
            x, end, cache = cell.forward(x, each, mask, start)
            states.append(end)
            caches.append(cache)
        return x, tuple(states), caches

    def backward(
        self, d_outputs: Array, cache: Any, d_states: Sequence[Any] | None = None
    ) -> Gradients:
        given = [None] * len(self.cells) if d_states is None else d_states
        found = []
        # From the last layer to the first: ∂L/∂x of one is ∂L/∂outputs of the one below.
        for cell, each, end in zip(self.cells[::-1], cache[::-1], given[::-1], strict=True):
            found.append(cell.backward(d_outputs, each, end))
            d_outputs = found[-1].x
        found.reverse()
        return Gradients(
            x=d_outputs,
            initial=tuple(each.initial for each in found),
            weights=[each.weights for each in found],
            through_time=[each.through_time for each in found],
        )
