"""Inspection of the recurrent layers of a trained model: gradients, gates, states."""

from zoo.inspection.summarize import influence, inspect

__all__ = ["influence", "inspect"]
