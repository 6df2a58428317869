"""n-gram models of sequences of ids: what a few ids before tell about the next one."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

Context = tuple[int, ...]


class NGram:
    """Interpolated Kneser–Ney smoothing, with one discount an order.

        p(w | c) = (max(n(c w) - D, 0) + D * kinds(c) * p(w | c')) / n(c)

    where c' is c without its first id, kinds(c) the number of different ids seen after c, and D =
    n1 / (n1 + 2 n2) of the numbers of n-grams seen once and twice. Below the highest order, n(c w)
    counts the different ids seen before c w instead. Where c is unknown, p(w | c) is p(w | c'),
    and below all stands the uniform distribution. (R. Kneser, H. Ney: Improved Backing-Off for
    M-Gram Language Modeling, ICASSP 1995; S. Chen, J. Goodman: An Empirical Study of Smoothing
    Techniques for Language Modeling, 1999.)

    NLTK's `KneserNeyInterpolated` has the same formula, and takes hours for a million characters.

    Args:
      order: ids of an n-gram, the predicted one included.
      size: number of ids; they are 1 … size, for 0 is padding.
    """

    def __init__(self, order: int, size: int) -> None:
        self.order, self.size = order, size
        self._after: list[dict[Context, Counter[int]]] = []
        self._totals: list[dict[Context, int]] = []
        self._discounts: list[float] = []

    def fit(self, sequences: Sequence[Sequence[int] | np.ndarray]) -> NGram:
        """Counts the n-grams of the sequences, none of which crosses a border of two.

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
                # How many different ids were seen before it; at the front of a sequence there is
                # none, which counts for one.
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
        """Yields the counts after ever longer ends of a context, their discount, their sum."""
        for length in range(min(self.order, len(context) + 1)):
            key = tuple(context[len(context) - length :])
            after = self._after[length].get(key)
            if after is None:
                return
            yield after, self._discounts[length], self._totals[length][key]

    def probability(self, context: Sequence[int], following: int) -> float:
        """Returns p(following | context)."""
        found = 1 / self.size
        for after, discount, total in self._levels(context):
            seen = max(after[following] - discount, 0.0) if following in after else 0.0
            found = (seen + discount * len(after) * found) / total
        return found

    def distribution(self, context: Sequence[int]) -> np.ndarray:
        """Returns p(id | context) of all ids, float64 `(size + 1,)`; of padding it is 0."""
        import numpy as np

        found = np.full(self.size + 1, 1 / self.size)
        found[0] = 0.0
        for after, discount, total in self._levels(context):
            found *= discount * len(after) / total
            found[list(after)] += np.maximum(np.array([*after.values()]) - discount, 0.0) / total
        return found

    def nats(
        self, sequences: Sequence[Sequence[int] | np.ndarray], skip: int = 0
    ) -> tuple[float, int]:
        """Scores sequences.

        Args:
          sequences: ids from 1 to `size`: lists of int, or int `(time,)`.
          skip: first ids of each that are given, not scored.

        Returns:
          The sum of -log p over all scored ids, in nats, and how many they are.
        """
        total, count, before = 0.0, 0, self.order - 1
        for sequence in sequences:
            ids = tuple(sequence)
            for place in range(skip, len(ids)):
                context = ids[max(0, place - before) : place]
                total -= math.log(self.probability(context, ids[place]))
                count += 1
        return total, count

    def sample(
        self, prefix: Sequence[int], steps: int, generator: np.random.Generator, end: int = 0
    ) -> list[int]:
        """Draws ids that go on from a prefix, until `end` (not returned) or `steps` of them."""
        import numpy as np

        ids = list(prefix)
        while len(ids) < len(prefix) + steps:
            shares = self.distribution(ids[max(0, len(ids) - self.order + 1) :])
            drawn = int(np.searchsorted(np.cumsum(shares), generator.random() * shares.sum()))
            if drawn == end:
                break
            ids.append(min(drawn, self.size))
        return ids[len(prefix) :]
