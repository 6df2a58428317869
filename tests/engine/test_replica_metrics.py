"""The running metrics of several replicas come back to the last bit, inside an epoch."""

import subprocess
import sys

# Of three replicas, whose sum a third of each would not give again. Logical devices have to be
# made before TensorFlow does anything else.
SCRIPT = """
import sys
import numpy as np
import tensorflow as tf

cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 3)

import keras
from zoo.data import Batches
from zoo.training import checkpoint, diagnostics, replicas
from zoo.training.strategy import make_strategy

folder = __import__("pathlib").Path(sys.argv[1])
tf.config.experimental.enable_op_determinism()
keras.utils.set_random_seed(0)
strategy = make_strategy("mirrored")
with strategy.scope():
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
    optimizer = diagnostics.MonitoredAdam(1e-3, groups=["dense"] * 2)
    model.compile(optimizer, "mse", metrics=["mae"], jit_compile=False)
    model.optimizer.build(model.trainable_variables)
rows = np.random.default_rng(0).normal(size=(64, 3)).astype("float32")
batches = Batches(rows, rows.sum(1, keepdims=True), batch_size=4)
replicas.prepare(model, batches.take(np.arange(1)))
order = batches.order(0, 0)


class Save(keras.callbacks.Callback):
    def on_train_batch_end(self, batch, logs=None):
        if batch == 6:
            checkpoint.save(folder, self.model, checkpoint.State(step=7))


class Restore(keras.callbacks.Callback):
    def on_epoch_begin(self, epoch, logs=None):
        checkpoint.restore(self.model, values, metrics=True)


def fit(order, callback):
    data = replicas.distribute(batches, order, strategy)
    return model.fit(
        data, steps_per_epoch=len(order), callbacks=[callback], verbose=0, shuffle=False
    ).history


whole = fit(order, Save())
_, values, notes = checkpoint.newest(folder)
assert not notes
with strategy.scope():
    checkpoint.restore(model, values, metrics=False)
resumed = fit(order[7:], Restore())
assert {"loss", "mae"} <= whole.keys()
assert whole == resumed, (whole, resumed)

# A checkpoint of one replica, or of another number of them, has the sum.
total = [value.sum(axis=0) for value in values[-len(model.metrics_variables):]]
checkpoint.restore(model, [*values[: -len(total)], *total], metrics=True)
for variable, value in zip(model.metrics_variables, total):
    np.testing.assert_allclose(np.asarray(variable), value, rtol=1e-6)
"""


def test_an_epoch_that_is_resumed_has_the_same_loss_to_the_last_bit(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(tmp_path)], capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr[-2000:]
