"""Tunes in other keys: more of them to learn from."""

from __future__ import annotations

import random
from collections import Counter

from recipes.music import abc
from zoo.data import Examples
from zoo.data.splits import SEED
from zoo.errors import ZooError


def with_copies(train: Examples, copies: int) -> Examples:
    """Adds copies of tunes in other keys of the same mode, drawn by how many tunes are in each.

    The draws are the same each time. A copy that needs a sign that no tune has, such as a note
    above or below all others, is left out.

    Args:
      train: columns `type`, `key`, `tune` (tokens as text), perhaps others.
      copies: of each tune, in different keys, at most.

    Returns:
      The rows as they are, and the copies behind them.
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
            # `random()` is the one method whose sequence Python promises to keep.
            place = generator.random() * sum(counts[other] for other in others)
            for other in others:
                place -= counts[other]
                if place < 0:
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
