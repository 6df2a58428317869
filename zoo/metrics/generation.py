"""Scores of generative models of sequences."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from zoo.metrics.intervals import Units


def nats_per_step(scores: Sequence[dict[str, Any]]) -> float:
    """Returns the mean of -log p over all steps of all sequences.

    Args:
      scores: one dict per sequence with `log_probability`, the sum of log p over its steps, in
        nats, and `count`, their number.
    """
    steps = sum(score["count"] for score in scores)
    return -sum(score["log_probability"] for score in scores) / max(1, steps)


def nats_units(scores: Sequence[dict[str, Any]], name: str) -> Units:
    """Returns the units of `nats_per_step`: -log p and the steps of each sequence.

    Args:
      scores: as for `nats_per_step`.
      name: name of the sequences, in the plural.
    """
    from zoo.metrics.intervals import ratios

    nats = [-score["log_probability"] for score in scores]
    return ratios(name, nats, [score["count"] for score in scores])
