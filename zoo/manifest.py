"""Manifests of pretrained weights: the packed models of a recipe module.

`pretrained/manifest.json` in the folder of a recipe module lists its packed models:

    {"imdb-lstm": {"file": "imdb-lstm.tar.xz", "sha256": …, "bytes": …, "metric": …, …}}

`pretrained/parameters.json` beside it has their numbers of parameters, `{"imdb-lstm": 739458}`.

`pretrained/use.json` describes the use of older packs, which have no file of this name themselves:
`{"imdb-lstm": {"sha256": …, "use": [sentence, …], "novelty": {…}}}`, with the pack's checksum.

`zoo.serving.pretrained` describes and unpacks packs.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo import files

if TYPE_CHECKING:
    from zoo.recipe import Recipe

MANIFEST = "manifest.json"
PARAMETERS = "parameters.json"
USE = "use.json"


def read_manifest(folder: Path) -> dict[str, Any]:
    """Returns the manifest entries of a `pretrained` folder by name; empty without manifest."""
    path = folder / MANIFEST
    return files.read_json(path) if path.exists() else {}


def read_parameters(folder: Path) -> dict[str, int]:
    """Returns the parameter counts of the packed models in a folder by name; empty if missing."""
    path = folder / PARAMETERS
    return files.read_json(path) if path.exists() else {}


def read_use(folder: Path) -> dict[str, Any]:
    """Returns the intended use of the packs of a folder by name; empty if missing."""
    path = folder / USE
    return files.read_json(path) if path.exists() else {}


def manifest_entry(recipe: Recipe) -> dict[str, Any] | None:
    """Returns the manifest entry of a recipe's pretrained weights, None if there is none."""
    return read_manifest(recipe.pretrained_folder).get(recipe.name)
