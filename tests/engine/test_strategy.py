import signal
import subprocess
import sys
from types import SimpleNamespace

import keras
import pytest
import tensorflow as tf

from zoo.errors import UsageError, WorkersLost
from zoo.training import workers
from zoo.training.launcher import free_addresses
from zoo.training.strategy import check_batch_size, dtype_policy, make_strategy, meet


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
        ({"CPU": 1}, "multiworker", "needs a list of workers"),
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


def test_auto_follows_a_cluster_of_several(monkeypatch):
    monkeypatch.setattr("zoo.training.strategy._join", lambda cluster: cluster.addresses)
    for number, expected in ((1, tf.distribute.get_strategy()), (2, ("a:1", "b:1"))):
        monkeypatch.setenv("ZOO_HOSTS", "a:1,b:1"[: 4 * number - 1])
        monkeypatch.setenv("ZOO_INDEX", "0")
        assert make_strategy("auto") == expected
        assert make_strategy("multiworker") == ("a:1", "b:1")[:number]
        assert make_strategy("none") is tf.distribute.get_strategy()


def test_who_trains_alone_meets_nobody(monkeypatch):
    monkeypatch.setenv("ZOO_HOSTS", "a:1")
    monkeypatch.setenv("ZOO_INDEX", "0")
    assert meet("multiworker", {}, lambda: False) is None
    assert meet("none", {}, lambda: False) is None


def test_while_waiting_a_line_says_for_whom(monkeypatch, capsys):
    mine, other = free_addresses(2)
    monkeypatch.setenv("ZOO_HOSTS", f"{mine},{other}")
    monkeypatch.setenv("ZOO_INDEX", "0")
    monkeypatch.setenv("ZOO_WORKER_TIMEOUT", "3")
    monkeypatch.setattr("zoo.handshake.LINGER", 0.1)
    with pytest.raises(WorkersLost, match=f"within 3 s: no answer from {other}"):
        meet("multiworker", {}, lambda: False)
    assert f"Waiting for {other} until " in capsys.readouterr().err


def test_what_joining_waits_too_long_for_ends_the_process():
    code = (
        "import time\nfrom zoo.training.strategy import _ended_after\n"
        "with _ended_after(0.1):\n    pass\n"
        "time.sleep(0.5)\nprint('goes on', flush=True)\n"
        "with _ended_after(0.5):\n    time.sleep(30)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == -signal.SIGKILL
    assert done.stdout == "goes on\n"
    line = "Error: Another worker is gone: TensorFlow has waited for it for 0.5 s."
    assert line in done.stderr.splitlines()


def test_one_process_agrees_with_itself():
    alone = workers.Workers(tf.distribute.get_strategy())
    assert alone.chief
    assert alone.agree(True, False) == [True, False]
    alone.wait()
    alone.check_same({"data": "anything"})
    assert alone.of_chief("mine") == "mine"


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
