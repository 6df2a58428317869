"""Leave-one-group-out evaluation, such as on unknown speakers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import zoo
from benchmarks.results import collect_settings
from zoo.config import override
from zoo.data.splits import SPLITS
from zoo.errors import UsageError, suggest
from zoo.registry import get_recipe


def held_out(
    name: str,
    column: str,
    output: str | Path,
    *,
    runs: str | Path = "runs",
    data: str | None = None,
    seed: int = 0,
    settings: Mapping[str, Any] | None = None,
    log: Callable[[str], None] = print,
) -> dict[str, Any]:
    """Trains a recipe once for each value of a column and tests it on the held-out value.

    Complete runs are not trained again; interrupted runs resume.

    Args:
      name: of the recipe; its config has the field `column`, the value that is held out.
      column: of the data, such as `"speaker"`.
      output: the JSON file; see `benchmarks.results.collect_settings`.
      runs: folder of the runs, `NAME-VALUE` each.
      data: a source of the recipe's dataset, or a path.
      seed: of all runs.
      settings: other fields of the config.
      log: called with one line per run.

    Returns:
      What it writes.

    Raises:
      UsageError: no such setting or column, or fewer than two values.
    """
    recipe = get_recipe(name)
    fields = vars(recipe.config)
    if column not in fields:
        raise UsageError(f"{name} has no setting {column!r} to hold out.{suggest(column, fields)}")
    changed = override(recipe.config, dict(settings or {}))
    splits = recipe.data(changed).load(data)
    if column not in splits.train:
        raise UsageError(f"The data have no column {column!r}.{suggest(column, splits.train)}")
    values = sorted({value for part in SPLITS for value in getattr(splits, part)[column]} - {""})
    if len(values) < 2:
        raise UsageError(f"The data have {len(values)} values of {column!r}; two are needed.")
    folders = []
    for value in values:
        folder = Path(runs) / f"{name}-{value}"
        given = {**(settings or {}), column: value}
        run = zoo.train(name, folder, data=data, settings=given, seed=seed, quiet=True)
        score = run.metrics["test"][recipe.metric.name]
        log(f"{column} {value}: {recipe.metric.name} {recipe.metric.text(score)}")
        folders.append(folder)
    return collect_settings(folders, column, output)
