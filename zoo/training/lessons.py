"""Predictions of teachers as targets of a student.

A classifier learns class probabilities: G. Hinton, O. Vinyals, J. Dean: Distilling the Knowledge in
a Neural Network, 2015. Other recipes define what their models teach and how it is learnt, by their
functions `teach` and `taught`.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from zoo import files
from zoo.cluster import Cluster
from zoo.config import Config
from zoo.data import Dataset, Examples, Splits
from zoo.data.reading import reading_of
from zoo.data.splits import TINY, count, permutation, take
from zoo.errors import UsageError, ZooError
from zoo.recipe import Recipe
from zoo.serving.find import find
from zoo.serving.predictor import Predictor, load
from zoo.training.callbacks import Progress
from zoo.training.run import Options

PROBABILITIES = "probabilities"  # column of training rows, and output of teachers
FILE = "lesson.npz"
DEFAULT_SHARE = 0.5  # share of the label in the target of a labelled row

Answer = Callable[[Examples], list[dict[str, Any]]]


@dataclasses.dataclass(frozen=True)
class Lesson:
    """Training rows with the predictions of teachers.

    Attributes:
      examples: training rows. For a classifier: the columns, unlabelled rows last, and
        `probabilities`. An unlabelled row gets the class that its teachers rate most probable as
        its label.
      about: teachers, their score on the validation split, rows; JSON-serialisable.
      answers: arrays by name. For a classifier: `answers`, float32 `(rows, classes)`, without the
        labels' share.
      key: identifies teachers and rows.
    """

    examples: Examples
    about: dict[str, Any]
    answers: Mapping[str, np.ndarray]
    key: str

    def write(self, folder: Path) -> None:
        """Writes the answers beside the checkpoints, for a resumed run to reuse."""
        if _read(folder / FILE, self.key) is None:
            with files.atomic_write(folder / FILE) as temporary, open(temporary, "wb") as file:
                about = np.array(json.dumps([self.key, self.about]))
                arrays: dict[str, Any] = {"about": about, **self.answers}
                np.savez(file, **arrays)


def check_teachers(
    recipe: Recipe, config: Config, options: Options, cluster: Cluster | None, trust: bool
) -> None:
    """Checks everything that can be checked before data are read.

    Args:
      recipe, config: the student.
      options: of its run.
      cluster: the workers that train it.
      trust: as for `zoo.load`, for teachers that are models.

    Raises:
      UsageError: the recipe cannot be distilled, a teacher is unknown or has other class names,
        a share is invalid, or there are several workers.
    """
    if not recipe.teachable:
        raise UsageError(
            f"{recipe.name} cannot be distilled: `zoo distil` trains text classifiers, taggers "
            "and translators only."
        )
    if cluster and len(cluster.addresses) > 1:
        raise UsageError("`zoo distil` trains in one process: use --strategy none or mirrored.")
    share = options.label_share
    if share is not None and not 0 <= share <= 1:
        raise UsageError(f"The share of labels must be from 0 to 1; got {share}.")
    simple = recipe.teachers(config)
    for name in options.teachers or ():
        if name not in simple:
            try:
                find(name, trust)
            except UsageError as error:
                known = f"{', '.join(simple)}, or models" if simple else "models"
                raise UsageError(f"Teachers are {known}: {error}") from None
    if options.unlabelled is not None:
        recipe.data(config).find_unlabelled(options.unlabelled)


def take_lesson(
    folder: Path,
    recipe: Recipe,
    config: Config,
    splits: Splits,
    options: Options,
    progress: Progress,
    *,
    keep: bool,
    trust: bool = False,
) -> Lesson:
    """Computes the teachers' predictions for all training rows, or reads stored ones.

    Args:
      folder: folder of the checkpoints, where `Lesson.write` may have written.
      recipe, config: the student.
      splits: its data.
      options: of its run.
      progress: receives messages.
      keep: whether the content of the folder belongs to this run.
      trust: as for `zoo.load`, for teachers that are models.

    Raises:
      UsageError: a teacher has other classes or inputs.
      ZooError: rows or teachers cannot be read, an answer is not a probability, or the run began
        with other unlabelled rows.
    """
    if recipe.gives_lessons:
        return _of_models(folder, recipe, config, splits, options, progress, keep=keep, trust=trust)
    dataset = recipe.data(config)
    labelled = splits.train
    texts = [name for name in labelled if name != dataset.label]
    rows = {name: list(labelled[name]) for name in texts}
    labels = labelled[dataset.label]
    if options.unlabelled is not None:
        more = _unlabelled(dataset, splits, options, progress)
        rows = {name: rows[name] + list(more[name]) for name in texts}
    classes = sorted(set(labels))
    names = options.teachers or []
    key = hashlib.sha256(json.dumps([names, classes, splits.fingerprint, rows]).encode())
    stored = _read(folder / FILE, key.hexdigest()) if keep else None
    if stored is None:
        _say_who_answers(names, rows, progress)
        stored = _answers(recipe, config, splits, names, classes, rows, progress, trust)
    answers, about = stored[0]["answers"], stored[1]
    share = DEFAULT_SHARE if options.label_share is None else options.label_share
    targets = answers.astype("float64")
    known = np.searchsorted(classes, labels)
    targets[: len(labels)] *= 1 - share
    targets[np.arange(len(labels)), known] += share
    best = [classes[number] for number in answers[len(labels) :].argmax(axis=1)]
    about = {**about, **_facts(splits, rows, share)}
    examples = {
        **rows,
        dataset.label: [*labels, *best],
        PROBABILITIES: [dict(zip(classes, row, strict=True)) for row in targets.tolist()],
    }
    return Lesson(examples, about, {"answers": answers}, key.hexdigest())


def _of_models(
    folder: Path,
    recipe: Recipe,
    config: Config,
    splits: Splits,
    options: Options,
    progress: Progress,
    *,
    keep: bool,
    trust: bool,
) -> Lesson:
    """Like `take_lesson`, for a recipe that defines what its models teach."""
    rows = dict(splits.train)
    if options.unlabelled is not None:
        more = _unlabelled(recipe.data(config), splits, options, progress)
        rows = {name: [*rows[name], *more[name]] for name in more}
    names = options.teachers or []
    key = hashlib.sha256(json.dumps([names, splits.fingerprint, rows]).encode()).hexdigest()
    stored = _read(folder / FILE, key) if keep else None
    if stored is None:
        _say_who_answers(names, rows, progress)
        answers: dict[str, np.ndarray] = {}
        scores: dict[str, float] = {}
        for number, name in enumerate(names):
            predictor = load(name, trust=trust)
            if predictor.recipe.module is not recipe.module:
                raise UsageError(
                    f"The teacher {name} is a model for {predictor.recipe.task}; {recipe.name} is "
                    f"for {recipe.task}."
                )
            taught = recipe.teach(config, splits.train, predictor, rows)
            answers |= {f"{number}.{part}": array for part, array in taught.items()}
            found = recipe.evaluate(
                predictor.config, predictor.assets, predictor, splits.validation
            )
            metric = recipe.metric
            scores[name] = float(found.values[metric.name])
            shown = f"{metric.name} {metric.text(scores[name])}"
            progress.log(f"  teacher {name}: {shown} on the validation split")
        stored = answers, {"metric": recipe.metric.name, "teachers": scores}
    answers, about = stored
    lessons: list[dict[str, np.ndarray]] = [{} for _ in names]
    for name, array in answers.items():
        teacher, _, part = name.partition(".")
        lessons[int(teacher)][part] = array
    share = DEFAULT_SHARE if options.label_share is None else options.label_share
    about = {**about, **_facts(splits, rows, share)}
    examples = recipe.taught(config, splits.train, rows, lessons, share)
    return Lesson(examples, about, answers, key)


def _say_who_answers(names: list[str], rows: Examples, progress: Progress) -> None:
    progress.log(f"  {', '.join(names)} answer{'s' * (len(names) == 1)} {count(rows):,} rows")


def _facts(splits: Splits, rows: Examples, share: float) -> dict[str, Any]:
    """Returns the number of labelled and of unlabelled rows, and the labels' share."""
    labelled = count(splits.train)
    return {"labelled": labelled, "unlabelled": count(rows) - labelled, "label_share": share}


