"""How much of what was made stands word for word in what was learnt from."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import numpy as np


def longest_overlaps(
    pieces: Sequence[Sequence[Hashable]], training: Sequence[Sequence[Hashable]]
) -> list[int]:
    """Returns, for each piece, its longest run that occurs in a training piece.

    Args:
      pieces: sequences of anything that can be hashed: characters, tokens, words.
      training: sequences of the same.

    Returns:
      The lengths of the runs, 0 where no item of a piece occurs.
    """
    return [int(lengths.max(initial=0)) for lengths in matches(pieces, training)]


def matches(
    pieces: Sequence[Sequence[Hashable]], training: Sequence[Sequence[Hashable]]
) -> list[np.ndarray]:
    """Returns, for each place of each piece, how long a run from there occurs in `training`.

    All runs of the length 2^k are numbered by prefix doubling (Manber & Myers 1993, "Suffix
    Arrays"): equal runs get equal numbers, in the order of their contents. The run that has most in
    common with a given one then is its neighbour in that order, and what they have in common is
    added up from the powers of two. Exact, and a few sorts of the whole training set long.

    Returns:
      For each piece int `(items,)`.
    """
    if not training:
        return [np.zeros(len(piece), int) for piece in pieces]
    text, starts = _numbered([*training, *pieces])
    border = starts[len(training)]  # the first place of the pieces
    ranks = [text]
    while True:
        width = 1 << (len(ranks) - 1)
        last = ranks[-1]
        if not np.isin(last[border:], last[:border]).any():
            break  # no run of this length occurs
        # What follows the end is below all else, and no run of a piece gets there uncut.
        following = np.zeros_like(last)
        following[:-width] = last[width:] + 1
        pairs = last * (int(following.max()) + 1) + following
        ranks.append(np.unique(pairs, return_inverse=True)[1].reshape(-1))
    order = np.argsort(ranks[-1][:border])
    places = np.arange(border, len(text))
    after = np.searchsorted(ranks[-1][order], ranks[-1][border:])
    best = np.maximum(
        *(
            _common(ranks, places, order[np.clip(side, 0, border - 1)])
            for side in (after - 1, after)
        )
    )
    return [
        best[start - border : start - border + len(piece)]
        for start, piece in zip(starts[len(training) : -1], pieces, strict=True)
    ]


def _common(ranks: list[np.ndarray], first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Returns how many items the runs from `first` and from `second` have in common."""
    size = len(ranks[0])
    common = np.zeros(len(first), int)
    for level in reversed(range(len(ranks))):
        here, there = first + common, second + common
        inside = (here < size) & (there < size)
        equal = (
            ranks[level][np.minimum(here, size - 1)] == ranks[level][np.minimum(there, size - 1)]
        )
        common += np.where(inside & equal, 1 << level, 0)
    return common


def _numbered(sequences: Sequence[Sequence[Hashable]]) -> tuple[np.ndarray, list[int]]:
    """Returns the sequences as numbers, one after the other, and where each begins, and the end.

    Each is followed by a number of its own, so that no run reaches beyond it.
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
