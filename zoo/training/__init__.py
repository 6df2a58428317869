"""Training: `zoo.train`, run folders, checkpoints, strategies.

Modules are imported on first use, so importing this package does not import TensorFlow.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from zoo.training.distillation import distil
    from zoo.training.fit import train
    from zoo.training.run import Run

__all__ = ["Run", "distil", "train"]

_LAZY = {
    "Run": "zoo.training.run",
    "distil": "zoo.training.distillation",
    "train": "zoo.training.fit",
}


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return getattr(importlib.import_module(_LAZY[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
