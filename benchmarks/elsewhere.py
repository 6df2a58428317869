"""Scores of models on the test split of another source than that of their training."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.intervals import describe
from benchmarks.results import measurements
from zoo import files
from zoo.errors import UsageError
from zoo.serving import load
from zoo.serving.evaluation import splits_of


def collect_elsewhere(
    model: str | Path,
    source: str,
    output: str | Path,
    *,
    log: Callable[[str], None] = print,
) -> dict[str, Any]:
    """Writes the score of a model on the test split of another source to a JSON file.

    The baselines learn from the training split of that source. For intervals and comparisons, they
    are fitted here.

    Args:
      model: as for `zoo.load`.
      source: of the dataset of its recipe, such as `"tatoeba"`.
      output: the file.
      log: called with each line of progress.

    Returns:
      What it writes: the entries of `benchmarks.results.collect` and of `add_intervals`, of the
      other data; `trained_on`, the title of the training data; and `seen`, the number of test rows
      that have the text of a row that the model was trained on.

    Raises:
      UsageError: the model was trained on this source, or the data have no column `text`.
      ZooError: the run is not complete, or the data are not available.
    """
    result = measurements(model)
    predictor = load(model)
    if source == predictor.data["source"]:
        raise UsageError(f"{model} was trained on {source}: `collect` without --data scores it.")
    here, own = splits_of(predictor, source), splits_of(predictor)
    if "text" not in here.test:
        raise UsageError(f"{result['recipe']} reads no text.")
    log(f"{result['recipe']}: {len(here.test['text']):,} rows of {here.title}")
    recipe, metric = predictor.recipe, result["metric"]
    scores = recipe.evaluate(predictor.config, predictor.assets, predictor, here.test)
    log("fitting the baselines")
    baselines = recipe.baseline(predictor.config, here)
    known = set(own.train["text"])
    measured = {
        "test": scores.to_json(),
        "baseline": {name: each.to_json() for name, each in baselines.items()},
    }
    result |= {
        "score": scores[metric],
        "metrics": {**result["metrics"], **measured},
        "trained_on": result["data"]["title"],
        "seen": sum(text in known for text in here.test["text"]),
        "data": here.describe(),
        **describe(scores, baselines, metric, recipe.metric.better),
    }
    files.write_json(Path(output), result)
    return result
