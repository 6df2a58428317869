import numpy as np
import pytest

from zoo.data import Batches
from zoo.data.batching import Ragged
from zoo.training import other_load, throughput
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
    order = [np.array([0, 1]), np.array([2]), np.array([0])]
    speed, state = throughput.Throughput(batches(), order), State()

    def at(moment, what):
        now[0] = moment
        what()

    at(1.0, speed.begin)
    at(1.9, speed.made)  # of the first step, whose wait is that for input and graph to be made
    at(2.0, lambda: speed.end(state))
    at(2.1, speed.begin)
    at(2.6, speed.made)  # half a second late
    at(2.7, speed.made)  # before its step begins
    at(3.1, lambda: speed.end(state))
    at(3.1, speed.begin)
    at(4.1, lambda: speed.end(state))
    assert (state.first, state.waited) == (1.0, pytest.approx(0.5))
    state.seconds, state.epoch_seconds, state.other_cores = 3.0, [1.0, 1.96], [0.3, None, 0.5]
    assert throughput.measured(state) == {
        "epoch_seconds": [1.0, 2.0],
        "other_cores": pytest.approx(0.4),
        "idle": False,
        "train_examples_per_second": round(4 / 3, 1),
        "train_tokens_per_second": round(11 / 3, 1),
        "padding": round(2 / 13, 4),
        "input_wait": 0.25,
    }
    assert throughput.summary(state) == (
        "training: 1 examples/s, 4 tokens/s, 15.4% padding, 25.0% of the time waiting for input"
    )


def test_a_run_of_first_steps_says_nothing_about_waiting():
    state = State(rows=10, seconds=2.0, first=2.0)
    assert throughput.measured(state)["input_wait"] is None
    assert "waiting" not in throughput.summary(state)


def test_without_sequences_only_examples_are_counted():
    state = State(rows=10, seconds=2.0)
    assert throughput.measured(state)["padding"] is None
    assert throughput.summary(state) == (
        "training: 5 examples/s, 0.0% of the time waiting for input"
    )


def test_the_load_of_other_processes_is_what_the_machine_did_besides(monkeypatch):
    values = {"machine": 100.0, "own": 5.0, "clock": 50.0}
    monkeypatch.setattr(other_load, "machine_seconds", lambda: values["machine"])
    monkeypatch.setattr(other_load.time, "process_time", lambda: values["own"])
    monkeypatch.setattr(other_load.time, "perf_counter", lambda: values["clock"])
    load = other_load.OtherLoad()
    values |= {"machine": 113.0, "own": 15.0, "clock": 60.0}  # 13 s, 10 of them ours, in 10 s
    assert load.cores() == pytest.approx(0.3)
    values["machine"] = 109.9  # clock ticks are coarse
    assert load.cores() == 0
    values["machine"] = None
    assert load.cores() is None


def test_the_seconds_of_a_machine_are_those_of_its_busy_cores(tmp_path):
    stat = tmp_path / "stat"
    stat.write_text("cpu  1000 200 300 90000 5000 40 50 60 7 8\ncpu0 1 2 3 4 5 6 7 8 9 10\n")
    seconds = other_load.machine_seconds(stat)
    assert seconds == pytest.approx(1650 / other_load.os.sysconf("SC_CLK_TCK"))
    stat.write_text("nothing")
    assert other_load.machine_seconds(stat) is None
    assert other_load.machine_seconds(tmp_path / "missing") is None


def test_a_machine_is_idle_if_others_use_less_than_a_tenth_of_a_core():
    state = State(rows=10, seconds=2.0, other_cores=[0.09])
    assert throughput.measured(state)["idle"] is True
    state.other_cores = [None]
    assert throughput.measured(state)["idle"] is None
