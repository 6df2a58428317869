"""`zoo.evaluate`: computes the standard metric of the task, and those of baselines."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from zoo.data import Dataset, Examples, Splits
from zoo.data.custom import load_rows, of_known_classes
from zoo.data.origin import IN_MEMORY, DataLike, Default, Unsplit, parse_origin, recorded
from zoo.data.reading import ReadingLike, reading_of
from zoo.data.splits import count
from zoo.errors import UsageError, ZooError, quoted
from zoo.recipe import Answers
from zoo.scores import one_class
from zoo.serving.baselines import fitted_scores
from zoo.serving.predictor import Predictor, load


def evaluate(
    model: str | Path | Predictor,
    data: DataLike = None,
    *,
    columns: Mapping[str, str] | None = None,
    reading: ReadingLike = None,
    split: str = "test",
    baselines: bool = True,
    trust: bool = False,
) -> dict[str, Any]:
    """Evaluates a model.

    Args:
      model: as for `zoo.load`, or a predictor.
      data: a source of the dataset, a folder or a dict of splits of columns (its test split is
        scored), or a file or a dict of columns (all rows are scored); None for the test split of
        the data that the model was trained on.
      columns: dataset column name to the name in the file.
      reading: how files are written, as for `zoo.train`.
      split: `"validation"` scores that split instead, which was used to choose the epoch.
      baselines: whether to score the baselines too. If the rows are the same, the scores of the run
        are used; otherwise the baselines are fitted on the model's training split.
      trust: as for `zoo.load`.

    Returns:
      `model, data, rows, metric, metrics, baseline, notes`, JSON-serializable: `metrics`, and each
      of `baseline` by name, are `zoo.scores.Scores` in the form of `to_json`.

    Raises:
      UsageError: unknown split, or a split of data without splits.
      UsageError, ZooError: as for `zoo.load`, or data that are not available or not readable.
    """
    predictor = model if isinstance(model, Predictor) else load(model, trust=trust)
    recipe = predictor.recipe
    dataset = recipe.data(predictor.config)
    trained_on = predictor.data
    origin = parse_origin(data, dataset.keys)
    reading = reading_of(reading)
    dataset.check_columns(origin, columns, reading)
    if split not in ("test", "validation"):
        raise UsageError(f"Unknown split {quoted(split)}: it is 'test' or 'validation'.")

    notes: list[str] = []
    splits, known = None, False  # known: whether these are the training data
    if isinstance(origin, Unsplit):
        if split != "test":
            raise UsageError("A custom file has no splits: all of its rows are scored.")
        examples = load_rows(
            dataset, origin, columns, labels=predictor.labels or None, reading=reading
        )
        title, same = origin.name, False
    else:
        splits = splits_of(predictor, origin, columns, reading)
        examples, title = getattr(splits, split), splits.title
        if predictor.labels and dataset.label and splits.custom and not isinstance(origin, Default):
            where = f"{title}, {split} split"
            examples = of_known_classes(dataset, examples, predictor.labels, where, reading)
        known = splits.fingerprint == trained_on["fingerprint"]
        same = known and split == "test"
        if split != "test":
            title += f", {split} split"
        if not known:
            notes.append(f"trained on {trained_on['title']}, which differs")
    notes = [*reading.notes, *notes]
    stored = predictor.metrics.get("baseline") if same else None
    own = os.sep in trained_on["source"]  # a path, which needs no download
    training, problem = None, ""
    if known:
        training = splits
    elif own or (baselines and not stored):
        training, problem = _training(predictor)
        if own and training and training.fingerprint != trained_on["fingerprint"]:
            training, problem = None, "they have changed since"
    if training is not None and not known:
        notes += _trained_on(dataset, training, examples)
    if not same:
        notes += recipe.outside(predictor.config, predictor.assets, examples)
    scores = recipe.evaluate(predictor.config, predictor.assets, predictor, examples)
    if warning := one_class(scores):
        notes.append(warning)
    if predictor.run["tiny"]:
        notes.append("trained with --tiny, a smoke test: do not quote this score")
    if problem and not stored:
        what = "no baseline" if baselines else "some of these rows may have been used for training"
        notes.append(f"{what}: the model's training data are not available ({problem})")
    baseline: dict[str, Any] = {}
    if baselines and stored:
        baseline = stored
    elif baselines and training is not None:
        baseline = fitted_scores(predictor, dataclasses.replace(training, test=examples))
    return {
        "model": predictor.name,
        "data": title,
        "rows": len(next(iter(examples.values()))),
        "metric": recipe.metric.name,
        "metrics": scores.to_json(),
        "baseline": baseline,
        "notes": notes,
    }


def _training(predictor: Answers) -> tuple[Splits | None, str]:
    """Returns the training data of a model, or why they are not available."""
    try:
        return splits_of(predictor), ""
    except ZooError as error:
        return None, str(error)


def _trained_on(dataset: Dataset, training: Splits, examples: Examples) -> list[str]:
    """Returns a note if the model was trained on some of the rows."""
    column = dataset.deduplicate_by or next(
        (name for name in dataset.columns if name != dataset.label), ""
    )
    if column not in examples or not all(isinstance(each, str) for each in examples[column]):
        return []
    seen = {*training.train[column], *training.validation[column]}
    known = sum(value in seen for value in examples[column])
    if not known:
        return []
    return [
        f"{known:,} of the {count(examples):,} rows were used for training or for choosing the "
        "epoch: "
        "their score is too high"
    ]


def splits_of(
    predictor: Answers,
    data: DataLike = None,
    columns: Mapping[str, str] | None = None,
    reading: ReadingLike = None,
) -> Splits:
    """Loads the splits of data for a model.

    Args:
      predictor: the model.
      data: as for `zoo.evaluate`; None for its training data.
      columns: dataset column name to the name in custom data.
      reading: how files are written, as for `zoo.train`.

    Raises:
      ZooError: the data are not available or not valid.
    """
    dataset = predictor.recipe.data(predictor.config)
    origin = parse_origin(data, dataset.keys)
    run, source = predictor.run, predictor.data["source"]
    if not isinstance(origin, Default):
        # Of the data of the training, the same validation rows were training rows.
        own = recorded(origin) == source != IN_MEMORY
        share = run["add_validation"] if own else 0.0
        return dataset.load(origin, columns=columns, reading=reading, add_validation=share)
    try:
        origin = parse_origin(source, dataset.keys)
    except UsageError as error:
        raise ZooError(
            f"{predictor.name} was trained on custom data ({source}), which are not available "
            "here: give them, or other data."
        ) from error
    return dataset.load(
        origin,
        columns=run["columns"],
        reading=run.get("reading"),
        tiny=run["tiny"],
        add_validation=run["add_validation"],
    )


def training_splits(predictor: Answers) -> Splits | None:
    """Returns the training data of a model, None if they are not available."""
    return _training(predictor)[0]
