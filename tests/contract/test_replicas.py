"""Two replicas train what one trains; on two logical CPU devices, which every machine has."""

import sys

import numpy as np
import pytest

import zoo

NAMES = [row["name"] for row in zoo.list_models()]

# Logical devices have to be made before TensorFlow does anything else.
TRAIN = """
import dataclasses, sys
import tensorflow as tf

cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
tf.config.set_visible_devices([], "GPU")

import zoo
from zoo.training import fit

fit._finish = lambda *_: None  # what comes after training is the same on one replica
folder, *names = sys.argv[1:]
for name in names:
    config = zoo.get_recipe(name).config
    still = {f.name: 0.0 for f in dataclasses.fields(config) if "dropout" in f.name}
    for batch_size in (6, 3):  # 8 rows: 6 + 2, and 3 + 3 + 2, which two replicas cannot halve
        for strategy in ("none", "mirrored"):
            zoo.train(
                name, f"{folder}/{name}-{batch_size}-{strategy}", data="sample",
                settings={"epochs": 2, "patience": 0, "batch_size": batch_size, **still},
                strategy=strategy, quiet=True,
            )
"""


@pytest.fixture(scope="module")
def runs(tmp_path_factory, python):
    folder = tmp_path_factory.mktemp("replicas")
    python([sys.executable, "-c", TRAIN, folder, *NAMES])
    return folder


@pytest.mark.parametrize("name", NAMES)
def test_two_replicas_equal_one_at_the_same_global_batch(name, runs, weights):
    from zoo.training import Run

    one, two = (runs / f"{name}-6-{strategy}" for strategy in ("none", "mirrored"))
    for alone, shared in zip(Run(one).history, Run(two).history, strict=True):
        assert alone.keys() == shared.keys()
        for key in alone:
            assert shared[key] == pytest.approx(alone[key], rel=1e-4), key
    alone, shared = weights(one / "model-last.keras"), weights(two / "model-last.keras")
    assert alone.keys() == shared.keys()
    for key in alone:  # Adam divides tiny gradients by their own size: their rounding shows
        np.testing.assert_allclose(shared[key], alone[key], rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("name", NAMES)
def test_batches_that_two_replicas_cannot_halve_train_too(name, runs):
    from zoo.training import Run

    alone, shared = (
        Run(runs / f"{name}-3-{strategy}").history for strategy in ("none", "mirrored")
    )
    for one, two in zip(alone, shared, strict=True):
        assert two["loss"] == pytest.approx(one["loss"], rel=0.2)
        assert two["learning_rate"] == pytest.approx(one["learning_rate"])
