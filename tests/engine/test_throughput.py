import numpy as np
import pytest

from zoo.data import Batches
from zoo.data.batching import Ragged
from zoo.training import throughput
from zoo.training.checkpoint import State


def batches():
    words = Ragged([np.ones(length, np.int32) for length in (2, 4, 3)])
    return Batches({"words": words, "known": np.zeros((3, 5))}, np.arange(3), batch_size=2)


def test_tokens_and_places_are_those_of_the_ragged_inputs():
    sizes = batches().sizes([np.array([0, 1]), np.array([2])])
    np.testing.assert_array_equal(sizes, [[2, 6, 8], [1, 3, 3]])
    two = batches()
    two.x["tags"] = Ragged([np.ones(length, np.int32) for length in (1, 1, 5)])
    np.testing.assert_array_equal(two.sizes([np.array([0, 2])]), [[2, 11, 6 + 10]])
    arrays = Batches(np.zeros((3, 5)), np.arange(3), batch_size=2)
    np.testing.assert_array_equal(arrays.sizes([np.array([0, 1])]), [[2, 0, 0]])


def test_a_step_waits_from_its_begin_until_its_batch_is_made(monkeypatch):
    now = [0.0]
    monkeypatch.setattr(throughput.time, "perf_counter", lambda: now[0])
    speed, state = throughput.Throughput(batches(), [np.array([0, 1]), np.array([2])]), State()

    def at(moment, what):
        now[0] = moment
        what()

    at(1.0, speed.begin)
    at(1.5, speed.made)  # half a second late
    at(1.7, speed.made)  # before its step begins
    at(2.0, lambda: speed.end(state))
    at(2.1, speed.begin)
    at(3.0, lambda: speed.end(state))
    assert state.waited == pytest.approx(0.5)
    state.seconds = 2.0
    assert throughput.measured(state) == {
        "train_examples_per_second": 1.5,
        "train_tokens_per_second": 4.5,
        "padding": round(2 / 11, 4),
        "input_wait": 0.25,
    }
    assert throughput.summary(state) == (
        "training: 2 examples/s, 4 tokens/s, 18.2% padding, 25.0% of the time waiting for input"
    )


def test_without_sequences_only_examples_are_counted():
    state = State(rows=10, seconds=2.0)
    assert throughput.measured(state)["padding"] is None
    assert throughput.summary(state) == (
        "training: 5 examples/s, 0.0% of the time waiting for input"
    )
