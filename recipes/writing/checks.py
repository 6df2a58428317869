"""Checks of generated texts beside texts by people."""

from __future__ import annotations

import re
from collections.abc import Sequence

from zoo.metrics.overlap import longest_overlaps
from zoo.scores import Table


def text_checks(made: Sequence[str], held_out: Sequence[str], training: Sequence[str]) -> Table:
    """Compares texts that a network made with texts that it has not seen.

    Args:
      made: what it made.
      held_out: texts of people.
      training: what it was trained on.

    Returns:
      For `made` and `held out`: `known_words`, the share of words (runs of letters) that occur in
      the training texts; `different_words`, the share of words that are the first of their kind;
      `longest_overlap` and `mean_overlap`, in characters: the greatest and the mean, over the
      texts, of the longest run that stands in a training text word for word; `texts` and
      `characters`, their numbers. Texts without words are left out of the shares.
    """
    known = {word for text in training for word in _words(text)}
    found: Table = {}
    for name, texts in (("made", made), ("held out", held_out)):
        words = [word for text in texts for word in _words(text)]
        overlaps = longest_overlaps(texts, training)
        found[name] = {
            "known_words": sum(word in known for word in words) / max(1, len(words)),
            "different_words": len(set(words)) / max(1, len(words)),
            "longest_overlap": float(max(overlaps, default=0)),
            "mean_overlap": sum(overlaps) / max(1, len(overlaps)),
            "texts": len(texts),
            "characters": sum(map(len, texts)),
        }
    return found


def _words(text: str) -> list[str]:
    return re.findall(r"[^\W\d_]+", text.lower())
