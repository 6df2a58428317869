"""`zoo.distil`: a network learns what teachers answer, on rows without labels too."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from zoo.errors import UsageError
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
    """Trains a recipe on what teachers answer; otherwise as `zoo.train`.

    Classifiers and taggers learn the mean of their probabilities, translators the best translation
    of each (Y. Kim, A. Rush: Sequence-Level Knowledge Distillation, EMNLP 2016).

    The answers are kept in the run folder until the run is complete: the same call goes on without
    asking again. The validation split, with its own labels, chooses the epoch.

    Args:
      student: name of a recipe, as of `zoo.train`.
      output: run folder; `runs/<student>-distilled` if None.
      teachers: models as for `zoo.load`, and simple methods of the recipe, such as `"linear"`.
        These are fitted on the training split.
      unlabelled: rows without a label: a table, or the key of a source that has such rows.
      label_share: of the target of a row with a label, the share of its label; the rest is the
        teachers'. 0.5 if None. A translator learns the teachers' translations alone (0), these
        beside the row's own (between), or the row's own alone (1).
      **options: of `zoo.train`.

    Returns:
      The run, complete. Its card names the teachers.

    Raises:
      UsageError: no teacher, an unknown one, or a recipe that cannot be taught.
      ZooError, Interrupted: as `zoo.train`.
    """
    if isinstance(teachers, str | Path) or not teachers:
        raise UsageError("Give a list of teachers: at least one model or simple method.")
    if output is None:
        output = Path("runs") / f"{student.rpartition(':')[2]}-distilled"
    bound = inspect.signature(train).bind(student, output, **options)
    bound.apply_defaults()
    return start(
        **bound.arguments, teachers=teachers, unlabelled=unlabelled, label_share=label_share
    )
