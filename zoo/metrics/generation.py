"""What a network thinks of sequences that people made, and what it makes itself."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    pass


def nats_per_step(scores: Sequence[dict[str, Any]]) -> float:
    """Returns the mean of -log p over all steps of all sequences.

    Args:
      scores: a dict a sequence with `log_probability`, the sum of log p over its steps, in nats,
        and `count`, their number.
    """
    steps = sum(score["count"] for score in scores)
    return -sum(score["log_probability"] for score in scores) / max(1, steps)
