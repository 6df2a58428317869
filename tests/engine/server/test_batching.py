"""Requests that are computed together: rows counted, split, and never failed by another's."""

import asyncio
import threading

import numpy as np
import pytest

from zoo.server.batching import Batcher, BatchingOptions, can_merge
from zoo.server.status import Refused
from zoo.server.tensors import SignatureInfo, TensorInfo

TEXTS = SignatureInfo(
    {"words": TensorInfo("string", (None, None))},
    {"size": TensorInfo("int32", (None, None)), "length": TensorInfo("int32", (None,))},
)
NUMBERS = SignatureInfo(
    {"x": TensorInfo("float32", (None,)), "plus": TensorInfo("float32", ())},
    {"y": TensorInfo("float32", (None,))},
)


class Engine:
    """Computes `x + plus`, fails where `x` is negative; notes the rows of each call.

    It waits until `go` is set, so that requests gather.
    """

    def __init__(self):
        self.calls, self.go = [], threading.Event()

    def __call__(self, inputs):
        self.calls.append(len(inputs["x"]))
        assert self.go.wait(10)
        if (inputs["x"] < 0).any():
            raise Refused("INVALID_ARGUMENT", "x is negative.")
        return {"y": inputs["x"] + inputs["plus"]}


def numbers(*values, plus=0.0):
    return {"x": np.float32(values), "plus": np.float32(plus)}


def run(requests, engine, info=NUMBERS, **options):
    """Sends requests at once; returns what each gets, and lets the engine go when all wait."""

    async def main():
        batcher = Batcher(BatchingOptions(num_batch_threads=1, **options))
        tasks = [
            asyncio.create_task(batcher.compute(inputs, info, "key", engine)) for inputs in requests
        ]
        await asyncio.sleep(0.05)
        if hasattr(engine, "go"):
            engine.go.set()
        try:
            return await asyncio.gather(*tasks, return_exceptions=True)
        finally:
            assert batcher.rows_waiting == 0
            batcher.close()

    return asyncio.run(main())


def test_requests_that_wait_are_one_batch():
    engine = Engine()
    answers = run([numbers(i, i) for i in range(5)], engine, max_batch_size=8)
    assert [answer["y"].tolist() for answer in answers] == [[i, i] for i in range(5)]
    assert engine.calls == [8, 2]  # rows, not requests


def test_a_large_request_is_split():
    engine = Engine()
    (answer,) = run([numbers(*range(10))], engine, max_batch_size=4)
    assert answer["y"].tolist() == list(range(10))
    assert engine.calls == [4, 4, 2]


def test_options_that_differ_are_not_computed_together():
    engine = Engine()
    answers = run([numbers(1, plus=1), numbers(1, plus=2)], engine)
    assert [answer["y"].tolist() for answer in answers] == [[2], [3]]
    assert engine.calls == [1, 1]


def test_a_bad_row_fails_only_its_own_request():
    engine = Engine()
    good, bad, other = run([numbers(1), numbers(2, -1), numbers(3)], engine)
    assert isinstance(bad, Refused)
    assert good["y"].tolist() == [1]
    assert other["y"].tolist() == [3]
    assert engine.calls == [4, 1, 2, 1]


def test_a_full_queue_refuses_at_once():
    engine = Engine()
    answers = run([numbers(i, i) for i in range(6)], engine, max_batch_size=2, max_enqueued_rows=6)
    refused = [answer for answer in answers if isinstance(answer, Refused)]
    assert [error.code for error in refused] == ["UNAVAILABLE"] * 3
    assert refused[0].headers == {"Retry-After": "1"}
    assert engine.calls == [2, 2, 2]


def test_too_many_rows_and_wrong_shapes_are_refused():
    engine = Engine()
    engine.go.set()
    answers = run(
        [numbers(*range(20)), {"x": np.float32([[1]]), "plus": np.float32(0)}], engine, max_rows=10
    )
    assert [answer.code for answer in answers] == ["INVALID_ARGUMENT"] * 2
    assert not engine.calls


