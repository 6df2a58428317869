"""`zoo.distil`: trains a network on the predictions of teachers, also on unlabelled rows."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from zoo.errors import UsageError, check_list, check_number, check_path, check_text
from zoo.training.fit import start, train
from zoo.training.run import Run


def distil(
    student: str,
    output: str | Path | None = None,
    *,
    teachers: Sequence[str | Path],
    unlabelled: str | Path | None = None,
    label_share: float | None = None,
    **options: Any,
) -> Run:
    """Trains a recipe on the predictions of teachers; otherwise like `zoo.train`.

    Classifiers and taggers learn the mean of the teachers' probabilities, translators the best
    translation of each (Y. Kim, A. Rush: Sequence-Level Knowledge Distillation, EMNLP 2016).

    The predictions are kept in the run folder until the run is complete: the same call resumes
    without computing them again. The best epoch is chosen by the labels of the validation split.

    Args:
      student: name of a recipe, as for `zoo.train`.
      output: run folder; `runs/<student>-distilled` if None.
      teachers: models as for `zoo.load`, and simple methods of the recipe, such as `"linear"`.
        The latter are fitted on the training split.
      unlabelled: rows without a label: a table, or the key of a source that has such rows.
      label_share: share of the label in the target of a labelled row; the teachers have the rest.
        0.5 if None. A translator learns only the teachers' translations (0), these and the row's
        own (between), or only the row's own (1).
      **options: passed to `zoo.train`.

    Returns:
      The complete run. Its card names the teachers.

    Raises:
      UsageError: no teacher, an unknown one, or a recipe that cannot be distilled.
      ZooError, Interrupted: as for `zoo.train`.
    """
    teachers = check_list("teachers", teachers)
    if not teachers:
        raise UsageError("Give a list of teachers: at least one model or simple method.")
    for teacher in teachers:
        check_path("A teacher", teacher)
    if unlabelled is not None:
        check_path("unlabelled", unlabelled)
    if label_share is not None:
        check_number("label_share", label_share)
    check_text("student", student)
    if output is None:
        output = Path("runs") / f"{student.rpartition(':')[2]}-distilled"
    bound = inspect.signature(train).bind(student, output, **options)
    bound.apply_defaults()
    return start(
        **bound.arguments, teachers=teachers, unlabelled=unlabelled, label_share=label_share
    )
