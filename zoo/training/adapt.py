"""Settings that suit custom data: those of a recipe are for the data that it names.

A recipe's `adapt` chooses them by the training rows. `config.json` keeps them under `adapted`, so
that a run goes on as it began.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from zoo import files
from zoo.config import Config, renamed
from zoo.data import Splits
from zoo.errors import ZooError
from zoo.recipe import Recipe
from zoo.training.run import Options


def adapt(
    recipe: Recipe,
    config: Config,
    options: Options,
    settings: Mapping[str, Any],
    splits: Splits,
    based: bool,
) -> dict[str, Any]:
    """Returns settings to change for the data of a run; those that are given stay.

    Nothing is changed for sources of the recipe, or for a run that is taught by models.

    Args:
      recipe, config, options: of the run.
      settings: that are given.
      splits: its data.
      based: whether training begins with the weights of a model.
    """
    if options.teachers or not splits.custom:
        return {}
    given = renamed(settings, config.ALIASES)
    return {
        name: value
        for name, value in recipe.adapt(config, splits.train, based).items()
        if name not in given and getattr(config, name) != value
    }


def read_adapted(folder: Path | None) -> dict[str, Any]:
    """Returns the settings that were changed for a run; none where the folder holds no run."""
    if folder is None or not (folder / "config.json").exists():
        return {}
    try:
        return dict(files.read_object(folder / "config.json").get("adapted") or {})
    except (ZooError, TypeError, ValueError):
        return {}  # what is wrong with the file is said by `check_target`