def test_lengths_are_bucketed_and_outputs_as_long_as_alone():
    calls = []

    def engine(inputs):
        calls.append(inputs["words"].shape)
        size = np.vectorize(len, otypes=[np.int32])(inputs["words"])
        return {"size": size, "length": np.int32((size > 0).sum(axis=1))}

    def words(count):
        row = np.empty((1, count), object)
        row[:] = b"ab"
        return {"words": row}

    answers = run([words(3), words(30), words(1000)], engine, TEXTS)
    assert [answer["size"].shape for answer in answers] == [(1, 3), (1, 30), (1, 1000)]
    assert calls == [(2, 30), (1, 1000)]


LABELS = SignatureInfo(
    {"text": TensorInfo("string", (None,))}, {"size": TensorInfo("int32", (None,))}
)


class Sizes(Engine):
    """Returns the length of each text."""

    def __call__(self, inputs):
        self.calls.append(sorted(map(len, inputs["text"])))
        assert self.go.wait(10)
        return {"size": np.int32([len(text) for text in inputs["text"]])}


def lengths(*sizes):
    array = np.empty(len(sizes), object)
    array[:] = [b"x" * size for size in sizes]
    return {"text": array}


def test_rows_of_a_request_that_differ_in_length_are_computed_apart():
    engine = Sizes()
    sizes = [10, 4000, 20, 4001] * 10
    first, second = run([lengths(*sizes), lengths(4002)], engine, LABELS, max_batch_size=64)
    assert first["size"].tolist() == sizes  # in their order
    assert second["size"].tolist() == [4002]
    assert engine.calls == [[4000] * 10 + [4001] * 10 + [4002], [10] * 10 + [20] * 10]


def test_few_rows_are_computed_together_whatever_their_lengths():
    engine = Sizes()
    run([lengths(10, 4000, 20)], engine, LABELS)
    assert engine.calls == [[10, 20, 4000]]


def test_a_batch_that_becomes_full_does_not_wait_any_longer():
    async def main():
        engine = Engine()
        engine.go.set()
        batcher = Batcher(BatchingOptions(max_batch_size=2, batch_timeout_micros=5_000_000))
        first = asyncio.create_task(batcher.compute(numbers(1), NUMBERS, "", engine))
        await asyncio.sleep(0.02)  # it waits for others
        assert not engine.calls
        second = asyncio.create_task(batcher.compute(numbers(2), NUMBERS, "", engine))
        answers = await asyncio.wait_for(asyncio.gather(first, second), 2)
        batcher.close()
        return engine.calls, [answer["y"].tolist() for answer in answers]

    assert asyncio.run(main()) == ([2], [[1], [2]])


def test_a_request_that_nobody_waits_for_is_dropped():
    async def main():
        engine = Engine()
        batcher = Batcher(BatchingOptions(num_batch_threads=1, max_batch_size=1))
        first = asyncio.create_task(batcher.compute(numbers(1), NUMBERS, "", engine))
        second = asyncio.create_task(batcher.compute(numbers(2), NUMBERS, "", engine))
        await asyncio.sleep(0.02)
        second.cancel()
        await asyncio.sleep(0)
        engine.go.set()
        await first
        await asyncio.sleep(0.02)
        batcher.close()
        return engine.calls, batcher.rows_waiting

    assert asyncio.run(main()) == ([1], 0)


@pytest.mark.parametrize(
    ("output", "merged"),
    [
        ({"y": ("float32", (None, 3))}, True),
        ({"y": ("float32", (None, None))}, False),  # how much of it is real is not known
        ({"y": ("float32", (None, None)), "length": ("int32", (None,))}, True),
        ({"y": ("float32", (None, 3, None)), "length": ("int32", (None,))}, False),
        ({"y": ("float32", ())}, False),
    ],
)
def test_which_rows_may_be_computed_together(output, merged):
    outputs = {name: TensorInfo(*each) for name, each in output.items()}
    assert can_merge(SignatureInfo(NUMBERS.inputs, outputs)) is merged
