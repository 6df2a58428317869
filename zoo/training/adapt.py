"""Settings for custom data: the defaults of a recipe are tuned for its own sources.

A recipe's `adapt` chooses them from the training rows. `config.json` stores them under `adapted`,
so that a resumed run uses the same settings.
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
    """Returns the settings to change for the data of a run; explicit settings are kept.

    Nothing is changed for sources of the recipe, or for a run that is distilled from models.

    Args:
      recipe, config, options: of the run.
      settings: set explicitly by the user.
      splits: data of the run.
      based: whether training starts from the weights of a model.
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
    """Returns the settings that were changed for a run; empty if the folder holds no run."""
    if folder is None or not (folder / "config.json").exists():
        return {}
    try:
        return dict(files.read_object(folder / "config.json").get("adapted") or {})
    except (ZooError, TypeError, ValueError):
        return {}  # `check_target` reports what is wrong with the file
