import keras
import pytest
import tensorflow as tf

from zoo.errors import UsageError
from zoo.training.strategy import dtype_policy, make_strategy


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
    assert make_strategy("auto", 8) is tf.distribute.get_strategy()
    assert make_strategy("none", 8) is tf.distribute.get_strategy()


def test_several_gpus_are_mirrored_over_unless_told_not_to(devices):
    devices(CPU=1, GPU=3)
    assert make_strategy("auto", 8) == ["/GPU:0", "/GPU:1", "/GPU:2"]
    assert make_strategy("mirrored", 8) == ["/GPU:0", "/GPU:1", "/GPU:2"]
    assert make_strategy("none", 8) is tf.distribute.get_strategy()


def test_logical_cpus_stand_in_for_gpus(devices):
    devices(CPU=2)
    assert make_strategy("mirrored", 8) == ["/CPU:0", "/CPU:1"]


@pytest.mark.parametrize(
    ("numbers", "name", "batch_size", "message"),
    [
        ({"CPU": 1}, "mirrored", 8, "needs at least two devices; this machine shows 1"),
        ({"GPU": 1}, "mirrored", 8, "needs at least two devices"),
        ({"CPU": 2}, "mirrored", 1, "1 rows cannot be shared by 2 replicas"),
        ({"GPU": 4}, "auto", 3, "Raise --batch-size"),
        ({"CPU": 1}, "miror", 8, r"Unknown strategy 'miror'. Did you mean 'mirrored'\?"),
    ],
)
def test_what_cannot_work_is_said(devices, numbers, name, batch_size, message):
    devices(**numbers)
    with pytest.raises(UsageError, match=message):
        make_strategy(name, batch_size)


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
