"""Verbatim overlaps of generated sequences with training data."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import numpy as np


def longest_overlaps(
    generated: Sequence[Sequence[Hashable]], training: Sequence[Sequence[Hashable]]
) -> list[int]:
    """Returns, for each generated sequence, the length of its longest run in a training sequence.

    Args:
      generated: sequences of hashable items: characters, tokens, words.
      training: sequences of items of the same kind.

    Returns:
      The lengths of the runs, 0 where no item of a sequence occurs.
    """
    return [int(lengths.max(initial=0)) for lengths in match_lengths(generated, training)]


def match_lengths(
    generated: Sequence[Sequence[Hashable]], training: Sequence[Sequence[Hashable]]
) -> list[np.ndarray]:
    """Returns, for each position, the length of the longest run from there that is in `training`.

    All runs of the length 2^k are numbered by prefix doubling (Manber & Myers 1993, "Suffix
    Arrays"): equal runs get equal numbers, in the order of their contents. The training run with
    the longest common prefix is then a neighbour in that order, and the length of the prefix is a
    sum of powers of two. The result is exact. The time is that of a few sorts of the training set.

    Returns:
      For each generated sequence int `(items,)`.
    """
    if not training:
        return [np.zeros(len(sequence), int) for sequence in generated]
    text, starts = _numbered([*training, *generated])
    border = starts[len(training)]  # the first position of the generated sequences
    ranks = [text]
    while True:
        width = 1 << (len(ranks) - 1)
        last = ranks[-1]
        if not np.isin(last[border:], last[:border]).any():
            break  # no run of this length occurs
        # Behind the end is 0, below all numbers; no run of a generated sequence extends over it.
        following = np.zeros_like(last)
        following[:-width] = last[width:] + 1
        pairs = last * (int(following.max()) + 1) + following
        ranks.append(np.unique(pairs, return_inverse=True)[1].reshape(-1))
    order = np.argsort(ranks[-1][:border])
    positions = np.arange(border, len(text))
    after = np.searchsorted(ranks[-1][order], ranks[-1][border:])
    best = np.maximum(
        *(
            _common_lengths(ranks, positions, order[np.clip(side, 0, border - 1)])
            for side in (after - 1, after)
        )
    )
    return [
        best[start - border : start - border + len(sequence)]
        for start, sequence in zip(starts[len(training) : -1], generated, strict=True)
    ]


def _common_lengths(ranks: list[np.ndarray], first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Returns the lengths of the common prefixes of the runs from `first` and from `second`."""
    size = len(ranks[0])
    common = np.zeros(len(first), int)
    for level in reversed(range(len(ranks))):
        left, right = first + common, second + common
        inside = (left < size) & (right < size)
        equal = (
            ranks[level][np.minimum(left, size - 1)] == ranks[level][np.minimum(right, size - 1)]
        )
        common += np.where(inside & equal, 1 << level, 0)
    return common


def _numbered(sequences: Sequence[Sequence[Hashable]]) -> tuple[np.ndarray, list[int]]:
    """Returns the concatenated sequences as numbers, and the start of each and the end.

    Each sequence is followed by a unique number, so that no run extends beyond it.
    """
    numbers: dict[Hashable, int] = {}
    text: list[int] = []
    starts = []
    for sequence in sequences:
        starts.append(len(text))
        text.extend(numbers.setdefault(item, len(numbers)) for item in sequence)
        text.append(-1)
    starts.append(len(text))
    array = np.asarray(text, np.int64)
    cuts = np.flatnonzero(array == -1)
    array[cuts] = len(numbers) + np.arange(len(cuts))
    return array, starts
