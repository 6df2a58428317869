"""Standard scores, each computed by its reference library."""

from zoo.metrics.classification import classification
from zoo.metrics.intervals import wilson_interval
from zoo.metrics.overlap import longest_overlaps

__all__ = [
    "classification",
    "longest_overlaps",
    "wilson_interval",
]
