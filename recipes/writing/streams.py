"""Running text in parallel streams: the state of a network is carried from batch to batch."""

from __future__ import annotations

import dataclasses

import numpy as np

from zoo.data import Batches
from zoo.data.batching import Ragged
from zoo.errors import ZooError


@dataclasses.dataclass(frozen=True)
class StreamBatches(Batches):
    """Batches of windows in the order of the text; the order is the same in each epoch.

    Row s of batch k is window k of stream s. Streams are as long as each other, or one id shorter,
    so that the last batch may have fewer rows.
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
    """Cuts running text into streams of windows.

    Each epoch begins at another place of the text, so that it is cut elsewhere.

    Args:
      ids: of the whole text, int32 `(time,)`.
      streams: how many are read side by side: rows of a batch; fewer of a very short text.
      window: ids of a row, at most.

    Returns:
      x: `ids` and `next`, the ids and those after them, ragged int32 `(rows, (time))`; `stream`
      and `begins`, int32 `(rows,)`: the number of the stream from 0, and 1 where its state is
      empty before. y: the ids after them.

    Raises:
      ZooError: there are not two ids.
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
