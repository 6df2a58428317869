"""Dynamic batching: one queue for all requests, whose rows are combined to batches.

If a worker is idle, a request is computed at once. Otherwise it waits; waiting rows of the same
signature, with the same options and of similar length, form one batch for the next idle worker.
Limits count rows, not requests. A request that is larger than a batch is split, and so is one whose
rows differ widely in length.

If a batch fails, its requests are computed one by one, so that an invalid row of one client does
not affect another client.
"""

from __future__ import annotations

import asyncio
import dataclasses
import functools
import time
from collections.abc import Callable, Hashable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from zoo.server.status import Refused, invalid
from zoo.server.tensors import SignatureInfo, TensorInfo

FEW = 16  # rows
SHORT = 32  # steps; shorter rows share one bucket
BYTES = 4  # bytes of text that count as one step
LENGTH = "length"  # the output with the number of real steps of each row

Arrays = dict[str, np.ndarray]
Engine = Callable[[Arrays], Arrays]


@dataclasses.dataclass(frozen=True)
class BatchingOptions:
    """Options of dynamic batching.

    Attributes:
      max_batch_size: maximum number of rows per batch.
      batch_timeout_micros: how long the first row of a batch waits for others if a worker is idle.
      max_enqueued_rows: maximum number of waiting rows; further requests are rejected at once.
      num_batch_threads: number of workers.
      pad_variable_length_inputs: whether rows of unequal length may share a batch, padded with 0 or
        "" on the right.
      max_rows: maximum number of rows per request.
    """

    max_batch_size: int = 64
    batch_timeout_micros: int = 0
    max_enqueued_rows: int = 4096
    num_batch_threads: int = 2
    pad_variable_length_inputs: bool = True
    max_rows: int = 1024


@dataclasses.dataclass(eq=False)
class _Part:
    """Waiting rows: a request, or a part of a split request."""

    inputs: Arrays
    rows: int
    key: Hashable
    bucket: int
    engine: Engine
    info: SignatureInfo
    future: asyncio.Future
    since: float


