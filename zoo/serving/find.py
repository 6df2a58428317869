"""Finds the folder of a model, reads its `config.json`, and checks what in it needs trust.

Light: importing this module imports neither TensorFlow nor Keras.
"""

from __future__ import annotations

import fnmatch
import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from zoo import files
from zoo.errors import UsageError, ZooError, check_path, quoted, suggest
from zoo.recipe import Recipe
from zoo.registry import get_recipe, recipes, runs_new_code
from zoo.serving.pretrained import pretrained, pretrained_names
from zoo.training.folder import OVERWRITTEN
from zoo.trust import REMEDY, is_trusted

NONE = "none"  # as the model to start from: from scratch
WEIGHTS = ("model-best.keras", "model.keras")
EXTRA = "assets.extra"  # the folder that TensorFlow reserves for other files in a SavedModel
WARMUP = "tf_serving_warmup_requests"  # file in it, whose name TF Serving defines
ABOUT = (
    *("config.json", "assets.json", "data.json", "environment.json", "use.json"),
    *("metrics.json", "card.md"),
)


def find(model: str | os.PathLike[str], trust: bool = False) -> Path:
    """Returns the folder that `load` reads for `model`.

    Args:
      model: as for `zoo.load`.
      trust: whether to follow a version that is a symbolic link.

    Raises:
      UsageError: there is no such model, or its version is an untrusted symbolic link.
    """
    check_path("A model", model)
    name = os.fspath(model)
    if isinstance(model, str) and _is_name(name):
        return pretrained(name)
    folder = Path(model)
    if not os.path.isdir(folder):  # unlike Path.is_dir, also False for invalid paths
        known = [*pretrained_names(), *(str(path) for path in Path("runs").glob("*"))]
        raise UsageError(
            f"{quoted(name)} is not a pretrained model, run folder or export.{suggest(name, known)}"
        )
    versions = versions_in(folder)
    if versions and not (folder / "config.json").exists():
        folder = versions[max(versions)]
    if (folder / OVERWRITTEN / "config.json").exists() and not has_weights(folder):
        folder = folder / OVERWRITTEN  # the new run has no complete epoch
    if not (about(folder) / "config.json").exists():
        raise UsageError(
            f"{folder} is neither a run folder nor an export of this package: it has no "
            "config.json. "
            "A run folder gets one when `zoo train` has read its data."
        )
    if folder != Path(model):
        _refuse_links([folder], trust)
    return folder


def reference(model: str | os.PathLike[str]) -> str:
    """Returns a str by which `find` finds the same folder: `./NAME` for a path with such a name."""
    name = os.fspath(model)
    if isinstance(model, str) or not (name == NONE or _is_name(name)):
        return name
    return os.path.join(os.curdir, name)


def _is_name(text: str) -> bool:
    """Whether a str names packed weights, not a folder."""
    return text in recipes() or re.search(r"\.py(:|$)", text) is not None


def versions_in(folder: Path) -> dict[int, Path]:
    """Returns the versions in a folder: subfolders whose names are numbers, by number."""
    return {
        int(path.name): path
        for path in folder.iterdir()
        if re.fullmatch(r"[0-9]{1,18}", path.name) and path.is_dir()
    }


def _refuse_links(paths: Iterable[Path], trust: bool) -> None:
    """Makes sure that no path of a model is a symbolic link, unless the model is trusted.

    Otherwise an answer, an export or a pack could contain other files of this machine.

    Raises:
      UsageError: a path is a symbolic link.
    """
    if is_trusted(trust):
        return
    for path in paths:
        if path.is_symlink():
            raise UsageError(
                f"{path} is a symbolic link. Links inside the folder of a model are not followed: "
                f"replace it by what it leads to. {REMEDY}"
            )


def _parts(folder: Path) -> Iterator[Path]:
    """Yields the paths in a model's folder that `load`, `export` and packing read."""
    for name in (*ABOUT, *WEIGHTS, "saved_model.pb"):
        yield folder / name
    for name in ("variables", "assets", EXTRA):
        yield folder / name
        for place, folders, names in os.walk(folder / name):  # does not follow links itself
            yield from (Path(place, each) for each in (*folders, *names))


def refuse_links(folder: Path, trust: bool = False) -> None:
    """Makes sure that neither the folder of a model nor a file in it is a symbolic link.

    Raises:
      UsageError: there is a symbolic link, and it is not trusted.
    """
    _refuse_links([folder, *_parts(folder)], trust)


def has_weights(folder: Path) -> bool:
    """Whether a folder holds Keras weights or a SavedModel."""
    return any((folder / name).exists() for name in (*WEIGHTS, "saved_model.pb"))


def is_pattern(folder: Path) -> bool:
    """Whether TensorFlow reads a path as a pattern that does not match the path, such as `a[1]`.

    TensorFlow finds the variables of a SavedModel by a pattern, which fails for such paths.
    """
    return not fnmatch.fnmatchcase(str(folder), str(folder))


def about(folder: Path) -> Path:
    """Returns the folder of config, assets, metrics and card; `EXTRA` in a SavedModel."""
    return folder / EXTRA if (folder / EXTRA / "config.json").exists() else folder


def resolved_config(folder: Path, trust: bool = False) -> dict[str, Any]:
    """Returns a model's `config.json`: recipe, config, options of its run.

    Args:
      folder: the model's folder. All paths that `load`, `export` and packing read are checked.
      trust: whether symbolic links in it are followed.

    Raises:
      UsageError: it contains an untrusted symbolic link.
      ZooError: the file is missing or damaged, or does not describe a model.
    """
    _refuse_links(_parts(folder), trust)
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


def recipe_of(folder: Path, trust: bool = False) -> Recipe:
    """Returns the recipe of the model in a folder; only reads its `config.json`.

    Raises:
      ZooError: the file is missing or damaged, or does not describe a model.
      UsageError: its recipe is not installed, or is in a file that needs trust.
    """
    return stored_recipe(resolved_config(folder, trust)["recipe"], folder, trust)


def stored_recipe(reference: str, folder: Path, trust: bool) -> Recipe:
    """Returns the recipe that the model in a folder names.

    A recipe file is a program. It is run without trust only if it has been run in this process
    already, because its path was given to `zoo.train`, `zoo.get_recipe` or on the command line.

    Args:
      reference: `recipe` in the `config.json`: a name, or `path/to/file.py:name`.
      folder: the model's folder.
      trust: whether a recipe file may be run.

    Raises:
      UsageError: the recipe file may not be run, or the recipe is not installed.
    """
    if runs_new_code(reference) and not is_trusted(trust):
        raise UsageError(
            f"{folder} names the recipe {quoted(reference)}: loading it would run that Python "
            f"file. {REMEDY}"
        )
    return get_recipe(reference)
