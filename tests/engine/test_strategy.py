import json
import socket
import threading
from types import SimpleNamespace

import keras
import pytest
import tensorflow as tf

from zoo.errors import UsageError, ZooError
from zoo.training import workers
from zoo.training.launcher import free_addresses
from zoo.training.strategy import check_batch_size, dtype_policy, make_strategy


@pytest.fixture
def devices(monkeypatch):
    """Sets how many devices of each kind TensorFlow shows."""

    def show(**numbers):
        shown = {kind: [tf.config.LogicalDevice(f"/{kind}:{i}", kind) for i in range(number)]
                 for kind, number in numbers.items()}  # fmt: skip
        monkeypatch.setattr(tf.config, "list_logical_devices", lambda kind: shown.get(kind, []))

    monkeypatch.setattr(tf.distribute, "MirroredStrategy", lambda devices: list(devices))
    monkeypatch.setattr("zoo.training.strategy._mirrored", list)
    return show


def test_one_device_needs_no_strategy(devices):
    devices(CPU=2, GPU=1)
    assert make_strategy("auto") is tf.distribute.get_strategy()
    assert make_strategy("none") is tf.distribute.get_strategy()


def test_several_gpus_are_mirrored_over_unless_told_not_to(devices):
    devices(CPU=1, GPU=3)
    assert make_strategy("auto") == ["/GPU:0", "/GPU:1", "/GPU:2"]
    assert make_strategy("mirrored") == ["/GPU:0", "/GPU:1", "/GPU:2"]
    assert make_strategy("none") is tf.distribute.get_strategy()


def test_logical_cpus_stand_in_for_gpus(devices):
    devices(CPU=2)
    assert make_strategy("mirrored") == ["/CPU:0", "/CPU:1"]


@pytest.mark.parametrize(
    ("numbers", "name", "message"),
    [
        ({"CPU": 1}, "mirrored", "needs at least two devices; this machine shows 1"),
        ({"GPU": 1}, "mirrored", "needs at least two devices"),
        ({"CPU": 1}, "miror", r"Unknown strategy 'miror'. Did you mean 'mirrored'\?"),
        ({"CPU": 1}, "multiworker", "finds neither TF_CONFIG nor Slurm's variables"),
    ],
)
def test_what_cannot_work_is_said(devices, numbers, name, message):
    devices(**numbers)
    with pytest.raises(UsageError, match=message):
        make_strategy(name)


def test_every_replica_needs_a_row():
    strategy = SimpleNamespace(num_replicas_in_sync=4)
    check_batch_size(4, strategy)
    with pytest.raises(UsageError, match=r"3 rows cannot be shared by 4 replicas\. Raise --batch"):
        check_batch_size(3, strategy)


CLUSTER = {"worker": ["a:1", "b:1"]}


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ("{", "TF_CONFIG cannot be read"),
        ("[]", "TF_CONFIG cannot be read"),
        ({"cluster": CLUSTER}, "TF_CONFIG cannot be read"),
        ({"cluster": CLUSTER, "task": {"type": "worker", "index": 2}}, "task worker 2 of"),
        ({"cluster": CLUSTER, "task": {"type": "chief", "index": 0}}, "task chief 0 of"),
        (
            {"cluster": {**CLUSTER, "ps": ["c:1"]}, "task": {"type": "ps", "index": 0}},
            "only chief and worker train",
        ),
    ],
)
@pytest.mark.parametrize("name", ["auto", "multiworker"])
def test_a_cluster_that_is_none_is_said(monkeypatch, config, message, name):
    monkeypatch.setenv("TF_CONFIG", config if isinstance(config, str) else json.dumps(config))
    with pytest.raises(UsageError, match=message):
        make_strategy(name)


def test_auto_follows_a_cluster_of_several(monkeypatch):
    monkeypatch.setattr("zoo.training.strategy._join", lambda: "joined")
    for number, expected in ((1, tf.distribute.get_strategy()), (2, "joined")):
        task = {"type": "worker", "index": 0}
        config = {"cluster": {"worker": ["a:1", "b:1"][:number]}, "task": task}
        monkeypatch.setenv("TF_CONFIG", json.dumps(config))
        assert make_strategy("auto") == expected
        assert make_strategy("multiworker") == "joined"
        assert make_strategy("none") is tf.distribute.get_strategy()


def test_slurm_says_who_a_worker_is(monkeypatch):
    for name, value in {
        "SLURM_STEP_NODELIST": "node[1-2]",
        "SLURM_STEP_NUM_TASKS": "4",
        "SLURM_STEP_TASKS_PER_NODE": "2(x2)",
        "SLURM_PROCID": "3",
    }.items():
        monkeypatch.setenv(name, value)
    found = workers.resolver()
    assert workers.size(found) == 4
    addresses = found.cluster_spec().as_dict()["worker"]
    assert [address.split(":")[0] for address in addresses] == ["node1"] * 2 + ["node2"] * 2
    assert len(set(addresses)) == 4
    assert (found.task_type, found.task_id) == ("worker", 3)


def test_workers_that_do_not_come_are_named(monkeypatch):
    mine, other = free_addresses(2)
    task = {"type": "worker", "index": 0}
    config = {"cluster": {"worker": [mine, other]}, "task": task}
    monkeypatch.setenv("TF_CONFIG", json.dumps(config))
    monkeypatch.setenv("ZOO_WORKER_TIMEOUT", "0.5")
    with pytest.raises(ZooError, match=f"within 0.5 s: nobody listens at {other}"):
        make_strategy("multiworker")
    port = int(mine.partition(":")[2])
    with (
        socket.create_server(("", port)),
        pytest.raises(ZooError, match=f"cannot listen at {mine}"),
    ):
        make_strategy("multiworker")


def test_workers_that_come_late_are_waited_for(monkeypatch):
    mine, other = free_addresses(2)
    config = {"cluster": {"worker": [mine, other]}, "task": {"type": "worker", "index": 0}}
    monkeypatch.setenv("TF_CONFIG", json.dumps(config))
    come = threading.Timer(
        0.5, lambda: late.append(socket.create_server(("", int(other.partition(":")[2]))))
    )
    late = []
    come.start()
    workers.meet(workers.resolver(), 10.0)
    come.join()
    late[0].close()


@pytest.mark.parametrize("text", ["soon", "0", "-1"])
def test_a_time_limit_is_a_positive_number(monkeypatch, text):
    monkeypatch.setenv("ZOO_WORKER_TIMEOUT", text)
    with pytest.raises(UsageError, match=f"ZOO_WORKER_TIMEOUT is '{text}'"):
        workers.patience()


def test_one_process_agrees_with_itself():
    alone = workers.Workers(tf.distribute.get_strategy())
    assert alone.chief
    assert alone.agree(True, False) == [True, False]
    alone.wait()
    alone.check_same("anything", "data")


def test_a_precision_holds_inside_only():
    before = keras.config.dtype_policy()
    with dtype_policy("mixed_bfloat16"):
        assert keras.layers.Dense(1).compute_dtype == "bfloat16"
    assert keras.config.dtype_policy() == before

    def fail():
        with dtype_policy("mixed_float16"):
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert keras.config.dtype_policy() == before
    with (
        pytest.raises(UsageError, match=r"Unknown precision 'float16'. Did you mean"),
        dtype_policy("float16"),
    ):
        pass
