"""A classifier's ONNX or LiteRT export, which `zoo predict` asks instead of TensorFlow.

Importing TensorFlow takes seconds, an answer milliseconds. An export answers at once; so does a
packed model once it has answered or has been exported: a twin is kept in the cache, by the checksum
of the pack and the version of this package.

This module imports nothing heavy.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from zoo import files, quiet
from zoo._version import __version__
from zoo.errors import ZooError, first_line
from zoo.manifest import manifest_entry
from zoo.registry import recipes
from zoo.serving.find import versions_in


class Engine(NamedTuple):
    """What computes a format.

    Attributes:
      file: the network.
      package: that runs it, as Python imports it.
      title: its name.
    """

    file: str
    package: str
    title: str


ENGINES = {
    "onnx": Engine("model.onnx", "onnxruntime", "ONNX Runtime"),
    "litert": Engine("model.tflite", "ai_edge_litert", "LiteRT"),
}
REVISION = 2  # of what a twin holds: those of an earlier one are not used
PART = 64  # texts that are answered together
KEPT = (*(engine.file for engine in ENGINES.values()), "model.json")
TOLERANCE = 1e-5  # between the probabilities of a twin and of the graph


def find_twin(model: str, formats: Sequence[str] = tuple(ENGINES)) -> tuple[Path, str] | None:
    """Finds an export that answers for a model.

    Args:
      model: as for `zoo.load`: an export in ONNX or LiteRT, or a packed model that has a twin.
      formats: of `ENGINES`, in the order in which they are looked for.

    Returns:
      A folder and its format, of a model that classifies texts, whose engine is installed here;
      None where there is none.
    """
    exported = None if model in recipes() else _newest(model)
    for name in formats:
        folder = cached(model, name) if model in recipes() else exported
        if folder is not None and (folder / ENGINES[name].file).exists() and is_installed(name):
            if not (folder / "model.json").is_file():
                continue
            about = files.read_object(folder / "model.json")
            if about.get("labels") and about.get("tokenizer"):
                return folder, name
    return None


def is_installed(name: str) -> bool:
    """Whether the engine of a format can be imported here."""
    return importlib.util.find_spec(ENGINES[name].package) is not None


def is_portable(folder: Path) -> bool:
    """Whether a folder is an export in ONNX or LiteRT."""
    return any((folder / engine.file).exists() for engine in ENGINES.values())


def cached(name: str, format: str) -> Path | None:
    """Returns where the twin of a packed model is kept; None of a model that is not packed."""
    entry = manifest_entry(recipes()[name])
    if entry is None:
        return None
    key = f"{name}-{entry['sha256'][:16]}-{__version__}-{REVISION}-{format}"
    return files.home() / "twins" / key


def keep(name: str, version: Path, format: str) -> None:
    """Keeps a copy of the export of a packed model, if there is none."""
    folder = cached(name, format)
    if folder is None or folder.is_dir():
        return
    try:
        with files.atomic_write(folder) as temporary:
            temporary.mkdir(parents=True)
            for path in (version / each for each in KEPT):
                if path.exists():
                    shutil.copy(path, temporary / path.name)
    except ZooError:
        if not folder.is_dir():  # another process was faster
            raise


def limits(folder: Path) -> dict[str, float]:
    """Returns beyond which limits a row is unusual, by the name of an output."""
    about = files.read_object(folder / "model.json").get("novelty")
    return {"novelty": about["limit"]} if about else {}


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


def agrees(found: Sequence[dict[str, Any]], due: Sequence[dict[str, Any]]) -> bool:
    """Whether a twin answers as the graph does: the same classes, and probabilities to 1e-5."""
    return all(
        mine["label"] == theirs["label"]
        and all(
            abs(mine["probabilities"][label] - value) <= TOLERANCE
            for label, value in theirs["probabilities"].items()
        )
        for mine, theirs in zip(found, due, strict=True)
    )


def _newest(model: str) -> Path | None:
    if not os.path.isdir(model):  # unlike Path.is_dir, also False for what can be no path
        return None
    folder = Path(model)
    versions = versions_in(folder)
    return versions[max(versions)] if versions else folder
