"""Scores of ensembles: several networks, exported as one SavedModel that averages their answers."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from benchmarks.intervals import describe
from benchmarks.results import measurements
from zoo import files
from zoo.errors import UsageError
from zoo.serving import load
from zoo.serving.evaluation import splits_of
from zoo.serving.export import export


def collect_ensemble(
    models: Sequence[str | Path],
    output: str | Path,
    *,
    log: Callable[[str], None] = print,
) -> dict[str, Any]:
    """Writes the test score of an ensemble of complete runs to a JSON file.

    The members are exported as by `zoo export --ensemble`; the export is scored. The baselines
    are fitted again, for intervals and comparisons. The validation split is not scored: a part of a
    member may have been fitted on it after the best epoch was chosen. The validation scores of the
    members are those of their trainings.

    Args:
      models: as for `zoo.load`, two or more, of one recipe and trained on the same data.
      output: the file.
      log: called with each line of progress.

    Returns:
      What it writes: the entries of `benchmarks.results.collect` and of `add_intervals`; `members`,
      for each the `seed`, the settings that the first one does not have, `validation`, and its own
      `score`. `parameters` and `train_seconds` are sums; the latter is None if a member lacks it.

    Raises:
      UsageError: models of several recipes or data, or models that cannot form an ensemble.
      ZooError: a run is not complete; data are not available.
    """
    results = [measurements(model) for model in models]
    first = results[0]
    for model, other in zip(models[1:], results[1:], strict=True):
        if other["recipe"] != first["recipe"]:
            raise UsageError(f"{model} differs from {models[0]} in its recipe.")
        if other["data"]["fingerprint"] != first["data"]["fingerprint"]:
            raise UsageError(f"{model} differs from {models[0]} in its data.")
    with tempfile.TemporaryDirectory() as folder:
        one, *others = models
        together = load(export(one, folder, warmup=0, ensemble=others))
        splits = splits_of(together)
        log(f"{first['recipe']}: {len(models)} members, {splits.title}")
        recipe, config = together.recipe, together.config
        scores = recipe.evaluate(config, together.assets, together, splits.test)
    log("fitting the baselines")
    baselines = recipe.baseline(config, splits)
    metric = first["metric"]
    members = [
        {
            "seed": each["seed"],
            "settings": {
                key: value
                for key, value in each["config"].items()
                if value != first["config"].get(key)
            },
            "validation": each["metrics"]["validation"],
            "score": each["score"],
        }
        for each in results
    ]
    seconds = [each["metrics"]["train_seconds"] for each in results]
    metrics = {
        "metric": metric,
        "test": scores.to_json(),
        "parameters": sum(each["metrics"]["parameters"] for each in results),
        "train_seconds": None if None in seconds else sum(seconds),
        "baseline": {name: each.to_json() for name, each in baselines.items()},
    }
    result = {
        **first,
        "score": scores[metric],
        "metrics": metrics,
        "members": members,
        **describe(scores, baselines, metric, first["better"]),
    }
    files.write_json(Path(output), result)
    return result
