"""Whether training on custom data starts from the packed weights of the recipe.

A recipe's `start` decides this from the training rows unless the user does. `config.json` stores
the decision under `start`, so that a resumed run uses the same one.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from zoo import files
from zoo.config import Config, override, saved_settings
from zoo.data import Splits
from zoo.errors import ZooError
from zoo.manifest import manifest_entry
from zoo.recipe import Packed, Recipe, Start
from zoo.serving.predictor import load
from zoo.training.run import Options


def choose_start(
    recipe: Recipe, config: Config, options: Options, splits: Splits
) -> dict[str, Any] | None:
    """Returns the choice as stored in `config.json`; None if there is nothing to choose.

    There is no choice for sources of the recipe, smoke tests, distilled runs, recipes without
    packed weights, and if `base` is given.

    Args:
      recipe, config, options: of the run.
      splits: its data; only the training rows are read.

    Returns:
      `packed`, whether the run starts from the packed weights; `text`, a readable reason; `model`,
      the recipe of the weights, and the `sha256` of the pack; `weighed`, whether they could be
      used; and the numbers on which the decision is based.
    """
    if options.base is not None or options.teachers or options.tiny or not splits.custom:
        return None
    entry = manifest_entry(recipe)
    if entry is None:
        return None
    try:
        packed = Packed(
            name=recipe.name,
            config=override(recipe.config, saved_settings(recipe.config, entry["config"])),
            load=lambda: load(recipe.reference),
        )
        start: Start | None = recipe.start(config, splits.train, packed)
    except ZooError as error:  # the user has not asked for these weights
        start = Start(False, str(error).rstrip("."))
    return None if start is None else _record(recipe, entry, start)


def _record(recipe: Recipe, entry: Mapping[str, Any], start: Start) -> dict[str, Any]:
    verb = "starts" if start.packed else "does not start"
    return {
        "packed": start.packed,
        "text": f"{verb} from the packed {recipe.name}: {start.text}",
        "model": recipe.name,
        "sha256": entry["sha256"],
        "weighed": bool(start.facts),
        **start.facts,
    }


def start_line(start: Mapping[str, Any]) -> str:
    """Returns a readable line on the choice, and how to change it if that is possible."""
    other = " (--from none: from scratch)" if start["packed"] else ""
    if not start["packed"] and start["weighed"]:
        other = f" (--from {start['model']}: it does)"
    return start["text"] + other


def read_start(folder: Path | None) -> dict[str, Any] | None:
    """Returns the choice of a run; None if the folder holds no run or there was no choice."""
    if folder is None or not (folder / "config.json").exists():
        return None
    try:
        start = files.read_object(folder / "config.json").get("start")
    except ZooError:
        return None  # `check_target` reports what is wrong with the file
    return start if isinstance(start, dict) and start.get("packed") in (True, False) else None
