"""`zoo.evaluate`: the field's metric, the baselines beside it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from zoo.data import Splits
from zoo.data.dataset import load_examples
from zoo.errors import UsageError, ZooError
from zoo.serving.predictor import Predictor, load


def evaluate(
    model: str | Path | Predictor,
    data: str | Path | None = None,
    *,
    columns: Mapping[str, str] | None = None,
    split: str = "test",
    baselines: bool = True,
) -> dict[str, Any]:
    """Scores what a model serves.

    Args:
      model: as for `zoo.load`, or a predictor.
      data: a source of the dataset or a folder (its test split is scored), or a file all rows of
        which are scored; None for the test split of the data that the model was trained on.
      columns: our column name to the file's.
      split: `"validation"` scores that split instead: the one that chose the epoch.
      baselines: whether to put the baselines beside. They are those that the run has measured
        where the rows are the same; else they are fitted on the model's training split.

    Returns:
      `model, data, rows, metric, metrics, baseline, notes`, which JSON can hold: `metrics`, and
      each of `baseline` by name, are `zoo.scores.Scores` as their `to_json` gives them.

    Raises:
      UsageError: no such split, or a split of a file of one's own.
      UsageError, ZooError: as for `zoo.load`, and data that cannot be had or read.
    """
    predictor = model if isinstance(model, Predictor) else load(model)
    recipe = predictor.recipe
    dataset = recipe.data(predictor.config)
    trained_on = predictor.data
    dataset.check_columns(data, columns)
    if split not in ("test", "validation"):
        raise UsageError(f"Unknown split {split!r}: it is 'test' or 'validation'.")

    notes: list[str] = []
    if dataset.is_own_file(data):
        if split != "test":
            raise UsageError("A file of your own has no splits: all of its rows are scored.")
        labels = predictor.labels or None
        examples = load_examples(dataset, Path(str(data)), columns, labels=labels)
        title, same = Path(str(data)).name, False
    else:
        splits = splits_of(predictor, data)
        examples, title = getattr(splits, split), splits.title
        known = splits.fingerprint == trained_on["fingerprint"]
        same = known and split == "test"
        if split != "test":
            title += f", {split} split"
        if not known:
            notes.append(
                f"trained on {trained_on['title']}, which differs: some of the rows scored here "
                "may have been among its training data"
            )
    scores = recipe.evaluate(predictor.config, predictor.assets, predictor, examples)
    baseline: dict[str, Any] = {}
    if baselines and same and predictor.metrics.get("baseline"):
        baseline = predictor.metrics["baseline"]
    elif baselines:
        try:
            fitted = dataclasses.replace(splits_of(predictor), test=examples)
        except ZooError as error:
            notes.append(f"no baseline: the model's training data cannot be had ({error})")
        else:
            others = recipe.baseline(predictor.config, fitted)
            baseline = {name: each.to_json() for name, each in others.items()}
    return {
        "model": predictor.name,
        "data": title,
        "rows": len(next(iter(examples.values()))),
        "metric": recipe.metric.name,
        "metrics": scores.to_json(),
        "baseline": baseline,
        "notes": notes,
    }


def splits_of(predictor: Predictor, data: str | Path | None = None) -> Splits:
    """Loads a source of a model's dataset; if None, the data that it was trained on."""
    dataset = predictor.recipe.data(predictor.config)
    if data is not None:
        return dataset.load(data)
    run, source = predictor.run, predictor.data["source"]
    if dataset.is_own(source) and not Path(source).exists():
        raise ZooError(
            f"{predictor.name} was trained on data of its maker's own, {source}, which are not "
            "here: name them, or other ones, with --data."
        )
    return dataset.load(source, columns=run["columns"], tiny=run["tiny"])
