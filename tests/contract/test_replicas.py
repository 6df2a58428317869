"""Two replicas train what one trains; on two logical CPU devices, which every machine has."""

import numpy as np
import pytest

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
    # Clipped gradients are the smaller, and rounding the larger: unit/test_health.py clips.
    still |= {"clip_norm": 0, "units": 32}
    # Of 8 rows: 6 + 2; and 3 + 3 + 2, which two replicas cannot halve.
    ways = ((6, "none", 2), (6, "mirrored", 2), (3, "none", 1), (3, "mirrored", 1))
    for batch_size, strategy, epochs in ways:
        zoo.train(
            name, f"{folder}/{name}-{batch_size}-{strategy}", data="sample",
            settings={"epochs": epochs, "batch_size": batch_size, **still},
            strategy=strategy, quiet=True,
        )
"""


@pytest.fixture(scope="module")
def runs(shared, chosen_names):
    return shared("replicas", TRAIN, chosen_names)


def test_two_replicas_equal_one_at_the_same_global_batch(chosen, runs, weights):
    from zoo.training import Run

    one, two = (runs / f"{chosen}-6-{strategy}" for strategy in ("none", "mirrored"))
    for alone, shared in zip(Run(one).history, Run(two).history, strict=True):
        assert alone.keys() == shared.keys()
        for key in alone:
            # Adam blows the rounding of the tiniest gradients up to a whole step.
            close = 0.02 if key.startswith(("update/", "gradient_norm")) else 1e-3
            assert shared[key] == pytest.approx(alone[key], rel=close), key
    alone, shared = weights(one / "model-last.keras"), weights(two / "model-last.keras")
    assert alone.keys() == shared.keys()
    # By their norms, for the same reason; Adam's moments are among the arrays and tell a gradient
    # of another size.
    for key in alone:
        distance = np.linalg.norm(shared[key].astype(float) - alone[key])
        assert distance <= 0.02 * np.linalg.norm(alone[key]) + 1e-6, key


def test_batches_that_two_replicas_cannot_halve_train_too(chosen, runs):
    from zoo.training import Run

    alone, shared = (
        Run(runs / f"{chosen}-3-{strategy}").history for strategy in ("none", "mirrored")
    )
    for one, other in zip(alone, shared, strict=True):
        assert other["loss"] == pytest.approx(one["loss"], rel=0.2)
        assert other["val_loss"] == pytest.approx(one["val_loss"], rel=0.2)
