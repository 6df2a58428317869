"""Inference with trained models: signatures, predictor, evaluation, export.

Everything here is imported when it is first used: importing this package imports no TensorFlow.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from zoo.serving.evaluation import evaluate
    from zoo.serving.predictor import Predictor, load
    from zoo.serving.signatures import Served

__all__ = ["Predictor", "Served", "evaluate", "load"]

_LAZY = {
    "Predictor": "zoo.serving.predictor",
    "Served": "zoo.serving.signatures",
    "evaluate": "zoo.serving.evaluation",
    "load": "zoo.serving.predictor",
}


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return getattr(importlib.import_module(_LAZY[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
