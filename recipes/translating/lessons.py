"""Sequence-level knowledge distillation: students learn the best translations of teachers.

Y. Kim, A. Rush: Sequence-Level Knowledge Distillation, EMNLP 2016. Beam search selects one of the
likely translations of a teacher. A student learns it more easily than human references, which vary
more.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from zoo.errors import UsageError

if TYPE_CHECKING:
    from zoo.data import Examples
    from zoo.recipe import Answers


def best_translations(
    predictor: Answers, source: str, target: str, texts: Sequence[str]
) -> dict[str, np.ndarray]:
    """Returns what a trained translator answers.

    Args:
      predictor: the teacher.
      source, target: the student's languages, two letters each.
      texts: sentences of the source.

    Returns:
      `translations`: the list of them as JSON, a string `()`. None for a text that has none, or
      whose translation was cut off.

    Raises:
      UsageError: the teacher translates other languages.
    """
    theirs = tuple(getattr(predictor.config, side) for side in ("source", "target"))
    if theirs != (source, target):
        raise UsageError(
            f"The teacher {predictor.name} translates {'→'.join(theirs)}; the student "
            f"{source}→{target}."
        )
    answers = predictor.predict(texts)
    found = [a["translation"] if a["complete"] and a["translation"] else None for a in answers]
    return {"translations": np.array(json.dumps(found))}


def taught_pairs(
    train: Examples, texts: Sequence[str], lessons: Sequence[Mapping[str, np.ndarray]], share: float
) -> dict[str, list[str]]:
    """Returns pairs to learn: those of people, of teachers, or both.

    Args:
      train: `text` and `translation`, the training rows.
      texts: theirs, and then those without a translation.
      lessons: of each teacher, see `best_translations`.
      share: of the references: 0 for teachers' translations alone, but a reference where there is
        none; 1 for references alone, where there are some; else both.

    Returns:
      `text` and `translation`. A translation that several teachers give is there once.
    """
    taught = [json.loads(str(lesson["translations"])) for lesson in lessons]
    references, pairs = train["translation"], []
    for row, (text, *found) in enumerate(zip(texts, *taught, strict=True)):
        known = row < len(references)
        answers = [answer for answer in dict.fromkeys(found) if answer is not None]
        if known and (share > 0 or not answers):
            pairs.append((text, references[row]))
        if not known or share < 1:
            pairs += [(text, a) for a in answers if not pairs or pairs[-1] != (text, a)]
    return {
        "text": [text for text, _ in pairs],
        "translation": [translation for _, translation in pairs],
    }
