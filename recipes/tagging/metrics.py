"""Scores of named entities, as the CoNLL shared tasks' `conlleval` counts them.

An entity is correct if its first token, its last token and its class are. Token accuracy is not
very informative, because most tokens are outside of any entity.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from recipes.tagging.tag_reader import entities
from zoo.errors import ZooError
from zoo.metrics.intervals import Units
from zoo.scores import Scores


def entity_scores(truth: Sequence[Sequence[str]], predicted: Sequence[Sequence[str]]) -> Scores:
    """Scores predicted tags against the true tags.

    Args:
      truth: BIO tags of each sentence.
      predicted: predicted BIO tags, as many for each sentence.

    Returns:
      The values `precision`, `recall` and `f1` of entities, and `token_accuracy`: from 0 to 1,
      0 where undefined; `rows`, number of sentences; `tokens`, number of tokens. The table
      `per_class`: `precision`, `recall`, `f1` and `support` (true entities) of each class.

    Raises:
      ZooError: there are no sentences, or the numbers of sentences or tags differ.
    """
    if len(truth) != len(predicted):
        raise ZooError(
            f"There are {len(predicted)} predictions for {len(truth)} sentences; "
            "predict each sentence once, in order."
        )
    if not truth:
        raise ZooError("There are no sentences to score; give at least one with tags.")
    true: Counter[str] = Counter()
    guessed: Counter[str] = Counter()
    right: Counter[str] = Counter()
    tokens = same = 0
    terms = np.zeros((len(truth), 3))  # correct, predicted and true entities per sentence
    for row, (tags, guess) in enumerate(zip(truth, predicted, strict=True), start=1):
        if len(tags) != len(guess):
            raise ZooError(
                f"Sentence {row} has {len(tags)} tokens but {len(guess)} predicted tags; "
                "predict one tag per token."
            )
        tokens += len(tags)
        same += sum(one == other for one, other in zip(tags, guess, strict=True))
        true_entities, predicted_entities = entities(tags), entities(guess)
        true.update(kind for _, _, kind in true_entities)
        guessed.update(kind for _, _, kind in predicted_entities)
        both = set(true_entities) & set(predicted_entities)
        right.update(kind for _, _, kind in both)
        terms[row - 1] = len(both), len(predicted_entities), len(true_entities)
    classes = {
        kind: {**_scores(right[kind], guessed[kind], true[kind]), "support": true[kind]}
        for kind in sorted(true | guessed)
    }
    return Scores(
        values={
            **_scores(right.total(), guessed.total(), true.total()),
            "token_accuracy": same / tokens if tokens else 0.0,
            "rows": len(truth),
            "tokens": tokens,
        },
        tables={"per_class": classes},
        units={"f1": Units("sentences", terms, _f1)},
    )


def _f1(sums: np.ndarray) -> np.ndarray:
    """Returns F1 from sums of correct, predicted and true entities, `(..., 3)`; 0 if none."""
    return 2 * sums[..., 0] / np.maximum(sums[..., 1] + sums[..., 2], 1)


def _scores(right: int, guessed: int, true: int) -> dict[str, float]:
    return {
        "precision": right / guessed if guessed else 0.0,
        "recall": right / true if true else 0.0,
        "f1": 2 * right / (guessed + true) if guessed + true else 0.0,
    }
