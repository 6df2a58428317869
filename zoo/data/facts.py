"""Describes datasets in sentences for model cards: see `zoo.data.declaration.Declaration.facts`.

Light: importing this module imports neither TensorFlow nor NumPy.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from zoo.data.splits import Splits

SHOWN = 12  # maximum number of classes listed with their numbers of rows


def spread(sizes: Iterable[int], what: str, unit: str) -> str:
    """Returns a sentence on the lengths of rows: the middle half, and the longest.

    Args:
      sizes: of the rows; at least one.
      what: the rows, such as `"training texts"`.
      unit: of the sizes, such as `"words"`.
    """
    ordered = sorted(sizes)
    low, high = (ordered[int(share * (len(ordered) - 1))] for share in (0.25, 0.75))
    if ordered[0] == ordered[-1]:
        return f"All {what} have {low:,} {unit}."
    middle = f"{low:,} to {high:,}" if low < high else f"{low:,}"
    return f"Half of the {what} have {middle} {unit}; the longest has {ordered[-1]:,}."


def words(texts: Iterable[str], what: str = "training texts") -> str:
    """Returns a sentence on the lengths of texts, in words between spaces."""
    return spread((len(text.split()) for text in texts), what, "words")


def classes(values: Sequence[str]) -> str:
    """Returns the classes of training rows with their numbers of rows, most frequent first."""
    counts = sorted(Counter(values).items(), key=lambda item: (-item[1], item[0]))
    shown = ", ".join(f"{name} {rows:,}" for name, rows in counts[:SHOWN])
    more = f" and {len(counts) - SHOWN:,} more" if len(counts) > SHOWN else ""
    return f"It knows {len(counts):,} classes, with their training rows: {shown}{more}."


def origin(splits: Splits, known: Mapping[str, str]) -> str:
    """Returns a sentence on the origin of the rows.

    Args:
      known: maps the key of each source to a sentence on it.
    """
    if splits.custom:
        return f"It was trained on custom data: {splits.title}."
    if splits.source == "sample":
        return "It was trained on a few invented rows, only to try out the commands."
    return known[splits.source]
