"""Manifests of pretrained weights: the packed models of a recipe module.

`pretrained/manifest.json` in the folder of a recipe module lists its packed models:

    {"imdb-lstm": {"file": "imdb-lstm.tar.xz", "sha256": …, "bytes": …, "metric": …, …}}

`zoo.serving.pretrained` describes and unpacks packs.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo import files

if TYPE_CHECKING:
    from zoo.recipe import Recipe

MANIFEST = "manifest.json"


def read_manifest(folder: Path) -> dict[str, Any]:
    """Returns the entries of a `pretrained` folder's manifest by name; empty without manifest."""
    path = folder / MANIFEST
    return files.read_json(path) if path.exists() else {}


def names_in(folder: Path) -> set[str]:
    """Returns the names of the packed models in a `pretrained` folder."""
    return set(read_manifest(folder))


def manifest_entry(recipe: Recipe) -> dict[str, Any] | None:
    """Returns the manifest entry of a recipe's pretrained weights, None if there is none."""
    return read_manifest(recipe.pretrained_folder).get(recipe.name)
