"""The scores that the field quotes, each by the library that the field takes for its reference."""

from zoo.metrics.classification import classification, wilson_interval
from zoo.metrics.overlap import longest_overlaps

__all__ = [
    "classification",
    "longest_overlaps",
    "wilson_interval",
]
