"""What happens inside the recurrent layers of a trained model: gradients, gates, states."""

from zoo.inspection.look import WHAT, inspect

__all__ = ["WHAT", "inspect"]
