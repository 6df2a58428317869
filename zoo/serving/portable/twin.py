"""Twins: ONNX or LiteRT exports of text models that `zoo predict` uses instead of TensorFlow.

Importing TensorFlow takes seconds, a prediction milliseconds. An export answers at once. So does a
packed model after its first prediction: its twin is kept in the cache, by the checksum of the pack
and the version of this package.

This module imports nothing heavy.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from zoo import files, quiet
from zoo._version import __version__
from zoo.errors import ZooError, first_line
from zoo.manifest import USE, manifest_entry
from zoo.registry import recipes
from zoo.serving.find import versions_in


class Engine(NamedTuple):
    """The runtime of a format.

    Attributes:
      file: file name of the network.
      package: import name of the package that runs it.
      title: its name.
    """

    file: str
    package: str
    title: str


ENGINES = {
    "onnx": Engine("model.onnx", "onnxruntime", "ONNX Runtime"),
    "litert": Engine("model.tflite", "ai_edge_litert", "LiteRT"),
}
REVISION = 3  # revision of a twin's content; twins of earlier revisions are not used
PART = 64  # texts per batch
FEW = 500  # texts; for more, TensorFlow is faster than networks that run step by step
OUTPUTS = "outputs.json"  # in a twin: the names of the graph's outputs, in order
TOLERANCE = 1e-5  # maximum difference between the numbers of a twin and of the graph


class Twin(NamedTuple):
    """An export that takes texts.

    Attributes:
      folder: the folder of its files.
      format: one of `ENGINES`.
      input: the name of the SavedModel's text input.
      has_steps: whether it uses several networks, run step by step.
    """

    folder: Path
    format: str
    input: str
    has_steps: bool


def find_twin(model: str, formats: Sequence[str] = tuple(ENGINES)) -> Twin | None:
    """Returns an export that can replace a model.

    Args:
      model: as for `zoo.load`: an export in ONNX or LiteRT, or a packed model that has a twin.
      formats: formats of `ENGINES`, in order of preference.

    Returns:
      An export that takes texts and whose engine is installed; None if there is none.

    Raises:
      ZooError: its `model.json` is damaged.
    """
    exported = None if model in recipes() else _newest(model)
    for name in formats:
        folder = cached(model, name) if model in recipes() else exported
        if folder is not None and (folder / ENGINES[name].file).exists() and is_installed(name):
            if not (folder / "model.json").is_file():
                continue
            about = files.read_object(folder / "model.json")
            inputs = about.get("reads", ["text"])  # the name of the input in older exports
            if isinstance(inputs, list) and len(inputs) == 1 and _answers_texts(about):
                networks = folder.glob(f"*{Path(ENGINES[name].file).suffix}")
                return Twin(folder, name, str(inputs[0]), len(list(networks)) > 1)
    return None


def _answers_texts(about: Mapping[str, Any]) -> bool:
    """Whether readers can return complete answers for texts, according to `model.json`."""
    rules = about.get("tokenizer")
    if not isinstance(rules, dict):
        return False
    kind = rules.get("kind")
    readers = [recipe.reader_name for recipe in recipes().values() if recipe.reader]
    return bool(about.get("labels")) or kind in readers


def is_installed(name: str) -> bool:
    """Whether the engine of a format is installed."""
    return importlib.util.find_spec(ENGINES[name].package) is not None


def is_portable(folder: Path) -> bool:
    """Whether a folder is an export in ONNX or LiteRT."""
    return any((folder / engine.file).exists() for engine in ENGINES.values())


def cached(name: str, format: str) -> Path | None:
    """Returns the folder for the twin of a packed model; None for other models."""
    entry = manifest_entry(recipes()[name])
    if entry is None:
        return None
    key = f"{name}-{entry['sha256'][:16]}-{__version__}-{REVISION}-{format}"
    return files.home() / "twins" / key


def keep(name: str, version: Path, format: str) -> None:
    """Stores a copy of the networks of a packed model's export, if there is none."""
    folder = cached(name, format)
    if folder is None or folder.is_dir():
        return
    try:
        with files.atomic_write(folder) as temporary:
            temporary.mkdir(parents=True)
            kept = (Path(ENGINES[format].file).suffix, ".json")
            for path in version.iterdir():
                if path.suffix in kept:
                    shutil.copy(path, temporary / path.name)
    except ZooError:
        if not folder.is_dir():  # another process was faster
            raise


def limits(folder: Path) -> dict[str, float]:
    """Returns the limits beyond which a row is unusual, by output name."""
    from zoo.serving.novelty import limits_of

    path = folder / USE
    return limits_of(files.read_object(path), path) if path.exists() else {}


def answers(folder: Path, texts: list[str]) -> list[dict[str, Any]]:
    """Returns the answers of a twin, with the names and order of `Predictor.predict`.

    Raises:
      ZooError: the folder is damaged.
    """
    from zoo.serving.portable import load, reader

    order = sorted(range(len(texts)), key=lambda row: len(texts[row]))
    found: dict[int, dict[str, Any]] = {}
    try:
        model = load(folder)
        for start in range(0, len(order), PART):
            rows = order[start : start + PART]
            with quiet.silent_stderr():  # LiteRT prints the name of its delegate
                predicted = model.predict([texts[row] for row in rows])
            found.update(zip(rows, predicted, strict=True))
    except Exception as error:  # private types of the engines
        is_cached = folder.parent == files.home() / "twins"
        remedy = f"Delete {folder}: it is made again." if is_cached else "Export it again."
        raise ZooError(
            f"{folder} is damaged or of another version ({first_line(error)}). {remedy}"
        ) from error
    path = folder / OUTPUTS
    if path.exists():
        names = [str(name) for name in files.read_object(path, outputs=list)["outputs"]]
    elif isinstance(model.encode, reader.Words | reader.Characters):
        names = sorted(found[0])
    else:  # readers of recipes use the order of the graph
        names = list(found[0])
    return [
        {name: found[row][name] for name in names if name in found[row]}
        for row in range(len(texts))
    ]


def agrees(found: Sequence[Mapping[str, Any]], due: Sequence[Mapping[str, Any]]) -> bool:
    """Whether a twin and the graph agree: the same names and values, numbers to 1e-5."""
    return all(
        list(mine) == list(theirs) and _is_same(mine, theirs)
        for mine, theirs in zip(found, due, strict=True)
    )


def _is_same(mine: Any, theirs: Any) -> bool:
    if isinstance(theirs, Mapping) and isinstance(mine, Mapping):
        return mine.keys() == theirs.keys() and all(_is_same(mine[k], theirs[k]) for k in theirs)
    if isinstance(theirs, list) and isinstance(mine, list):
        return len(mine) == len(theirs) and all(map(_is_same, mine, theirs))
    if isinstance(theirs, float) and isinstance(mine, float):
        return abs(mine - theirs) <= TOLERANCE
    return bool(mine == theirs)


def _newest(model: str) -> Path | None:
    if not os.path.isdir(model):  # unlike Path.is_dir, also False for invalid paths
        return None
    folder = Path(model)
    versions = versions_in(folder)
    return versions[max(versions)] if versions else folder
