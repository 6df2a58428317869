"""What a model is for, and where its limits are: a part of its card, from what a run has learnt."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from zoo.errors import ZooError

HEADING = "## Intended use and limits"
EARLIER = "## What it is for"  # in cards that were made before
MEASURE = (
    "Expect lower scores on other kinds of input; `zoo evaluate MODEL --data your.csv` measures "
    "them."
)


def use_lines(use: Mapping[str, Any], data: Mapping[str, Any], warning: str = "") -> list[str]:
    """Returns the part of a card, lines of Markdown.

    Args:
      use: the content of `use.json`; empty for a run that has none.
      data: that of `data.json`.
      warning: the recipe's own.
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
    """Returns a sentence on the rows that answers mark as unusual."""
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


def with_use(card: str, use: Mapping[str, Any], path: Path) -> str:
    """Returns a card that was made before cards had this part, with it.

    Args:
      card: Markdown.
      use: what is known of the use of the model.
      path: of the file that says so, for messages.

    Raises:
      ZooError: the file is damaged.
    """
    if not use or HEADING in card or EARLIER not in card:
        return card
    sentences = use.get("use", [])
    learnt = use.get("novelty", {})
    try:
        lines = [*sentences, *_unusual(learnt)]
        before, _, after = card.rpartition(EARLIER)
        old = after.strip().split("\n\n")
        return "\n".join([f"{before}{HEADING}", "", *(f"- {line}" for line in [*lines, *old]), ""])
    except (LookupError, TypeError, ValueError) as error:
        raise ZooError(f"{path} is damaged ({error}). Restore it.") from error
