"""Batches of sequences: bucketed by length, padded on the right, in a reproducible order.

Padding costs time: IMDB reviews average 263 tokens but one in ten exceeds 514. Rows of nearly
equal length are therefore batched together. The order of an epoch depends only on (seed, epoch),
so that an interrupted run resumes with exactly the remaining batches.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Protocol

import numpy as np
import tensorflow as tf

# Number of batches that are sorted together: a larger window gives less padding, but less random
# batches.
WINDOW = 50


class Ragged:
    """Rows of different lengths, stored as one flat array.

    Args:
      rows: arrays of shape `(time, ...)`, one per row, all of the same dtype. Empty rows are not
        allowed, because cuDNN's kernels reject them.

    Raises:
      ValueError: a row is empty.
    """

    def __init__(self, rows: Sequence[np.ndarray]) -> None:
        self.lengths = np.array([len(row) for row in rows], dtype=np.int64)
        if len(rows) == 0 or not self.lengths.all():
            raise ValueError("Ragged needs at least one row, and no row may be empty.")
        self.values = np.concatenate([np.asarray(row) for row in rows])
        self.starts = np.concatenate([[0], np.cumsum(self.lengths)[:-1]])

    def __len__(self) -> int:
        return len(self.lengths)

    def padded(self, index: np.ndarray) -> np.ndarray:
        """Returns rows `index` as `(len(index), longest, ...)`, zeros on the right."""
        time = np.arange(self.lengths[index].max())
        inside = time < self.lengths[index, None]  # (batch, time)
        batch = np.zeros(inside.shape + self.values.shape[1:], self.values.dtype)
        batch[inside] = self.values[(self.starts[index, None] + time)[inside]]
        return batch


class Weighting(Protocol):
    """Weights rows by their class, in targets that are not classes."""

    def classes(self, y: np.ndarray) -> np.ndarray:
        """Returns the class of each row of such targets, int `(rows,)`."""

    def weighted(self, y: np.ndarray, weights: np.ndarray) -> np.ndarray:
        """Returns targets with which the loss of a row is multiplied by the weight of its class.

        Args:
          y: such targets, or classes `(rows,)`.
          weights: of each class, float `(classes,)`.
        """


@dataclasses.dataclass(frozen=True)
class Batches:
    """Encoded examples and how they are divided into batches.

    Attributes:
      x: the model's input: a `Ragged`, an array `(rows, ...)`, or a dict of these.
      y: the target, likewise.
      batch_size: rows in a batch, over all replicas.
      renew: generates the rows of an epoch from (seed, epoch), for data that are augmented or
        resampled in each epoch. The number of rows must not change. None if the rows are fixed.
      weighting: how `class_weight` weights targets of a class per row that are not class numbers;
        None for all others.
    """

    x: Any
    y: Any
    batch_size: int
    renew: Callable[[int, int], Batches] | None = None
    weighting: Weighting | None = None

    @property
    def rows(self) -> int:
        return len(_leaves(self.x)[0])

    @property
    def steps_per_epoch(self) -> int:
        """Number of batches in an epoch. The last batch may be smaller."""
        return -(-self.rows // self.batch_size)

    @property
    def lengths(self) -> np.ndarray:
        """Length of each row, `(rows,)`: its longest ragged part, or 1."""
        ragged = [leaf.lengths for leaf in _leaves((self.x, self.y)) if isinstance(leaf, Ragged)]
        return np.max(ragged, axis=0) if ragged else np.ones(self.rows, np.int64)

    def renewed(self, seed: int, epoch: int) -> Batches:
        """Returns the rows of one epoch. The same (seed, epoch) gives the same rows."""
        return self.renew(seed, epoch) if self.renew else self

    def order(self, seed: int, epoch: int) -> list[np.ndarray]:
        """Returns the row numbers of each batch of one epoch, `(batch,)` each.

        Every row is in exactly one batch. The same (seed, epoch) gives the same order.
        """
        generator = np.random.default_rng([seed, epoch])
        lengths = self.lengths
        shuffled = generator.permutation(self.rows)
        batches = []
        for window in _chunks(shuffled, self.batch_size * WINDOW):
            by_length = window[np.argsort(lengths[window], kind="stable")]
            batches += _chunks(by_length, self.batch_size)
        return [batches[i] for i in generator.permutation(len(batches))]

    def sorted_order(self, rows: np.ndarray | None = None) -> list[np.ndarray]:
        """Returns the batches of all or some rows for evaluation, sorted by length."""
        rows = np.arange(self.rows) if rows is None else rows
        return _chunks(rows[np.argsort(self.lengths[rows], kind="stable")], self.batch_size)

    def take(self, index: np.ndarray) -> tuple[Any, Any]:
        """Returns `(x, y)` of the rows `index`, padded on the right with zeros."""
        return _take(self.x, index), _take(self.y, index)

    def sizes(self, order: list[np.ndarray]) -> np.ndarray:
        """Returns the numbers of rows, tokens and padded tokens of each batch.

        Returns:
          int64 `(len(order), 3)`. Tokens are the time steps of all ragged inputs; padded tokens
          include the padding. Plain arrays are not counted.
        """
        ragged = [leaf.lengths for leaf in _leaves(self.x) if isinstance(leaf, Ragged)]
        lengths = np.stack(ragged) if ragged else np.zeros((1, self.rows), np.int64)
        rows = [
            (len(index), batch.sum(), batch.max(axis=1).sum() * len(index))
            for index in order
            for batch in [lengths[:, index]]
        ]
        return np.array(rows, np.int64).reshape(-1, 3)

    def dataset(
        self, order: list[np.ndarray], on_batch: Callable[[], None] | None = None
    ) -> tf.data.Dataset:
        """Returns a `tf.data.Dataset` of `(x, y)`, one element per batch of `order`.

        Args:
          order: row numbers of each batch.
          on_batch: called after each batch is made.
        """

        def generate() -> Iterator[tuple[Any, Any]]:
            for index in order:
                batch = self.take(index)
                if on_batch:
                    on_batch()
                yield batch

        return self._generated(generate, len(order))

    def shards(
        self,
        order: list[np.ndarray],
        replicas: int,
        replica_ids: Sequence[int],
        on_batch: Callable[[], None] | None = None,
    ) -> tf.data.Dataset:
        """Returns the shards of each batch for some of the replicas.

        The rows of a batch are split over the replicas in equal shards, in order. If this is
        impossible, smaller shards are filled up with the first row of the batch, which does not
        count: gradients of all replicas must have the same shape, and cuDNN fails on an empty
        shard. All shards are padded to the longest row of the batch.

        Args:
          order: row numbers of each batch.
          replicas: number of all replicas.
          replica_ids: the replicas whose shards are returned, from 0.
          on_batch: called after each batch is made.

        Returns:
          Elements `(x, y, counts)`, one for each of `replica_ids`, batch after batch. The dataset
          declares itself infinite but fails after the last batch: the caller must count the
          elements. `counts` is int32 `(3,)`: the number of rows of the shard that count, the number
          of rows of the batch, and the position of the shard's first row in the batch.
        """

        def generate() -> Iterator[tuple[Any, Any, np.ndarray]]:
            for index in order:
                x, y = self.take(index)
                if on_batch:
                    on_batch()
                parts = np.array_split(np.arange(len(index)), replicas)
                most = len(parts[0])
                for part in (parts[replica] for replica in replica_ids):
                    rows = np.pad(part, (0, most - len(part)))
                    counts = np.array([len(part), len(index), rows[0]], np.int32)
                    yield _rows(x, rows), _rows(y, rows), counts

        # With a finite dataset, workers ask each other before each step whether it has ended.
        return self._generated(generate, tf.data.INFINITE_CARDINALITY, tf.TensorSpec([3], tf.int32))

    def _generated(
        self, generate: Callable[[], Iterable], elements: int, *more: tf.TensorSpec
    ) -> tf.data.Dataset:
        signature = (*tf.nest.map_structure(_spec, self.take(np.arange(1))), *more)
        dataset = tf.data.Dataset.from_generator(generate, output_signature=signature)
        return dataset.apply(tf.data.experimental.assert_cardinality(elements)).prefetch(4)


def _leaves(structure: Any) -> list[Any]:
    if isinstance(structure, dict):
        return [leaf for part in structure.values() for leaf in _leaves(part)]
    if isinstance(structure, tuple):
        return [leaf for part in structure for leaf in _leaves(part)]
    return [structure]


def _rows(batch: Any, index: np.ndarray) -> Any:
    return tf.nest.map_structure(lambda array: array[index], batch)


def _take(structure: Any, index: np.ndarray) -> Any:
    if isinstance(structure, dict):
        return {name: _take(part, index) for name, part in structure.items()}
    if isinstance(structure, tuple):
        return tuple(_take(part, index) for part in structure)
    if isinstance(structure, Ragged):
        return structure.padded(index)
    return structure[index]


def _spec(array: np.ndarray) -> tf.TensorSpec:
    # Ragged inputs vary along the time axis; leaving every second axis open costs nothing.
    shape = [None] * min(array.ndim, 2) + list(array.shape[2:])
    return tf.TensorSpec(shape, array.dtype)


def _chunks(array: np.ndarray, size: int) -> list[np.ndarray]:
    return [array[start : start + size] for start in range(0, len(array), size)]
