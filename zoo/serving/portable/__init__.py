"""Models for machines without TensorFlow: ONNX and LiteRT, with the text preprocessing beside.

`recurrent` and `operations` say what each part of a network is in ONNX, `onnx_graph` puts them
together with `writer`; `litert` converts for LiteRT; `bundle` writes a folder. `reader.py`,
`reader.js` and `reader.h` read that folder, and need neither TensorFlow nor this package.

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
      path: of the file `model.onnx` or `model.tflite`, of its folder, or of the folder of its
        versions.
      threads: that compute an answer.

    Returns:
      A model with `predict(texts)` and `run(**arrays)`; it is safe to share between threads in
      ONNX, not in LiteRT.

    Raises:
      FileNotFoundError: there is no such file.
      ModuleNotFoundError: `onnxruntime` or `ai-edge-litert` is not installed.
    """
    from zoo.serving.portable import reader

    return reader.load(path, threads, _installed)


def _installed(kind: str) -> Any:
    """Returns the module of the recipes that are installed here that reads a kind of text."""
    import importlib

    from zoo.registry import recipes

    for recipe in recipes().values():
        if recipe.reader_name == kind:
            return importlib.import_module(recipe.reader)
    return None
