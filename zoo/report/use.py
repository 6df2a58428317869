"""Intended use and limits of a model: a part of its card, from what a run has learnt."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

HEADING = "## Intended use and limits"
MEASURE = (
    "Expect lower scores on other kinds of input; `zoo evaluate MODEL --data your.csv` measures "
    "them."
)


def use_lines(use: Mapping[str, Any], data: Mapping[str, Any], warning: str = "") -> list[str]:
    """Returns the lines on intended use and limits for a card, Markdown.

    Args:
      use: the content of `use.json`; empty if a run has none.
      data: the content of `data.json`.
      warning: the warning of the recipe.
    """
    rows = data["rows"]
    sentences = [
        *use.get("use", []),
        f"It was trained on {rows['train']:,} rows of {data['title']}. The epoch was chosen on "
        f"{rows['validation']:,} validation rows; the scores are those of {rows['test']:,} test "
        f"rows. Licence of the data: {data['licence'] or 'your own data'}.",
        *_unusual(use.get("novelty", {})),
        MEASURE,
        *([warning] if warning else []),
    ]
    return [HEADING, "", *(f"- {sentence}" for sentence in sentences)]


def _unusual(learnt: Mapping[str, Any]) -> list[str]:
    """Returns a sentence on which rows are marked as unusual."""
    if not learnt:
        return []
    limits = learnt["limits"]
    if not limits:
        return [
            f"There were too few validation rows ({learnt['rows']:,}) to learn which rows are "
            "unusual, so answers are marked `unusual` by a fixed limit."
        ]
    one = len(limits) == 1
    named = " or ".join(f"`{name}` is beyond {value:.3g}" for name, value in sorted(limits.items()))
    return [
        f"An answer is marked `unusual` where {named}. {learnt['share']:.0%} of "
        f"{learnt['rows']:,} validation rows are within {'this limit' if one else 'these limits'}."
    ]
