"""Sentences for the model card on the use of tutorial networks, from their data."""

from __future__ import annotations

from zoo.data import facts
from zoo.data.splits import Splits


def of_numbers(splits: Splits) -> list[str]:
    """Returns the sentences for a network that solves the adding problem."""
    made = "The rows are random numbers."
    return [
        "It adds two marked numbers in a sequence. It shows how far back a cell remembers. "
        + facts.origin(splits, {"made": made}),
        facts.spread(map(len, splits.train["numbers"]), "training rows", "steps"),
        "It has seen no numbers below 0 or above 1, and never more than two marked numbers.",
    ]


def of_images(splits: Splits) -> list[str]:
    """Returns the sentences for a classifier of small images."""
    scans = "The pictures are scanned digits of 8×8 pixels, one each, by a few dozen writers."
    return [
        f"It recognises the digit in a small picture. {facts.origin(splits, {'sklearn': scans})}",
        facts.classes(splits.train["label"]),
        "It has seen no photographs, no pictures of several digits, and no other characters.",
    ]
