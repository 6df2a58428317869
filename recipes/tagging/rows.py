"""Converts tags to rows of integers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from recipes.tagging.tags import bioes_tags, to_bioes
from recipes.tagging.tokens import PADDING
from zoo.data.batching import Ragged
from zoo.errors import ZooError


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
