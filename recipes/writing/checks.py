"""Compares generated texts with human-written texts."""

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
      generated: texts that the network generated.
      held_out: human-written texts.
      training: the texts that the network was trained on.

    Returns:
      For `made` and `held out`: `known_words`, the fraction of words (runs of letters) that occur
      in the training texts; `different_words`, the number of distinct words divided by the number
      of words; `longest_overlap` and `mean_overlap`, in characters: the maximum and the mean, over
      the texts, of the longest run that a training text contains verbatim; `texts` and
      `characters`, their counts. Texts without words do not affect the fractions.
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
