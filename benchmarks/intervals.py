"""Confidence intervals of the scores in `results/`, and comparisons with the baselines.

The models, packed ones or complete runs, are evaluated on the test split again, with the settings
of their training: nothing is selected here. The score must equal the stored one.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from zoo import files
from zoo.errors import ZooError
from zoo.metrics.intervals import Units, compare, holm, interval, verdict
from zoo.scores import Scores
from zoo.serving import load
from zoo.serving.evaluation import splits_of

TOLERANCE = 2e-3  # relative difference of a score that is allowed on another machine


def add_intervals(
    models: Sequence[str | Path],
    directory: str | Path = "results",
    data: str | None = None,
    output: str | Path | None = None,
    log: Callable[[str], None] | None = None,
) -> list[dict[str, Any]]:
    """Adds intervals and comparisons to the results of packed models or of complete runs.

    Args:
      models: as for `zoo.load`; they are measured.
      directory: of the results; `RECIPE.json` in it is changed.
      data: where custom data are that the models were trained on; None for a source of the dataset.
      output: the file that is changed, of one model; None for that in `directory`.
      log: called with each line of progress.

    Returns:
      The results. New in each are `interval`, a dict with `low`, `high` (95 %), `kind` and `units`;
      `baseline_intervals`, name to the same; `comparisons`, name of a baseline to `difference`,
      `low`, `high`, `p`, `holm` (corrected for the number of baselines), `test` and `verdict`.
      `baseline` has the scores that were measured here.

    Raises:
      ZooError: a score differs from the stored one, or has no parts from which an interval can be
        computed; data or results are not available.
    """
    log = log or (lambda line: None)
    measured: dict[str, dict[str, Scores]] = {}  # baselines by data
    results = []
    for model in models:
        predictor = load(model)
        name, recipe = predictor.name, predictor.recipe
        path = Path(output or Path(directory) / f"{name}.json")
        if not path.exists():
            command = f"python -m benchmarks collect {model}" + (f" -o {path}" if output else "")
            raise ZooError(f"There is no {path}. `{command}` writes it.")
        result = files.read_json(path)
        metric = result["metric"]
        splits = splits_of(predictor, data)
        # Files of custom data may be read in another order; the score below must be the same.
        rows = len(next(iter(splits.test.values())))
        if rows != predictor.data["rows"]["test"]:
            raise ZooError(f"{name} was trained on other data than {splits.title}.")
        log(f"{name}: {rows:,} rows of {splits.title}")
        scores = recipe.evaluate(predictor.config, predictor.assets, predictor, splits.test)
        if metric not in scores.units:
            raise ZooError(f"{name} gives no {metric} of parts of the test split: no interval.")
        if not math.isclose(scores[metric], result["score"], rel_tol=TOLERANCE):
            here, stored = scores[metric], result["score"]
            raise ZooError(f"{name} has {metric} {here:.5f} here and {stored:.5f} in {path}.")
        # Networks of one page and of the same data have the same baselines.
        key = f"{recipe.module.__name__} {splits.fingerprint}"
        if key not in measured:
            log(f"{name}: fitting the baselines")
            measured[key] = recipe.baseline(predictor.config, splits)
        result |= describe(scores, measured[key], metric, recipe.metric.better)
        files.write_json(path, result)
        low, high = result["interval"]["low"], result["interval"]["high"]
        log(f"{name}: {metric} {scores[metric]:.4f}, 95 % {low:.4f} to {high:.4f}")
        results.append(result)
    return results


def describe(
    scores: Scores, baselines: dict[str, Scores], metric: str, better: str
) -> dict[str, Any]:
    """Returns the entries that `add_intervals` adds to a result."""
    units = scores.units[metric]
    others = {name: each for name, each in baselines.items() if metric in each.values}
    found = {
        name: compare(units, each.units[metric])
        for name, each in others.items()
        if metric in each.units
    }
    corrected = holm([each.p for each in found.values()])
    comparisons = {}
    for (name, each), p in zip(found.items(), corrected, strict=True):
        improved = None if math.isnan(each.p) else (each.difference > 0) == (better == "higher")
        comparisons[name] = {
            **{key: getattr(each, key) for key in ("difference", "low", "high", "test")},
            "p": None if math.isnan(each.p) else each.p,
            "holm": p,
            "verdict": verdict(improved, p),
        }
    return {
        "interval": _interval(units),
        "baseline": {name: each[metric] for name, each in others.items()},
        "baseline_intervals": {
            name: _interval(each.units[metric])
            for name, each in others.items()
            if metric in each.units
        },
        "comparisons": comparisons,
    }


def _interval(units: Units) -> dict[str, Any]:
    low, high, kind = interval(units)
    return {"low": low, "high": high, "kind": kind, "units": len(units.clusters())}
