"""Converts tags, and teachers' tag probabilities, to rows of numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from recipes.tagging.tags import bioes_tags, to_bioes
from recipes.tagging.tokens import PADDING
from zoo.data.batching import Ragged
from zoo.errors import ZooError

if TYPE_CHECKING:
    from zoo.data import Examples


def target_rows(examples: Examples, tags: Sequence[str]) -> Ragged:
    """Converts the tags of each sentence, with the teachers' probabilities where it has them.

    Args:
      examples: `tags`, BIO tags; with teachers also `marginals`, from
        `recipes.tagging.lessons.mean_marginals`.
      tags: the BIO tags that the model knows.

    Returns:
      The output of `tag_rows`, or with teachers that of `with_marginals`.

    Raises:
      ZooError: a tag is not in `tags`.
    """
    rows = tag_rows(examples["tags"], tags)
    return with_marginals(rows, examples["marginals"]) if "marginals" in examples else rows


def tag_rows(rows: Sequence[Sequence[str]], tags: Sequence[str]) -> Ragged:
    """Converts the tags of each sentence to BIOES and then to integers.

    Args:
      rows: BIO tags.
      tags: the BIO tags that the model knows.

    Returns:
      The position of each tag in `bioes_tags(tags)`, plus 1: int32 `(time,)` per row. A row
      without tokens becomes one step of padding.

    Raises:
      ZooError: a tag is not in `tags`.
    """
    number = {tag: position for position, tag in enumerate(bioes_tags(tags), 1)}
    unknown = sorted({tag for row in rows for tag in row} - set(tags))
    if unknown:
        raise ZooError(
            f"The tag {unknown[0]!r} is not one of the training sentences': {', '.join(tags)}. "
            "Give them more sentences with it, or correct or remove these."
        )
    return Ragged(
        [np.array([number[tag] for tag in to_bioes(row)] or [PADDING], "int32") for row in rows]
    )


def with_marginals(tags: Ragged, marginals: Sequence[np.ndarray]) -> Ragged:
    """Returns targets with the teachers' probabilities; see `recipes.tagging.losses`.

    Args:
      tags: from `tag_rows`.
      marginals: from `recipes.tagging.lessons.mean_marginals`.

    Returns:
      float32 `(time, 1 + tags)` per row.
    """
    true = np.split(tags.values, tags.starts[1:])
    rows = []
    for row, probabilities in zip(true, marginals, strict=True):
        target = np.zeros((len(row), 1 + probabilities.shape[1]), "float32")
        target[:, 0] = row
        target[: len(probabilities), 1:] = probabilities
        rows.append(target)
    return Ragged(rows)