class Batcher:
    """A queue with workers; used from one event loop.

    Attributes:
      options: the options of batching.
      rows_waiting: number of rows in the queue.
      on_batch: called with the number of rows of each batch, from a worker's thread.
    """

    def __init__(
        self,
        options: BatchingOptions,
        on_batch: Callable[[int], None] = lambda rows: None,
    ) -> None:
        self.options = options
        self.on_batch = on_batch
        self.rows_waiting = 0
        self._waiting: list[_Part] = []
        self._idle = options.num_batch_threads
        self._pool = ThreadPoolExecutor(options.num_batch_threads, "zoo-batch")
        self._timer: asyncio.TimerHandle | None = None

    async def compute(
        self,
        inputs: Arrays,
        info: SignatureInfo,
        key: Hashable,
        engine: Engine,
    ) -> Arrays:
        """Computes the rows of a request, possibly batched with other requests.

        Args:
          inputs: arrays by name, for all inputs of the signature.
          info: the signature.
          key: requests can only share a batch if their keys are equal.
          engine: computes the outputs of rows from their inputs.

        Returns:
          The outputs of these rows.

        Raises:
          Refused: the queue is full, the inputs are inconsistent, or the graph rejects them.
        """
        rows = rows_of(inputs, info)
        if rows is not None and rows > self.options.max_rows:
            raise invalid(
                f"The request has {rows} rows; {self.options.max_rows} is the maximum. Split the "
                "request."
            )
        waiting = self.rows_waiting
        if waiting and waiting + (rows or 1) > self.options.max_enqueued_rows:
            raise Refused(
                "UNAVAILABLE",
                f"The batch queue is full ({waiting} rows wait). Try again later.",
                Retry_After=1,
            )
        made = self._parts(inputs, rows, info, key, engine)
        parts = [part for part, _ in made]
        self._waiting += parts
        self.rows_waiting += sum(part.rows for part in parts)
        self._schedule()
        try:
            answers = await asyncio.gather(*(part.future for part in parts))
        finally:
            for part in parts:
                part.future.cancel()
        return answers[0] if len(answers) == 1 else _joined(answers, [place for _, place in made])

    def close(self) -> None:
        """Stops the workers after their current batch."""
        if self._timer is not None:
            self._timer.cancel()
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _parts(
        self,
        inputs: Arrays,
        rows: int | None,
        info: SignatureInfo,
        key: Hashable,
        engine: Engine,
    ) -> list[tuple[_Part, np.ndarray]]:
        """Returns the parts of a request, longest rows first, and the indices of their rows."""
        now, loop = time.monotonic(), asyncio.get_running_loop()

        def part(chosen: Arrays, count: int, group: Hashable, bucket: int) -> _Part:
            return _Part(chosen, count, group, bucket, engine, info, loop.create_future(), now)

        size = self.options.max_batch_size
        if not rows or not can_split(info):
            return [(part(inputs, rows or 1, object(), 0), np.arange(rows or 1))]
        if can_merge(info):
            likeness, buckets = self._likeness(inputs, rows, info)
            group: Hashable = (key, likeness)
        else:
            group, buckets = object(), np.zeros(rows, int)
        if rows <= size and (buckets == buckets[0]).all():
            return [(part(inputs, rows, group, int(buckets[0])), np.arange(rows))]
        made = []
        for bucket in np.unique(buckets)[::-1]:
            places = np.flatnonzero(buckets == bucket)
            for start in range(0, len(places), size):
                index = places[start : start + size]
                chosen = _take(inputs, info, index)
                made.append((part(chosen, len(index), group, int(bucket)), index))
        return made

    def _likeness(
        self, inputs: Arrays, rows: int, info: SignatureInfo
    ) -> tuple[Hashable, np.ndarray]:
        """Returns a key, equal for rows that can share a batch, and the length bucket of each row.

        Buckets are powers of two.
        """
        likeness: list[Hashable] = []
        lengths = np.full(rows, SHORT)
        for name in sorted(inputs):
            array, spec = inputs[name], info.inputs[name]
            if array.ndim == 0:
                likeness.append((name, array.item()))
                continue
            if self.options.pad_variable_length_inputs and can_pad(spec):
                lengths = np.maximum(lengths, array.shape[1])
            else:
                likeness.append((name, array.shape[1:]))
            if array.dtype == object and array.size:
                texts = array.reshape(len(array), -1)
                size = np.array([sum(map(len, row)) for row in texts])
                lengths = np.maximum(lengths, size // BYTES)
        return tuple(likeness), np.ceil(np.log2(lengths)).astype(int)

    def _schedule(self, delay: float = 0.0) -> None:
        """Schedules a dispatch after a delay, and cancels an earlier one."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_later(delay, self._dispatch)

    def _dispatch(self) -> None:
        self._timer = None
        self._drop_abandoned()
        while self._idle and self._waiting:
            first = self._waiting[0]
            batch = self._batch_of(first)
            rows = sum(part.rows for part in batch)
            left = first.since + self.options.batch_timeout_micros / 1e6 - time.monotonic()
            if left > 0 and rows < self.options.max_batch_size:
                self._schedule(left)
                return
            taken = set(batch)
            self._waiting = [part for part in self._waiting if part not in taken]
            self.rows_waiting -= rows
            self._idle -= 1
            loop = asyncio.get_running_loop()
            task = loop.run_in_executor(self._pool, self._compute, batch)
            task.add_done_callback(functools.partial(self._finish, batch))

    def _batch_of(self, first: _Part) -> list[_Part]:
        """Returns the batch of the part that has waited longest.

        It combines parts of similar length (within a factor of two), to limit padding. A step of a
        few rows takes as long as that of a single row, so shorter parts are added while the batch
        is small.
        """
        alike = [part for part in self._waiting if part.key == first.key and part is not first]
        batch, rows = [first], first.rows
        for part in alike:
            if part.bucket == first.bucket and rows + part.rows <= self.options.max_batch_size:
                batch.append(part)
                rows += part.rows
        for part in sorted(alike, key=lambda part: -part.bucket):  # stable: oldest first
            few = min(FEW, self.options.max_batch_size)
            if part.bucket < first.bucket and rows + part.rows <= few:
                batch.append(part)
                rows += part.rows
        return batch

    def _drop_abandoned(self) -> None:
        """Drops parts that timed out or whose client disconnected."""
        dropped = [part for part in self._waiting if part.future.done()]
        if dropped:
            self.rows_waiting -= sum(part.rows for part in dropped)
            self._waiting = [part for part in self._waiting if not part.future.done()]

    def _finish(self, batch: list[_Part], done: asyncio.Future) -> None:
        self._idle += 1
        results = [] if done.cancelled() else done.exception() or done.result()
        for place, part in enumerate(batch):
            if part.future.done():
                continue
            if isinstance(results, BaseException):
                part.future.set_exception(results)
            elif not results:
                part.future.set_exception(Refused("UNAVAILABLE", "The server stops."))
            elif isinstance(results[place], Refused):
                part.future.set_exception(results[place])
            else:
                part.future.set_result(results[place])
        if self._waiting:
            self._schedule()

    def _compute(self, batch: list[_Part]) -> Sequence[Arrays | Refused]:
        """Computes a batch in a worker's thread; returns the outputs or the error of each part.

        If the batch fails, its parts are computed one by one.
        """
        rows = sum(part.rows for part in batch)
        try:
            if len(batch) == 1:
                return [batch[0].engine(batch[0].inputs)]
            inputs = _merged([part.inputs for part in batch])
            outputs = batch[0].engine(inputs)
            return _split(outputs, [part.rows for part in batch], batch[0].info)
        except Refused as error:
            if len(batch) == 1:
                return [error]
            return [self._compute([part])[0] for part in batch]
        finally:
            self.on_batch(rows)


def rows_of(inputs: Mapping[str, np.ndarray], info: SignatureInfo) -> int | None:
    """Returns the number of rows of a request; None if the signature does not have rows.

    Raises:
      Refused: the shape of an input does not match the signature, or numbers of rows differ.
    """
    sizes = {}
    for name, array in inputs.items():
        shape = info.inputs[name].shape
        if shape is None:
            return None
        if array.ndim != len(shape) or any(
            axis is not None and axis != size for axis, size in zip(shape, array.shape, strict=True)
        ):
            shown = ", ".join("-1" if axis is None else str(axis) for axis in shape)
            raise invalid(
                f"Input {name!r} has the shape ({', '.join(map(str, array.shape))}); expected "
                f"({shown}), where -1 is any size."
            )
        if shape and shape[0] is None:
            sizes[name] = array.shape[0]
    if len(set(sizes.values())) > 1:
        listed = ", ".join(f"{name} {size}" for name, size in sizes.items())
        raise invalid(f"The inputs differ in their number of rows ({listed}).")
    return next(iter(sizes.values()), None)


def can_split(info: SignatureInfo) -> bool:
    """Whether each row of a signature has its own answer: first axes are dynamic."""
    return all(not t.shape or t.shape[0] is None for t in info.inputs.values()) and all(
        t.shape and t.shape[0] is None for t in info.outputs.values()
    )


def can_merge(info: SignatureInfo) -> bool:
    """Whether rows of several requests can share a batch without a change of their answers.

    Outputs of dynamic size, such as over time, are cut to the `length` of each request.
    """
    open_axes = [t for t in info.outputs.values() if t.shape and None in t.shape[1:]]
    by_length = all(t.shape and None not in t.shape[2:] for t in open_axes)
    return can_split(info) and (not open_axes or (LENGTH in info.outputs and by_length))


def can_pad(spec: TensorInfo) -> bool:
    """Whether an input may be padded: sequences of texts or numbers, of any length."""
    return spec.shape is not None and len(spec.shape) == 2 and spec.shape[1] is None


def _take(inputs: Arrays, info: SignatureInfo, index: np.ndarray) -> Arrays:
    return {n: array[index] if info.inputs[n].rank else array for n, array in inputs.items()}


def _merged(requests: list[Arrays]) -> Arrays:
    return {
        name: array if array.ndim == 0 else _stacked([each[name] for each in requests])
        for name, array in requests[0].items()
    }


def _stacked(arrays: list[np.ndarray]) -> np.ndarray:
    """Concatenates rows; shorter ones are padded with 0 or ""."""
    if len({array.shape[1:] for array in arrays}) == 1:
        return np.concatenate(arrays)
    shape = np.max([array.shape[1:] for array in arrays], axis=0)
    filler: Any = b"" if arrays[0].dtype == object else 0
    rows = sum(len(array) for array in arrays)
    stacked = np.full((rows, *shape), filler, arrays[0].dtype)
    start = 0
    for array in arrays:
        place = (slice(start, start + len(array)), *map(slice, array.shape[1:]))
        stacked[place] = array
        start += len(array)
    return stacked


def _split(outputs: Arrays, counts: list[int], info: SignatureInfo) -> list[Arrays]:
    """Returns the outputs of each request, cut over time to the length of its own rows."""
    answers, start = [], 0
    for count in counts:
        mine = {name: value[start : start + count] for name, value in outputs.items()}
        if LENGTH in mine:
            longest = int(mine[LENGTH].max(initial=0))
            for name, value in mine.items():
                shape = info.outputs[name].shape
                if shape and len(shape) > 1 and shape[1] is None:
                    mine[name] = value[:, :longest]
        answers.append(mine)
        start += count
    return answers


def _joined(answers: Sequence[Arrays], places: list[np.ndarray]) -> Arrays:
    """Returns the outputs of a split request, in the order of its rows."""
    order = np.argsort(np.concatenate(places))
    return {name: _stacked([answer[name] for answer in answers])[order] for name in answers[0]}
