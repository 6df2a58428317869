"""Running text in parallel streams; the state is carried over from batch to batch."""

from __future__ import annotations

import dataclasses

import numpy as np

from zoo.data import Batches
from zoo.data.batching import Ragged
from zoo.errors import ZooError


@dataclasses.dataclass(frozen=True)
class StreamBatches(Batches):
    """Batches of windows in the order of the text, which is the same in each epoch.

    Row s of batch k is window k of stream s. The lengths of streams differ by at most one id, so
    the last batch may have fewer rows.
    """

    def order(self, seed: int, epoch: int) -> list[np.ndarray]:
        return self.sorted_order()

    def sorted_order(self, rows: np.ndarray | None = None) -> list[np.ndarray]:
        rows = np.arange(self.rows) if rows is None else np.sort(rows)
        first = np.flatnonzero(self.x["stream"][rows] == 0)[1:]
        return [part for part in np.split(rows, first) if len(part)]

    @property
    def steps_per_epoch(self) -> int:
        return len(self.sorted_order())


def stream_batches(ids: np.ndarray, streams: int, window: int) -> StreamBatches:
    """Splits running text into streams of windows.

    Each epoch starts at a different position of the text, so that the windows differ.

    Args:
      ids: ids of the whole text, int32 `(time,)`.
      streams: number of parallel streams, the rows of a batch; a very short text has fewer.
      window: maximum number of ids per row.

    Returns:
      x: `ids` and `next`, the ids and the ids that follow them, ragged int32 `(rows, (time))`;
      `stream`, int32 `(rows,)`, the index of the stream, from 0; and `begins`, int32 `(rows,)`, 1
      where the stream begins with an empty state. y: the same as `next`.

    Raises:
      ZooError: there are fewer than two ids.
    """
    if len(ids) < 2:
        raise ZooError("The text has not two words: there is nothing to predict. Give more text.")
    batches = _cut(ids, streams, window)

    def renew(seed: int, epoch: int) -> Batches:
        start = int(np.random.default_rng([seed, epoch]).integers(len(ids) - 1))
        return _cut(np.roll(ids, -start), streams, window)

    return dataclasses.replace(batches, renew=renew)


def _cut(ids: np.ndarray, streams: int, window: int) -> StreamBatches:
    pairs = len(ids) - 1
    parts = [part for part in np.array_split(np.arange(pairs), streams) if len(part)]
    before, after, stream, begins = [], [], [], []
    for start in range(0, len(parts[0]), window):
        for number, part in enumerate(parts):
            place = part[start : start + window]
            if len(place):
                before.append(ids[place])
                after.append(ids[place + 1])
                stream.append(number)
                begins.append(start == 0)
    following = Ragged(after)
    x = {
        "ids": Ragged(before),
        "next": following,
        "stream": np.array(stream, "int32"),
        "begins": np.array(begins, "int32"),
    }
    return StreamBatches(x, following, streams)
