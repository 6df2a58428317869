"""Inspection of the recurrent layers of a trained model: gradients, gates, states."""

from zoo.inspection.summarize import inspect

__all__ = ["inspect"]
