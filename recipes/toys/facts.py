"""What networks for learners are for, from their data: sentences for the model card."""

from __future__ import annotations

from zoo.data import facts
from zoo.data.splits import Splits


def of_numbers(splits: Splits) -> list[str]:
    """Returns what is known of a network for the adding problem."""
    made = "The rows are made by a random generator."
    return [
        "It adds two marked numbers of many, and is for seeing how far back a cell remembers. "
        + facts.origin(splits, {"made": made}),
        facts.spread(map(len, splits.train["numbers"]), "training rows", "steps"),
        "Numbers below 0 or above 1, or more than two marked ones, were never seen.",
    ]


def of_images(splits: Splits) -> list[str]:
    """Returns what is known of a network for small pictures."""
    scans = "The pictures are scanned digits that a few dozen people wrote, one each, 8×8 pixels."
    return [
        f"It tells which digit a small picture shows. {facts.origin(splits, {'sklearn': scans})}",
        facts.classes(splits.train["label"]),
        "Photographs, several digits in a picture and signs that are no digit were never seen.",
    ]
