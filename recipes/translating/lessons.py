"""Sequence-level knowledge distillation: students learn the best translations of teachers.

Y. Kim, A. Rush: Sequence-Level Knowledge Distillation, EMNLP 2016. Students train on
the beam-search output of a teacher, which varies less than human references and is easier to learn.
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
    """Returns the translations of a trained translator.

    Args:
      predictor: the teacher.
      source, target: two-letter codes of the student's languages.
      texts: source sentences.

    Returns:
      `translations`: the translations as a JSON list, string `()`. It holds null for texts whose
      translation is empty or was cut off.

    Raises:
      UsageError: the teacher's languages differ.
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
    """Returns the training pairs: human references, teachers' translations, or both.

    Args:
      train: `text` and `translation`, the training rows.
      texts: the texts of `train`, followed by texts without a reference.
      lessons: the result of `best_translations` for each teacher.
      share: 0 for teachers' translations only, or the reference if there are none; 1 for
        references only, where available; otherwise both.

    Returns:
      `text` and `translation`. Identical translations of one row appear once.
    """
    taught = [json.loads(str(lesson["translations"])) for lesson in lessons]
    references, pairs = train["translation"], []
    for row, (text, *found) in enumerate(zip(texts, *taught, strict=True)):
        known = row < len(references)
        answers = [answer for answer in found if answer is not None]
        chosen = answers if not known or share < 1 else []
        if known and (share > 0 or not answers):
            chosen = [references[row], *chosen]
        pairs += [(text, answer) for answer in dict.fromkeys(chosen)]
    return {
        "text": [text for text, _ in pairs],
        "translation": [translation for _, translation in pairs],
    }
