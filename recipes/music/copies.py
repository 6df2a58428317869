"""Data augmentation: copies of tunes in other keys."""

from __future__ import annotations

import random
from collections import Counter

from recipes.music import abc
from zoo.data import Examples
from zoo.data.splits import SEED
from zoo.errors import ZooError


def with_copies(train: Examples, copies: int) -> Examples:
    """Adds copies of tunes in other keys of the same mode, drawn in proportion to their counts.

    The draws are the same each time. A copy with a token that no tune has, such as a note above
    or below all others, is omitted.

    Args:
      train: columns `type`, `key`, `tune` (tokens as text), and perhaps others.
      copies: maximum number of copies of each tune, all in different keys.

    Returns:
      The unchanged rows, then the copies.
    """
    read = [abc.tokens(tune) for tune in train["tune"]]
    known = {token for tokens in read for token in tokens}
    counts = Counter(train["key"])
    generator = random.Random(SEED)
    result = {name: list(values) for name, values in train.items()}
    for row, tokens in enumerate(read):
        key = train["key"][row]
        mode = key.partition(" ")[2]
        others = sorted(other for other in counts if other.endswith(f" {mode}") and other != key)
        for _ in range(min(copies, len(others))):
            # Python guarantees a reproducible sequence for `random()` only.
            threshold = generator.random() * sum(counts[other] for other in others)
            for other in others:
                threshold -= counts[other]
                if threshold < 0:
                    break
            others.remove(other)
            try:
                moved = abc.transposed(tokens, key, other)
            except ZooError:
                continue
            if known.issuperset(moved):
                for name, values in train.items():
                    result[name].append(values[row])
                result["key"][-1] = other
                result["tune"][-1] = abc.join(moved)
    return result
