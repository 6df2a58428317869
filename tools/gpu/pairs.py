"""Sentence pairs as ids, and batches of them. Uses only NumPy."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np

from tools.gpu.batching import LONG, Batch, Rows, rows_of


@dataclasses.dataclass(frozen=True)
class Pairs:
    """Sentence pairs as written by `arrays.py`: training rows, then those of the validation split.

    Attributes:
      source: ids of the source texts.
      target: ids of their translations, each with the end symbol.
      trained: training rows.
    """

    source: Rows
    target: Rows
    trained: int

    def __len__(self) -> int:
        return len(self.source)

    def short(self, index: np.ndarray) -> np.ndarray:
        """Returns those of some numbers of rows whose texts have fewer than `LONG` ids."""
        longer = np.maximum(self.source.lengths[index], self.target.lengths[index])
        return index[longer < LONG]

    def take(self, batch: Batch) -> tuple[np.ndarray, np.ndarray]:
        """Returns the ids of a batch.

        Args:
          batch: of `plan_batches`, of the source texts, whole.

        Returns:
          Source ids, int32 `(rows, source)`, none of them padding, and target ids, int32
          `(rows, target)`, 0 at padding.
        """
        source = self.source.take(batch.index, batch.length, batch.offsets)
        lengths = self.target.lengths[batch.index]
        steps = np.arange(lengths.max())
        real = steps < lengths[:, None]
        places = np.where(real, self.target.starts[batch.index][:, None] + steps, 0)
        return source, np.where(real, self.target.values[places], 0)


def save_pairs(path: Path, pairs: Pairs) -> None:
    """Writes the file that `read_pairs` reads."""
    np.savez_compressed(
        path,
        source=pairs.source.values.astype("uint16"),
        source_lengths=pairs.source.lengths.astype("uint16"),
        target=pairs.target.values.astype("uint16"),
        target_lengths=pairs.target.lengths.astype("uint16"),
        trained=pairs.trained,
    )


def read_pairs(path: Path) -> Pairs:
    """Reads a file of `arrays.py`."""
    with np.load(path) as file:
        return Pairs(
            rows_of(file["source"], file["source_lengths"]),
            rows_of(file["target"], file["target_lengths"]),
            int(file["trained"]),
        )
