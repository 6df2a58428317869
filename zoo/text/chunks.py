"""Applies the functions of a graph to whole data sets."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import tensorflow as tf

from zoo.utf8 import utf8

CHUNK = 2_000  # texts in one call: bounds the memory that a large data set takes


def in_chunks(
    function: Callable[..., Any], *columns: Sequence[str], size: int | None = None
) -> Iterator[Any]:
    """Yields the results of a function for chunks of texts.

    The function is run eagerly. Tracing a tokeniser into a graph takes about a second, far more
    than a small data set takes, and large data sets take equally long either way.

    Args:
      function: takes a string tensor `(texts,)` of each column.
      columns: equally long lists of texts.
      size: texts in one call; `CHUNK` if None.
    """
    size = size or CHUNK
    encoded = [[utf8(text) for text in column] for column in columns]
    for start in range(0, len(encoded[0]), size):
        with tf.device("CPU"):  # strings are there; ids need no transfer
            found = function(*(tf.constant(column[start : start + size]) for column in encoded))
        yield found
