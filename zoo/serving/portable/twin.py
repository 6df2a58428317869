"""A classifier's ONNX or LiteRT export, which `zoo predict` asks instead of TensorFlow.

Importing TensorFlow takes seconds, an answer milliseconds. An export answers at once; so does a
packed model once it has been exported: a copy is kept in the cache, by the checksum of the pack.

This module imports nothing heavy.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
from pathlib import Path
from typing import Any

from zoo import files, quiet
from zoo.errors import ZooError, first_line
from zoo.manifest import manifest_entry
from zoo.registry import recipes
from zoo.serving.find import versions_in

ENGINES = {"model.onnx": "onnxruntime", "model.tflite": "ai_edge_litert"}
PART = 64  # texts that are answered together
KEPT = (*ENGINES, "model.json")


def find_twin(model: str) -> Path | None:
    """Returns the folder of an export that answers for a model; None where there is none.

    Args:
      model: as for `zoo.load`: an export in ONNX or LiteRT, or a packed model that was exported.

    Returns:
      A folder whose engine is installed here, of a model that classifies texts.
    """
    folder = cached(model) if model in recipes() else _newest(model)
    if folder is None or not (folder / "model.json").is_file():
        return None
    about = files.read_object(folder / "model.json")
    if not about.get("labels") or not about.get("tokenizer"):
        return None
    for name, package in ENGINES.items():
        if (folder / name).exists() and importlib.util.find_spec(package) is not None:
            return folder
    return None


def is_portable(folder: Path) -> bool:
    """Whether a folder is an export in ONNX or LiteRT."""
    return any((folder / name).exists() for name in ENGINES)


def cached(name: str) -> Path | None:
    """Returns where the twin of a packed model is kept; None of a model that is not packed."""
    entry = manifest_entry(recipes()[name])
    return None if entry is None else files.home() / "twins" / f"{name}-{entry['sha256'][:16]}"


def keep(name: str, version: Path) -> None:
    """Keeps a copy of the export of a packed model, if there is none."""
    folder = cached(name)
    if folder is None or folder.is_dir():
        return
    with files.atomic_write(folder) as temporary:
        temporary.mkdir(parents=True)
        for path in (version / each for each in KEPT):
            if path.exists():
                shutil.copy(path, temporary / path.name)


def answers(folder: Path, texts: list[str]) -> list[dict[str, Any]]:
    """Returns what a twin answers, as `Predictor.predict` does."""
    from zoo.serving.portable import load

    try:
        model = load(folder)
    except Exception as error:  # of types that the engines do not publish
        raise ZooError(
            f"{folder} is damaged or of another version ({first_line(error)}). Export it again."
        ) from error
    order = sorted(range(len(texts)), key=lambda row: len(texts[row]))
    found: dict[int, dict[str, Any]] = {}
    for start in range(0, len(order), PART):
        rows = order[start : start + PART]
        with quiet.silent_stderr():  # LiteRT writes there which delegate it takes
            predicted = model.predict([texts[row] for row in rows])
        found.update(zip(rows, predicted, strict=True))
    return [dict(sorted(found[row].items())) for row in range(len(texts))]


def _newest(model: str) -> Path | None:
    if not os.path.isdir(model):  # unlike Path.is_dir, also False for what can be no path
        return None
    folder = Path(model)
    versions = versions_in(folder)
    return versions[max(versions)] if versions else folder
