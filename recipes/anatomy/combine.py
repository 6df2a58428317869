"""Combinations of cells: bidirectional and stacked (deep) RNNs."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from recipes.anatomy.cell import Array, Cell, CellCache, Gradients, Weights


def bidirectional(cell: Cell) -> Bidirectional:
    """Returns a cell that reads in both directions and concatenates the outputs on the last axis.

    Schuster & Paliwal 1997; Keras' `Bidirectional(layer)` with `merge_mode="concat"`, whose output
    is 0 at masked steps. Without `return_sequences`, the output is the last state `a` of each
    direction, concatenated; the last state of the backward direction is at the first step.
    """
    return Bidirectional(cell)


def stacked(cells: Sequence[Cell]) -> Stacked:
    """Returns a cell in which each layer reads the outputs of the previous one (deep RNN)."""
    return Stacked(tuple(cells))


def _reversed(array: Array) -> Array:
    return array[:, ::-1]


@dataclasses.dataclass(frozen=True)
class Bidirectional:
    """Two copies of a cell: one reads forward in time, one backward.

    Weights are a list with those of the forward, then of the backward direction; states are in the
    same order. Shapes and dtypes are those of `recipes.anatomy.cell.Cell`, except that outputs are
    `(batch, time, 2 * units)`.
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
    ) -> tuple[Array, tuple[Array, ...], CellCache]:
        forward_initial, backward_initial = _halves(initial)
        y, states, cache = self.cell.forward(x, weights[0], mask, forward_initial)
        # In reverse, the padding comes first; masked steps do not change the initial state.
        y_back, states_back, cache_back = self.cell.forward(
            _reversed(x),
            weights[1],
            None if mask is None else _reversed(mask),
            backward_initial,
        )
        outputs = np.concatenate([y, _reversed(y_back)], axis=-1)  # (batch, time, 2 units)
        if mask is not None:
            outputs = np.where(mask[:, :, np.newaxis], outputs, 0)
        return outputs, (*states, *states_back), (mask, cache, cache_back)

    def backward(
        self, d_outputs: Array, cache: CellCache, d_states: Sequence[Array] | None = None
    ) -> Gradients:
        d_forward, d_backward = _halves(d_states)
        mask, cache_forward, cache_back = cache
        if mask is not None:
            d_outputs = np.where(mask[:, :, np.newaxis], d_outputs, 0)
        dy, dy_back = np.split(d_outputs, 2, axis=-1)
        ahead = self.cell.backward(dy, cache_forward, d_forward)
        back = self.cell.backward(_reversed(dy_back), cache_back, d_backward)
        return Gradients(
            x=ahead.x + _reversed(back.x),  # both directions read the same x
            initial=(*ahead.initial, *back.initial),
            weights=[ahead.weights, back.weights],
            through_time=np.concatenate(
                [ahead.through_time, _reversed(back.through_time)], axis=-1
            ),
        )


def _halves(
    states: Sequence[Array] | None,
) -> tuple[Sequence[Array] | None, Sequence[Array] | None]:
    if states is None:
        return None, None
    half = len(states) // 2
    return states[:half], states[half:]


@dataclasses.dataclass(frozen=True)
class Stacked:
    """Stacked layers; weights, states and cache have one entry per layer.

    `from_keras` takes a list with `layer.get_weights()` of each layer. Shapes and
    dtypes are those of `recipes.anatomy.cell.Cell`; outputs are those of the last layer.
    """

    cells: tuple[Cell, ...]

    def from_keras(self, arrays: Sequence[Sequence[Array]]) -> Weights:
        pairs = zip(self.cells, arrays, strict=True)
        return [cell.from_keras(each) for cell, each in pairs]

    def to_keras(self, weights: Weights) -> list[list[Array]]:
        return [cell.to_keras(each) for cell, each in zip(self.cells, weights, strict=True)]

    def forward(
        self,
        x: Array,
        weights: Weights,
        mask: Array | None = None,
        initial: Sequence[Sequence[Array]] | None = None,
    ) -> tuple[Array, tuple[tuple[Array, ...], ...], CellCache]:
        starts = [None] * len(self.cells) if initial is None else initial
        states, caches = [], []
        for cell, each, start in zip(self.cells, weights, starts, strict=True):
            x, end, cache = cell.forward(x, each, mask, start)
            states.append(end)
            caches.append(cache)
        return x, tuple(states), caches

    def backward(
        self, d_outputs: Array, cache: CellCache, d_states: Sequence[Sequence[Array]] | None = None
    ) -> Gradients:
        d_ends = [None] * len(self.cells) if d_states is None else d_states
        gradients = []
        # From the last layer to the first: ∂L/∂x of one is ∂L/∂outputs of the one below.
        for cell, each, d_end in zip(self.cells[::-1], cache[::-1], d_ends[::-1], strict=True):
            gradients.append(cell.backward(d_outputs, each, d_end))
            d_outputs = gradients[-1].x
        gradients.reverse()
        return Gradients(
            x=d_outputs,
            initial=tuple(each.initial for each in gradients),
            weights=[each.weights for each in gradients],
            through_time=[each.through_time for each in gradients],
        )
