"""Entities as spans of the text, made of the tags of its tokens."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from recipes.tagging import metrics


def entities(text: str, answer: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Returns the entities of a tagged text, in order.

    Args:
      text: what was tagged.
      answer: `tags` (BIO) and `scores` of its tokens, and where they `start` and `end`, in
        characters.

    Returns:
      Dicts of `start` and `end` (exclusive) in characters, `label`, `text`, and `score`, the lowest
      of its tokens' probabilities.
    """
    found = []
    for first, after, label in metrics.entities(answer["tags"]):
        start, end = answer["start"][first], answer["end"][after - 1]
        found.append(
            {
                "start": start,
                "end": end,
                "label": label,
                "text": text[start:end],
                "score": min(answer["scores"][first:after]),
            }
        )
    return found
