"""Describes what a training is about to do, before TensorFlow is imported.

Light: importing this module imports neither TensorFlow nor pandas nor NumPy.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from zoo.data.fetch import megabytes
from zoo.data.origin import Custom, CustomFile, CustomFolder, Named, parse_origin

if TYPE_CHECKING:
    from pathlib import Path

    from zoo.config import Config
    from zoo.data.dataset import Dataset
    from zoo.data.origin import DataLike
    from zoo.data.sources import Source
    from zoo.recipe import Recipe

ESTIMATE = "An estimate of the time follows after the first steps."


def plan(recipe: Recipe, config: Config, data: DataLike) -> str:
    """Returns a line with the training time of a recipe, its data and the size of its download.

    The network is not used. Therefore, the size is that of the source that is tried first; the
    sizes of its fallbacks are in brackets.

    Args:
      recipe: the recipe to train.
      config: with the settings of the user.
      data: as `zoo.train` takes it.

    Raises:
      UsageError: an unknown source, or a missing file or folder.
    """
    dataset = recipe.data(config)
    origin = parse_origin(data, dataset.keys)
    begin = f"{recipe.name} trains for at most {config.epochs} epoch{'s' * (config.epochs != 1)}"
    if isinstance(origin, Custom):
        named = f"data {origin.name}"
        if isinstance(origin, CustomFile | CustomFolder):
            size = _bytes(origin.path)
            shown = megabytes(size) if size >= 50_000 else "less than 0.1 MB"
            named = f"{origin.name} ({shown})"
        return f"{begin} on {named}. {ESTIMATE}"
    if origin == Named("sample"):
        return f"{begin} on a built-in sample of a few rows."
    return f"{begin} on {_source(dataset, origin.key if isinstance(origin, Named) else None)}"


def _source(dataset: Dataset, key: str | None) -> str:
    """Returns a description of the data of a source, and the rest of the line."""
    waiting: list[Source] = []  # those that may be downloaded
    ready = None  # a source on this machine, tried after them
    for source in dataset.sources_of(key):
        if source.status().state == "ready":
            ready = source
            break
        waiting.append(source)
    if not waiting:
        if ready is None:
            return f"{dataset.name}, which has no public source: name your file with --data."
        return f"{ready.title}, which is on this machine. {ESTIMATE}"
    first, *others = waiting
    replacements = [_size(each) for each in others]
    replacements += [f"{ready.title} on this machine"] if ready else []
    instead = f" (if not available: {' or '.join(replacements)})" if replacements else ""
    return f"{first.title}: {_size(first)} to download{instead}. {ESTIMATE}"


def _size(source: Source) -> str:
    return megabytes(sum(file.size for file in source.files))


def _bytes(path: Path) -> int:
    """Returns the size of a file, or of all visible files below a folder."""
    if not path.is_dir():
        return path.stat().st_size
    files = (os.path.join(folder, name) for folder, _, names in os.walk(path) for name in names)
    return sum(os.path.getsize(file) for file in files if os.path.isfile(file))