def _unlabelled(dataset: Dataset, splits: Splits, options: Options, progress: Progress) -> Examples:
    """Reads unlabelled rows; those that also occur in held-out splits are omitted.

    Raises as `Dataset.load_unlabelled`, and a ZooError if no row is left.
    """
    reading = reading_of(options.reading)
    more = dataset.load_unlabelled(
        str(options.unlabelled), columns=options.columns, reading=reading
    )
    for note in reading.notes:
        progress.log(f"  {note}")
    if options.tiny:
        order = permutation(count(more), "tiny unlabelled")
        more = take(more, sorted(order[: TINY["train"]]))
    column = dataset.deduplicate_by or dataset.group
    if column:
        held_out = {*splits.validation[column], *splits.test[column]}
        kept = [row for row, value in enumerate(more[column]) if value not in held_out]
        if dropped := count(more) - len(kept):
            progress.log(f"  {dropped:,} unlabelled rows are also held-out rows; they are not used")
        more = take(more, kept)
    if not count(more):
        raise ZooError(f"{options.unlabelled} has no rows that are not held out. Give other rows.")
    return more


def _answers(
    recipe: Recipe,
    config: Config,
    splits: Splits,
    names: list[str],
    classes: list[str],
    rows: Examples,
    progress: Progress,
    trust: bool,
) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Returns the mean prediction of the teachers, `answers`, and facts about them."""
    dataset = recipe.data(config)
    simple = recipe.teachers(config)
    truth = np.searchsorted(classes, splits.validation[dataset.label])
    held_out = {name: splits.validation[name] for name in rows}
    total = np.zeros((count(rows), len(classes)))
    validation = np.zeros((len(truth), len(classes)))
    accuracy: dict[str, float] = {}

    def right(answers: np.ndarray) -> float:
        return float(np.mean(answers.argmax(axis=1) == truth))

    for name in names:
        answer = simple[name](splits) if name in simple else _model(name, classes, rows, trust)
        on_validation = _probabilities(name, answer(held_out), classes)
        accuracy[name] = right(on_validation)
        progress.log(f"  teacher {name}: accuracy {accuracy[name]:.4f} on the validation split")
        validation += on_validation / len(names)
        total += _probabilities(name, answer(rows), classes) / len(names)
    if len(names) > 1:
        progress.log(f"  their mean: accuracy {right(validation):.4f} on the validation split")
    about = {"teachers": accuracy, "mean": right(validation)}
    return {"answers": total.astype("float32")}, about


def _model(name: str, classes: list[str], rows: Examples, trust: bool) -> Answer:
    """Returns a trained model as a teacher.

    Raises:
      UsageError: its classes or inputs are others.
    """
    predictor: Predictor = load(name, trust=trust)
    if sorted(predictor.labels) != classes:
        theirs = ", ".join(predictor.labels) or "no classes"
        raise UsageError(
            f"The teacher {name} knows {theirs}; the training rows have {', '.join(classes)}."
        )
    needed = predictor.input_names
    if missing := [column for column in needed if column not in rows]:
        raise UsageError(f"The teacher {name} reads {missing[0]!r}, which the data do not have.")
    return lambda examples: predictor.predict({column: examples[column] for column in needed})


def _probabilities(name: str, answers: list[dict[str, Any]], classes: list[str]) -> np.ndarray:
    """Returns float64 `(rows, classes)`.

    Raises:
      ZooError: an answer has no probabilities, or they are not finite.
    """
    try:
        rows = [[answer[PROBABILITIES][label] for label in classes] for answer in answers]
    except (KeyError, TypeError):
        raise ZooError(f"The teacher {name} gives no class probabilities.") from None
    values = np.array(rows, "float64").reshape(len(rows), len(classes))
    if not np.isfinite(values).all():
        raise ZooError(f"The teacher {name} gives some rows probabilities that are not finite.")
    return values


def _read(path: Path, key: str) -> tuple[dict[str, np.ndarray], dict[str, Any]] | None:
    """Reads a file of `Lesson.write`; None if it is missing or damaged.

    Raises:
      ZooError: it is of other rows. Teachers and labelled rows are compared before.
    """
    if not path.exists() or files.verify_archive(path) is not None:
        return None
    with np.load(path) as arrays:
        saved_key, about = json.loads(str(arrays["about"]))
        answers = {name: arrays[name] for name in arrays.files if name != "about"}
    if saved_key != key:
        raise ZooError(
            f"The unlabelled rows of {path.parent.parent} have changed since it began. "
            "Restore them, or start from scratch with --overwrite."
        )
    return answers, about
