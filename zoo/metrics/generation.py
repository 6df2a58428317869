"""Scores of generative models of sequences."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


def nats_per_step(scores: Sequence[dict[str, Any]]) -> float:
    """Returns the mean of -log p over all steps of all sequences.

    Args:
      scores: one dict per sequence with `log_probability`, the sum of log p over its steps, in
        nats, and `count`, their number.
    """
    steps = sum(score["count"] for score in scores)
    return -sum(score["log_probability"] for score in scores) / max(1, steps)
