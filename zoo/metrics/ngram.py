"""n-gram models of sequences of ids: they predict an id from a few preceding ids."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

Context = tuple[int, ...]


class NGram:
    """Interpolated Kneser–Ney smoothing, with one discount per order.

        p(w | c) = (max(n(c w) - D, 0) + D * kinds(c) * p(w | c')) / n(c)

    where c' is c without its first id, kinds(c) the number of different ids seen after c, and D =
    n1 / (n1 + 2 n2) of the numbers of n-grams seen once and twice. Below the highest order, n(c w)
    counts the different ids seen before c w instead. Where c is unknown, p(w | c) is p(w | c').
    The lowest order is the uniform distribution. (R. Kneser, H. Ney: Improved Backing-Off for
    M-Gram Language Modeling, ICASSP 1995; S. Chen, J. Goodman: An Empirical Study of Smoothing
    Techniques for Language Modeling, 1999.)

    NLTK's `KneserNeyInterpolated` has the same formula, but takes hours for a million characters.

    Args:
      order: number of ids of an n-gram, including the predicted one.
      size: number of ids; they are 1 … size, because 0 is padding.
    """

    def __init__(self, order: int, size: int) -> None:
        self.order, self.size = order, size
        self._after: list[dict[Context, Counter[int]]] = []
        self._totals: list[dict[Context, int]] = []
        self._discounts: list[float] = []

    def fit(self, sequences: Sequence[Sequence[int] | np.ndarray]) -> NGram:
        """Counts the n-grams of the sequences. No n-gram crosses the border of two sequences.

        Args:
          sequences: ids from 1 to `size`: lists of int, or int `(time,)`.
        """
        highest: list[Counter[Context]] = [Counter() for _ in range(self.order)]
        for sequence in sequences:
            ids = tuple(sequence)
            for length in range(1, self.order + 1):
                highest[length - 1].update(
                    ids[end - length : end] for end in range(length, len(ids) + 1)
                )
        for length in range(1, self.order + 1):
            grams = highest[length - 1]
            if length < self.order:
                # Number of different ids seen before the n-gram. At the start of a sequence there
                # is none, which counts as one.
                continued = Counter(gram[1:] for gram in highest[length])
                grams = Counter({gram: continued[gram] or 1 for gram in grams})
            after: dict[Context, Counter[int]] = defaultdict(Counter)
            for gram, count in grams.items():
                after[gram[:-1]][gram[-1]] = count
            once = sum(count == 1 for count in grams.values())
            twice = sum(count == 2 for count in grams.values())
            self._after.append(dict(after))
            self._totals.append({context: sum(c.values()) for context, c in after.items()})
            self._discounts.append(once / (once + 2 * twice) if once else 0.5)
        return self

    def _levels(self, context: Sequence[int]) -> Iterator[tuple[Counter[int], float, int]]:
        """Yields next-id counts, discount and total of known suffixes of a context, short first."""
        for length in range(min(self.order, len(context) + 1)):
            key = tuple(context[len(context) - length :])
            after = self._after[length].get(key)
            if after is None:
                return
            yield after, self._discounts[length], self._totals[length][key]

    def probability(self, context: Sequence[int], following: int) -> float:
        """Returns p(following | context)."""
        probability = 1 / self.size
        for after, discount, total in self._levels(context):
            seen = max(after[following] - discount, 0.0) if following in after else 0.0
            probability = (seen + discount * len(after) * probability) / total
        return probability

    def distribution(self, context: Sequence[int]) -> np.ndarray:
        """Returns p(id | context) for all ids, float64 `(size + 1,)`; 0 for padding."""
        import numpy as np

        probabilities = np.full(self.size + 1, 1 / self.size)
        probabilities[0] = 0.0
        for after, discount, total in self._levels(context):
            probabilities *= discount * len(after) / total
            discounted = np.maximum(np.array([*after.values()]) - discount, 0.0)
            probabilities[list(after)] += discounted / total
        return probabilities

    def nats(
        self, sequences: Sequence[Sequence[int] | np.ndarray], skip: int = 0
    ) -> tuple[float, int]:
        """Returns the sum of `nats_of_each`, and the number of scored ids."""
        each = self.nats_of_each(sequences, skip)
        return sum(nats for nats, _ in each), sum(count for _, count in each)

    def nats_of_each(
        self, sequences: Sequence[Sequence[int] | np.ndarray], skip: int = 0
    ) -> list[tuple[float, int]]:
        """Returns the cross-entropy of each sequence.

        Args:
          sequences: ids from 1 to `size`: lists of int, or int `(time,)`.
          skip: number of first ids of each sequence that are context, not scored.

        Returns:
          The sum of -log p over the scored ids, in nats, and their number.
        """
        found, before = [], self.order - 1
        for sequence in sequences:
            ids, total = tuple(sequence), 0.0
            for position in range(skip, len(ids)):
                context = ids[max(0, position - before) : position]
                total -= math.log(self.probability(context, ids[position]))
            found.append((total, max(len(ids) - skip, 0)))
        return found

    def sample(
        self, prefix: Sequence[int], steps: int, generator: np.random.Generator, end: int = 0
    ) -> list[int]:
        """Samples ids that continue a prefix, until `end` (not returned) or `steps` ids."""
        import numpy as np

        ids = list(prefix)
        while len(ids) < len(prefix) + steps:
            probabilities = self.distribution(ids[max(0, len(ids) - self.order + 1) :])
            drawn = int(
                np.searchsorted(np.cumsum(probabilities), generator.random() * probabilities.sum())
            )
            if drawn == end:
                break
            ids.append(min(drawn, self.size))
        return ids[len(prefix) :]
