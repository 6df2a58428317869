"""Where the folder of a model is, and what its `config.json` says.

Light: importing this module imports neither TensorFlow nor Keras.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

from zoo import files
from zoo.errors import UsageError, ZooError, suggest
from zoo.recipe import Recipe
from zoo.registry import get_recipe, recipes
from zoo.serving.pretrained import pretrained, pretrained_names
from zoo.training.folder import OVERWRITTEN

WEIGHTS = ("model-best.keras", "model.keras")
EXTRA = "assets.extra"  # where TensorFlow lets others put files beside a SavedModel


def find(model: str | os.PathLike[str]) -> Path:
    """Returns the folder that `load` reads for `model`."""
    name = os.fspath(model)
    if isinstance(model, str) and (name in recipes() or re.search(r"\.py(:|$)", name)):
        return pretrained(name)
    folder = Path(model)
    if not os.path.isdir(folder):  # unlike Path.is_dir, also False for what can be no path
        known = [*pretrained_names(), *(str(path) for path in Path("runs").glob("*"))]
        raise UsageError(
            f"{name!r} is no pretrained model, run folder or export.{suggest(name, known)}"
        )
    versions = [path for path in folder.iterdir() if path.name.isdecimal() and path.is_dir()]
    if versions and not (folder / "config.json").exists():
        folder = max(versions, key=lambda path: int(path.name))
    if (folder / OVERWRITTEN / "config.json").exists() and not has_weights(folder):
        folder = folder / OVERWRITTEN  # the new run has no complete epoch
    if not (about(folder) / "config.json").exists():
        raise UsageError(
            f"{folder} is no run folder and no export of this package: it has no config.json. "
            "A run folder gets one when `zoo train` has read its data."
        )
    return folder


def has_weights(folder: Path) -> bool:
    """Whether a folder holds Keras weights or a SavedModel."""
    return any((folder / name).exists() for name in (*WEIGHTS, "saved_model.pb"))


def about(folder: Path) -> Path:
    """Returns where config, assets, metrics and card lie: beside a SavedModel, in its extras."""
    return folder / EXTRA if (folder / EXTRA / "config.json").exists() else folder


def resolved_config(folder: Path) -> dict[str, Any]:
    """Returns a model's `config.json`: recipe, config, options of its run.

    Raises:
      ZooError: it is missing or damaged, or of something else.
    """
    path = about(folder) / "config.json"
    resolved = files.read_json(path)
    if not isinstance(resolved, dict) or not (
        isinstance(resolved.get("recipe"), str) and isinstance(resolved.get("config"), dict)
    ):
        raise ZooError(
            f"{path} names no recipe and config: it is not of this package, or damaged. Name "
            "another folder, or restore the file."
        )
    return resolved


def recipe_of(folder: Path) -> Recipe:
    """Returns the recipe of the model in a folder; reads its `config.json` only.

    Raises:
      ZooError: the file is missing or damaged, or of something else.
      UsageError: its recipe is not known here.
    """
    return get_recipe(resolved_config(folder)["recipe"])
