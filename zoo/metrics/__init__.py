"""The scores that the field quotes, each by the library that the field takes for its reference."""

from zoo.metrics.classification import classification, wilson_interval

__all__ = ["classification", "wilson_interval"]
