"""Registry of recipes: from the entry-point group `zoo.recipes`, or from a file."""

from __future__ import annotations

import fnmatch
import functools
import importlib
import importlib.util
import os
import pkgutil
import sys
import threading
import types
from collections.abc import Iterator
from pathlib import Path

from zoo import plugins, tables
from zoo.errors import UsageError, ZooError, check_text, quoted, shortened, suggest
from zoo.manifest import read_manifest, read_parameters
from zoo.recipe import TOPOLOGIES, Recipe, recipes_of

_LOADING = threading.RLock()  # another thread must not see a partly executed module


def get_recipe(name: str) -> Recipe:
    """Returns the recipe of that name, or of `path/to/file.py:name`.

    Raises:
      UsageError: an unknown name; the message has the nearest one.
    """
    check_text("The name of a recipe", name)
    path, inner = _split(name)
    if path:
        file_recipes = _from_file(Path(path))
        if not inner and len(file_recipes) == 1:
            return next(iter(file_recipes.values()))
        if inner in file_recipes:
            return file_recipes[inner]
        raise UsageError(f"{path} has no recipe {quoted(inner)}.{suggest(inner, file_recipes)}")
    known = recipes()
    if name not in known:
        raise UsageError(f"Unknown recipe {quoted(name)}.{suggest(name, known)}")
    return known[name]


def runs_new_code(name: str) -> bool:
    """Whether `get_recipe(name)` would run a file that this process has not run yet."""
    path, _ = _split(name)
    return os.path.isfile(path) and _module_name(Path(path).resolve()) not in sys.modules


def _split(name: str) -> tuple[str, str]:
    """Returns file and recipe of `path/to/file.py:name`; the file is "" in other names."""
    path, separator, inner = name.rpartition(":")
    if not separator and name.endswith(".py"):
        path, inner = name, ""
    return (path, inner) if path.endswith(".py") else ("", name)


def list_models(
    pattern: str = "*",
    *,
    task: str | None = None,
    topology: str | None = None,
    pretrained: bool = False,
) -> Models:
    """Lists the recipes, sorted by name, without importing TensorFlow.

    Args:
      pattern: shell-style (`"imdb-*"`); without a wildcard, any part of the name.
      task, topology: keep only recipes of this task or topology.
      pretrained: keep only recipes with packed weights.

    Returns:
      Dicts of `name, topology, task, dataset, metric, pretrained` (bool), and, if pretrained,
      `score` (of the metric), `parameters` and `bytes` (of the file); None otherwise. The list
      prints as a table.

    Raises:
      UsageError: an unknown topology, or a value that is not a str.
    """
    check_text("pattern", pattern)
    if task is not None:
        check_text("task", task)
    if topology is not None and (not isinstance(topology, str) or topology not in TOPOLOGIES):
        raise UsageError(f"Unknown topology {quoted(topology)}.{suggest(topology, TOPOLOGIES)}")
    if not any(sign in pattern for sign in "*?["):
        pattern = f"*{pattern}*"
    packs: dict[Path, tuple[dict, dict]] = {}
    rows = Models()
    for name, recipe in sorted(recipes().items()):
        folder = recipe.pretrained_folder
        if folder not in packs:
            packs[folder] = read_manifest(folder), read_parameters(folder)
        entry = packs[folder][0].get(name, {})
        row = {
            "name": name,
            "topology": recipe.topology,
            "task": recipe.task,
            "dataset": recipe.dataset.name,
            "metric": recipe.metric.name,
            "pretrained": bool(entry),
            "score": entry.get("score"),
            "parameters": packs[folder][1].get(name),
            "bytes": entry.get("bytes"),
        }
        if (
            fnmatch.fnmatch(name, pattern)
            and task in (None, row["task"])
            and topology in (None, row["topology"])
            and (row["pretrained"] or not pretrained)
        ):
            rows.append(row)
    return rows


class Models(list):
    """The rows of `list_models`; prints as a table."""

    def shown(self) -> list[dict[str, str]]:
        """Returns the rows formatted for display."""
        return [_shown(row) for row in self]

    def __repr__(self) -> str:
        return "\n".join(tables.lines(self.shown(), tables.terminal_width())) or "no recipes"

    def _repr_html_(self) -> str:
        return tables.html_table(self.shown())


def _shown(row: dict) -> dict[str, str]:
    metric = row["metric"].replace("_per_", "/").replace("_", " ")
    score = "-"
    if row["score"] is not None:
        known = recipes().get(row["name"])
        score = known.metric.text(row["score"]) if known else f"{row['score']:.4f}"
    return {
        "name": row["name"],
        "topology": row["topology"],
        "score": f"{score} {metric}",
        "parameters": "-" if row["parameters"] is None else f"{row['parameters']:,}",
        "size": "-" if row["bytes"] is None else _megabytes(row["bytes"] / 1e6),
    }


def _megabytes(size: float) -> str:
    return f"{max(size, 0.1):.1f} MB" if size < 9.95 else f"{size:.0f} MB"


@functools.cache
def recipes() -> dict[str, Recipe]:
    """Returns every registered recipe by name.

    Raises:
      ZooError: two recipes have the same name, or a registered module cannot be imported.
    """
    known: dict[str, Recipe] = {}
    for module, origin in _registered_modules():
        for recipe in recipes_of(module, origin):
            if recipe.name in known:
                raise ZooError(
                    f"Two recipes are named {recipe.name!r}: one from "
                    f"{known[recipe.name].origin}, one from {origin}. Rename one of them."
                )
            known[recipe.name] = recipe
    return known


def _registered_modules() -> Iterator[tuple[types.ModuleType, str]]:
    """Yields each registered module, or the modules of a registered package, with their names."""
    for point in plugins.registered(plugins.RECIPES).values():
        try:
            module = importlib.import_module(point.value)
            names = [point.value]
            if hasattr(module, "__path__"):
                infos = pkgutil.iter_modules(module.__path__, f"{point.value}.")
                names = sorted(info.name for info in infos if not info.ispkg)
            for name in names:
                yield importlib.import_module(name), name
        except Exception as error:  # any error of a third-party module
            raise ZooError(
                f"The recipes registered as {point.value!r} cannot be imported: "
                f"{type(error).__name__}: {error}. Repair or uninstall the package that "
                "registers them."
            ) from error


def _from_file(path: Path) -> dict[str, Recipe]:
    """Imports a recipe file once, under a unique module name; returns its recipes by name."""
    if not os.path.isfile(path):  # unlike `Path`, accepts names that are too long
        raise UsageError(f"There is no recipe file {shortened(str(path))}.")
    path = path.resolve()
    name = _module_name(path)
    with _LOADING:
        module = sys.modules.get(name)
        if module is None:
            spec = importlib.util.spec_from_file_location(name, path)
            if spec is None or spec.loader is None:
                raise UsageError(f"{path} is not a Python file.")
            module = importlib.util.module_from_spec(spec)
            sys.modules[name] = module  # dataclasses look up their module
            try:
                spec.loader.exec_module(module)
            except Exception as error:
                del sys.modules[name]
                raise ZooError(
                    f"{path} cannot be imported: {type(error).__name__}: {error}."
                ) from error
    return {recipe.name: recipe for recipe in recipes_of(module, str(path))}


def _module_name(path: Path) -> str:
    """Returns the name under which a file, by its absolute path, is imported."""
    return f"zoo_recipe_file_{path.stem}_{abs(hash(str(path)))}"
