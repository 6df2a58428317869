"""Compares generated texts with human texts."""

from __future__ import annotations

import re
from collections.abc import Sequence

from zoo.metrics.overlap import longest_overlaps
from zoo.scores import Table


def text_checks(
    generated: Sequence[str], held_out: Sequence[str], training: Sequence[str]
) -> Table:
    """Compares generated texts with texts that the network has not seen.

    Args:
      generated: texts of the network.
      held_out: texts of people.
      training: what it was trained on.

    Returns:
      For `made` and `held out`: `known_words`, the share of words (runs of letters) that occur in
      the training texts; `different_words`, the share of words that are the first of their kind;
      `longest_overlap` and `mean_overlap`, in characters: the maximum and the mean, over the
      texts, of the longest run that a training text contains literally; `texts` and
      `characters`, their numbers. Texts without words do not count in the shares.
    """
    known = {word for text in training for word in _words(text)}
    table: Table = {}
    for name, texts in (("made", generated), ("held out", held_out)):
        words = [word for text in texts for word in _words(text)]
        overlaps = longest_overlaps(texts, training)
        table[name] = {
            "known_words": sum(word in known for word in words) / max(1, len(words)),
            "different_words": len(set(words)) / max(1, len(words)),
            "longest_overlap": float(max(overlaps, default=0)),
            "mean_overlap": sum(overlaps) / max(1, len(overlaps)),
            "texts": len(texts),
            "characters": sum(map(len, texts)),
        }
    return table


def _words(text: str) -> list[str]:
    return re.findall(r"[^\W\d_]+", text.lower())
