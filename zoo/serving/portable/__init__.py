"""Models for machines without TensorFlow: ONNX and LiteRT, including the text preprocessing.

`recurrent` and `operations` convert the parts of a network to ONNX, `onnx_graph` assembles them
with `writer`; `litert` converts to LiteRT; `bundle` writes a folder. `reader.py`, `reader.js` and
`reader.h` read that folder, and need neither TensorFlow nor this package.

Importing this package imports nothing heavy.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    from zoo.serving.portable.reader import Model


def load(path: str | Path, threads: int = 1) -> Model:
    """Loads an export in ONNX or LiteRT, without TensorFlow.

    Args:
      path: the file `model.onnx` or `model.tflite`, its folder, or the folder of its versions.
      threads: number of threads per prediction.

    Returns:
      A model with `predict(texts)` and `run(**arrays)`; ONNX models can be shared between threads,
      LiteRT models cannot.

    Raises:
      FileNotFoundError: there is no such file.
      ModuleNotFoundError: `onnxruntime` or `ai-edge-litert` is not installed.
    """
    from zoo.serving.portable import reader

    return reader.load(path, threads, _installed)


def _installed(kind: str) -> Any:
    """Returns the module of an installed recipe that reads a kind of text; None if none does."""
    import importlib

    from zoo.registry import recipes

    for recipe in recipes().values():
        if recipe.reader_name == kind:
            return importlib.import_module(recipe.reader)
    return None
