"""Training in stages: each continues from the best validation epoch of the previous one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import zoo
from benchmarks.intervals import add_intervals
from benchmarks.results import collect
from zoo import files
from zoo.config import override
from zoo.errors import UsageError
from zoo.registry import get_recipe


def train_in_stages(
    name: str,
    stages: Sequence[Mapping[str, Any]],
    output: str | Path,
    *,
    runs: str | Path = "runs",
    data: str | None = None,
    seed: int = 0,
    settings: Mapping[str, Any] | None = None,
    log: Callable[[str], None] = print,
) -> dict[str, Any]:
    """Trains a recipe from scratch in stages, and measures the last one.

    The validation split selects the epoch of each stage and, with `patience`, ends the stage.
    Nothing is selected on the test split. An interrupted call resumes where it was stopped.

    Args:
      name: of the recipe.
      stages: settings of each stage.
      output: the JSON file, as of `benchmarks.results.collect`, with `stages` in it.
      runs: folder of the runs, `NAME-1`, `NAME-2`, ….
      data: a source of the recipe's dataset, or a path.
      seed: of all stages.
      settings: of all stages.
      log: called with one line per stage.

    Returns:
      What it writes. `stages` is a list of `settings`, `validation`, `best_epoch` and `epochs`.

    Raises:
      UsageError: no stages, or settings that the recipe does not have.
    """
    if not stages:
        raise UsageError("Name the settings of one stage or more.")
    config = get_recipe(name).config
    all_settings = [{**(settings or {}), **stage} for stage in stages]
    for each in all_settings:  # a mistake in the last stage is found before the first
        override(config, each)
    base, described = None, []
    for number, each in enumerate(all_settings, 1):
        folder = Path(runs) / f"{name}-{number}"
        run = zoo.train(
            name,
            folder,
            data=data,
            settings=each,
            seed=seed,
            base=base,
            baselines=False,
            quiet=True,
        )
        metrics = run.metrics
        kept = ("monitor", "validation", "best_epoch", "epochs", "train_seconds")
        described.append({"settings": each, **{key: metrics[key] for key in kept}})
        log(
            f"stage {number}: {metrics['monitor']} {metrics['validation']:.4f}, "
            f"best in epoch {metrics['best_epoch']} of {metrics['epochs']}"
        )
        base = folder
    assert base is not None
    path = collect(base, output)
    files.write_json(path, {**files.read_json(path), "stages": described})
    (result,) = add_intervals([base], data=data, output=path, log=log)
    return result
