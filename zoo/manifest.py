"""Manifests of pretrained weights: which packed models lie beside a recipe module.

`pretrained/manifest.json` beside a recipe module lists its packed models:

    {"imdb-lstm": {"file": "imdb-lstm.tar.xz", "sha256": …, "bytes": …, "metric": …, …}}

`zoo.serving.pretrained` says what a pack is, and unpacks it.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo import files

if TYPE_CHECKING:
    from zoo.recipe import Recipe

MANIFEST = "manifest.json"


def read_manifest(folder: Path) -> dict[str, Any]:
    """Returns what the manifest of a `pretrained` folder lists, by name; empty if it has none."""
    path = folder / MANIFEST
    return files.read_json(path) if path.exists() else {}


def names_in(folder: Path) -> set[str]:
    """Returns the names that the manifest of a `pretrained` folder lists."""
    return set(read_manifest(folder))


def manifest_entry(recipe: Recipe) -> dict[str, Any] | None:
    """Returns what the manifest says of a recipe's pretrained weights, None if it has none."""
    return read_manifest(recipe.pretrained_folder).get(recipe.name)
