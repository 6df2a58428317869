"""Training: `zoo.train`, run folders, checkpoints, strategies."""

from zoo.training.fit import train
from zoo.training.run import Run

__all__ = ["Run", "train"]
