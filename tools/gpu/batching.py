"""Batches of rows of equal length, which need no mask. Uses only NumPy.

cuDNN's recurrent kernels accept no mask in Keras' PyTorch backend. A batch therefore has rows of
equal length, and rows of 64 words or more are cropped to a multiple of 8 words, at a random place.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np

MULTIPLE = 8  # lengths of batches are multiples of this
LONG = 64  # shorter rows are not cropped, because they would lose too much


@dataclasses.dataclass(frozen=True)
class Rows:
    """Rows of ids, of different lengths.

    `zoo.data.Ragged` is the same, but importing it needs TensorFlow.

    Attributes:
      values: int32 `(ids,)`, the concatenated rows.
      starts: int64 `(rows,)`, where in `values` each row begins. Rows may overlap.
      lengths: int64 `(rows,)`.
    """

    values: np.ndarray
    starts: np.ndarray
    lengths: np.ndarray

    def __len__(self) -> int:
        return len(self.lengths)

    def cut(self, most: int) -> Rows:
        """Returns rows of at most `most` ids: of longer ones, the first quarter and the last three.

        This is how recipes read texts that are longer than their `max_words`.
        """
        parts, head = [], most // 4
        for start, length in zip(self.starts, self.lengths, strict=True):
            row = self.values[start : start + length]
            parts.append(
                row if length <= most else np.concatenate([row[:head], row[head - most :]])
            )
        return rows_of(np.concatenate(parts), np.minimum(self.lengths, most))

    def mapped(self, table: np.ndarray) -> Rows:
        """Returns rows of the ids `table[id]`."""
        return dataclasses.replace(self, values=table[self.values])

    def take(self, index: np.ndarray, length: int, offsets: np.ndarray) -> np.ndarray:
        """Returns ids, int32 `(len(index), length)`, of each row from its offset on."""
        return self.values[(self.starts[index] + offsets)[:, None] + np.arange(length)]


def rows_of(values: np.ndarray, lengths: np.ndarray) -> Rows:
    """Returns the rows of a concatenated array.

    Args:
      values: ids `(ids,)`.
      lengths: `(rows,)`, whose sum is the number of ids.
    """
    starts = np.concatenate([[0], np.cumsum(lengths)[:-1]]).astype("int64")
    return Rows(values.astype("int32"), starts, lengths.astype("int64"))


@dataclasses.dataclass(frozen=True)
class Batch:
    """A selection of rows, and a part of each.

    Attributes:
      index: int64 `(rows,)`, numbers of rows.
      length: ids that are taken of each.
      offsets: int64 `(rows,)`, the first of them.
    """

    index: np.ndarray
    length: int
    offsets: np.ndarray


def plan_batches(
    rows: Rows,
    index: np.ndarray,
    tokens: int,
    generator: np.random.Generator | None,
    most_rows: int,
) -> list[Batch]:
    """Cuts rows into batches of one length each.

    Args:
      rows: all rows.
      index: int `(n,)`, the numbers of those that are wanted, each once.
      tokens: ids of a batch, at most; a batch has at least one row.
      generator: draws the place of a crop, and the order of batches and of rows of one length.
        None for evaluation: the end of a row is taken, in order of length.
      most_rows: rows of a batch, at most.
    """
    real = rows.lengths[index]
    lengths = np.where(real >= LONG, real // MULTIPLE * MULTIPLE, real)
    if generator is None:
        order = np.argsort(lengths, kind="stable")
    else:
        order = np.lexsort((generator.random(len(index)), lengths))
    ordered, batches, at = lengths[order], [], 0
    while at < len(order):
        length = int(ordered[at])
        size = max(1, min(most_rows, tokens // length))
        end = min(at + size, int(np.searchsorted(ordered, length, side="right")))
        chosen = index[order[at:end]]
        spare = rows.lengths[chosen] - length
        batches.append(
            Batch(chosen, length, spare if generator is None else generator.integers(spare + 1))
        )
        at = end
    if generator is None:
        return batches
    return [batches[number] for number in generator.permutation(len(batches))]


def windows(
    rows: Rows, index: np.ndarray, size: int, generator: np.random.Generator | None
) -> Rows:
    """Cuts rows into windows of at most `size` ids.

    Args:
      rows: all rows.
      index: int `(n,)`, the numbers of those that are cut.
      size: ids of a window.
      generator: draws where the first cut of each row is, so that each epoch cuts elsewhere. None:
        at `size`.

    Returns:
      Windows as rows. Those of fewer than 8 ids are omitted, as is what is before the first cut
      where this is fewer than 16.
    """
    starts, lengths = [], []
    for start, length in zip(rows.starts[index], rows.lengths[index], strict=True):
        first = int(generator.integers(size)) if generator else 0
        at = 0
        if 16 <= first < length:
            starts.append(start)
            lengths.append(first)
            at = first
        while at < length:
            here = min(size, length - at)
            if here >= MULTIPLE:
                starts.append(start + at)
                lengths.append(here)
            at += size
    return Rows(rows.values, np.array(starts, "int64"), np.array(lengths, "int64"))


def streams(ids: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Splits one long text into as many texts as a batch has rows.

    Args:
      ids: `(ids,)`.
      count: streams.

    Returns:
      Ids and the next ids, both `(count, (len(ids) - 1) // count)`.
    """
    size = (len(ids) - 1) // count
    return ids[: count * size].reshape(count, size), ids[1 : count * size + 1].reshape(count, size)


@dataclasses.dataclass(frozen=True)
class Reviews:
    """Film reviews as written by `arrays.py`.

    Attributes:
      rows: ids of the language model's vocabulary: labelled rows to train on, then those of the
        validation split, then those without a label.
      labels: int64, the classes of the labelled rows, the validation split included.
      trained: labelled rows to train on.
      held_out: rows without a label, the first ones, on which the language model is evaluated.
      table: int32 `(ids of the language model,)`, the id of each word for the small students;
        empty where these do not read the rows.
    """

    rows: Rows
    labels: np.ndarray
    trained: int
    held_out: int
    table: np.ndarray

    @property
    def labelled(self) -> int:
        """Rows with a label."""
        return len(self.labels)

    @property
    def validation(self) -> np.ndarray:
        """Numbers of the rows of the validation split."""
        return np.arange(self.trained, self.labelled)


def save_reviews(path: Path, reviews: Reviews) -> None:
    """Writes the file that `read_reviews` reads."""
    np.savez_compressed(
        path,
        values=reviews.rows.values,
        lengths=reviews.rows.lengths.astype("int32"),
        labels=reviews.labels.astype("int32"),
        trained=reviews.trained,
        held_out=reviews.held_out,
        table=reviews.table,
    )


def read_reviews(folder: Path, name: str = "reviews") -> Reviews:
    """Reads `reviews.npz` of a folder, or `sentences.npz`."""
    with np.load(folder / f"{name}.npz") as file:
        return Reviews(
            rows_of(file["values"], file["lengths"]),
            file["labels"].astype("int64"),
            int(file["trained"]),
            int(file["held_out"]),
            file["table"].astype("int32"),
        )
