"""The scores that the field quotes, each by the library that the field takes for its reference."""

from zoo.metrics.classification import classification, wilson_interval
from zoo.metrics.entities import entities, entity_scores
from zoo.metrics.music import frame_checks, repeated_share
from zoo.metrics.overlap import longest_overlaps
from zoo.metrics.translation import detokenised, moses, translation

__all__ = [
    "classification",
    "detokenised",
    "entities",
    "entity_scores",
    "frame_checks",
    "longest_overlaps",
    "moses",
    "repeated_share",
    "translation",
    "wilson_interval",
]
