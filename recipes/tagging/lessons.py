"""Distillation targets for tagging: the teachers' tag probabilities given the whole sentence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import tensorflow as tf

from recipes.tagging.running import tag_probabilities
from recipes.tagging.tags import bio_tags, bioes_tags
from zoo.data.batching import Batches
from zoo.errors import UsageError

if TYPE_CHECKING:
    from zoo.data import Examples
    from zoo.recipe import Answers

MARGINALS = "marginals"
BATCH = 64


def tag_marginals(
    predictor: Answers, train: Examples, tokens: Sequence[Sequence[str]]
) -> dict[str, np.ndarray]:
    """Returns the tag probabilities of a trained tagger: for a CRF, the marginals.

    Args:
      predictor: the teacher.
      train: the student's training rows.
      tokens: the tokens of each sentence.

    Returns:
      `marginals`, float32 `(tokens, tags)`: all sentences concatenated; tags in the order of
      `bioes_tags`. The probabilities of each token sum to 1.

    Raises:
      UsageError: the teacher's tags differ from those of the training rows.
    """
    known, needed = predictor.assets["tags"], bio_tags(set().union(*train["tags"]))
    if known != needed:
        raise UsageError(
            f"The teacher {predictor.name} knows the tags {', '.join(known)}; the training rows "
            f"have {', '.join(needed)}."
        )
    tags, model = bioes_tags(known), predictor.model

    @tf.function(autograph=False, reduce_retracing=True)
    def probabilities(ids: Mapping[str, tf.Tensor]) -> tf.Tensor:
        return tag_probabilities(model(ids, training=False), tags, ids["words"] > 0)

    ids = predictor.assets.encoder.rows(tokens)
    rows = Batches(ids, ids, BATCH)
    found = [np.zeros((0, len(tags)), "float32")] * len(tokens)
    for index in rows.sorted_order():
        values = np.asarray(probabilities(rows.take(index)[0]))
        for row, value in zip(index, values, strict=True):
            found[row] = value[: len(tokens[row])]
    return {MARGINALS: np.concatenate(found)}


def mean_marginals(
    tokens: Sequence[Sequence[str]], lessons: Sequence[Mapping[str, np.ndarray]], share: float
) -> list[np.ndarray]:
    """Returns the mean of the teachers' probabilities, times their share of the target.

    Args:
      tokens: the tokens of each sentence.
      lessons: the output of `tag_marginals` for each teacher.
      share: share of the true tags in the target.

    Returns:
      float32 `(time, tags)` per sentence.
    """
    mean = np.mean([lesson[MARGINALS] for lesson in lessons], axis=0, dtype="float64")
    ends = np.cumsum([len(row) for row in tokens])
    return np.split(((1 - share) * mean).astype("float32"), ends[:-1])
