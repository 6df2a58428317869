"""What a run says about its gradients and updates, and how it ends when they fall apart."""

import csv
import json
import math
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

import zoo
from zoo.training import callbacks, checkpoint, diagnostics

RATE, LIMIT = 0.01, 2.0
X = np.random.default_rng(0).integers(1, 9, (6, 5))
Y = np.random.default_rng(1).normal(size=(6, 1)).astype("float32")


def network(optimizer=None):
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [
            layers.Embedding(9, 4),
            layers.Bidirectional(layers.SimpleRNN(3)),
            layers.Dense(3),
            layers.Dense(1, name="head"),
        ]
    )
    model.build((None, None))
    names = diagnostics.layer_names(model)
    model.compile(
        optimizer or diagnostics.MonitoredAdam(RATE, global_clipnorm=LIMIT, groups=names),
        "mse",
        jit_compile=False,  # XLA takes longer to compile than these steps do
    )
    model.optimizer.build(model.trainable_variables)
    return model


def test_layers_have_the_same_names_whatever_was_built_before():
    for _ in range(2):
        names = list(dict.fromkeys(diagnostics.layer_names(network())))
        assert names == ["embedding", "bidirectional", "dense", "head"]
    two = keras.Sequential([layers.Dense(2), layers.Dense(2), layers.Dense(1)])
    two.build((None, 3))
    assert diagnostics.layer_names(two) == ["dense"] * 2 + ["dense_1"] * 2 + ["dense_2"] * 2


def test_it_steps_as_adam_does_and_measures_what_a_tape_does():
    ours, theirs = network(), network(keras.optimizers.Adam(RATE, global_clipnorm=LIMIT))
    norms, ratios = [], []
    for step in range(4):
        x, y = X, Y * 10 ** (step - 1)  # small and large errors: some steps are clipped
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean((theirs(x) - y) ** 2)
        gradients = tape.gradient(loss, theirs.trainable_variables)
        # Of the embedding, each step's part counts by itself.
        parts = [getattr(gradient, "values", gradient) for gradient in gradients]
        norms.append(math.sqrt(sum(float(tf.reduce_sum(part**2)) for part in parts)))
        before = [variable.numpy() for variable in theirs.trainable_variables]
        for model in (ours, theirs):
            model.train_on_batch(x, y)
        for one, other in zip(ours.get_weights(), theirs.get_weights(), strict=True):
            np.testing.assert_array_equal(one, other)
        ratios.append({})
        rest = iter(before)
        for layer, name in zip(theirs.layers, ours.optimizer.layers, strict=True):
            old = np.concatenate([next(rest).ravel() for _ in layer.trainable_variables])
            new = np.concatenate([v.numpy().ravel() for v in layer.trainable_variables])
            ratios[-1][name] = np.linalg.norm(new - old) / np.linalg.norm(old)
    found = diagnostics.end_epoch(ours)
    assert list(found) == ["gradient_norm", "clipped", *(f"update/{name}" for name in ratios[0])]
    assert found["gradient_norm"] == pytest.approx(np.mean(norms), rel=1e-5)
    assert 0 < found["clipped"] < 1
    assert found["clipped"] == np.mean(np.array(norms) > LIMIT)
    for name in ratios[0]:
        expected = np.mean([ratio[name] for ratio in ratios])
        assert found[f"update/{name}"] == pytest.approx(expected, rel=1e-4)
    assert set(diagnostics.end_epoch(ours).values()) == {0.0}  # the next epoch starts from scratch


def test_without_clipping_no_step_is_clipped():
    model = network(diagnostics.MonitoredAdam(RATE))
    model.train_on_batch(X, 100 * Y)
    found = diagnostics.end_epoch(model)
    assert found["gradient_norm"] > 1
    assert found["clipped"] == 0


def test_it_is_saved_and_loaded_with_its_numbers(tmp_path):
    model = network()
    model.train_on_batch(X, Y)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert loaded.optimizer.layers == model.optimizer.layers
    assert diagnostics.end_epoch(loaded) == diagnostics.end_epoch(model)


def test_half_precision_measures_gradients_without_their_scale():
    keras.config.set_dtype_policy("mixed_float16")
    try:
        half = network()
    finally:
        keras.config.set_dtype_policy("float32")
    full = network()
    assert isinstance(half.optimizer, keras.optimizers.LossScaleOptimizer)
    for model in (half, full):
        model.train_on_batch(X, Y)
    ours, theirs = diagnostics.end_epoch(half), diagnostics.end_epoch(full)
    assert ours.keys() == theirs.keys()
    assert ours["gradient_norm"] == pytest.approx(theirs["gradient_norm"], rel=0.02)


REPLICAS = """
import json, sys
import numpy as np
import tensorflow as tf

cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
tf.config.set_visible_devices([], "GPU")

import keras
from zoo.data import Batches
from zoo.training import diagnostics, replicas
from zoo.training.strategy import dtype_policy, make_strategy

x, y = np.arange(48).reshape(8, 6) % 9, np.arange(8.0, dtype="float32").reshape(8, 1)
found = []
for policy in ("float32", "mixed_float16", "sgd"):
    own, policy = policy == "sgd", policy if policy != "sgd" else "float32"
    for name in ("none", "mirrored"):
        keras.utils.set_random_seed(0)
        with make_strategy(name).scope(), dtype_policy(policy):
            model = keras.Sequential(
                [
                    keras.layers.Embedding(9, 4),
                    keras.layers.SimpleRNN(3),
                    keras.layers.Dense(1, dtype="float32"),
                ]
            )
            model.build((None, 6))
            groups = diagnostics.layer_names(model)
            optimizer = diagnostics.MonitoredAdam(0.01, global_clipnorm=0.5, groups=groups)
            if own:  # of a recipe: not monitored
                optimizer = keras.optimizers.SGD(0.01, momentum=0.9, global_clipnorm=0.5)
            model.compile(optimizer, "mse", jit_compile=False)
            model.optimizer.build(model.trainable_variables)
        replicas.prepare(model, (x[:1], y[:1]))
        scales = [1, -10, 0.1]
        if policy == "mixed_float16":  # too large for it, but on the second replica alone
            scales.append(np.where(y == 7, 1e6, 0.1).astype("float32"))
        for scale in scales:
            batches = Batches(x, y * scale, 8)
            data = replicas.distribute(batches, [np.arange(8)], model.distribute_strategy)
            model.fit(data, steps_per_epoch=1, verbose=0)
        moments = [np.asarray(v).tolist() for v in model.optimizer.variables]
        row = diagnostics.end_epoch(model)
        found.append([row, [w.tolist() for w in model.get_weights()], moments])
json.dump(found, sys.stdout)
"""


def test_replicas_are_clipped_and_measured_as_one():
    done = subprocess.run([sys.executable, "-c", REPLICAS], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    # Of half precision's forward pass, rounding is that of 11 bits.
    pairs = zip(found[::2], found[1::2], (1e-4, 2e-2, 1e-4), strict=True)
    for number, (one, two, close) in enumerate(pairs):
        assert one[0].keys() == two[0].keys()
        if number == 2:
            assert one[0] == {}
        else:
            assert 0 < one[0]["clipped"] <= 1
        for key in one[0]:
            assert two[0][key] == pytest.approx(one[0][key], rel=close), key
        for part in (1, 2):  # weights, and what the optimizer keeps
            for mine, theirs in zip(one[part], two[part], strict=True):
                assert np.isfinite(theirs).all()
                np.testing.assert_allclose(theirs, mine, rtol=10 * close, atol=close / 10)


@keras.saving.register_keras_serializable("test")
class Root(layers.Layer):
    """Its gradient is infinite where its input is 0."""

    def call(self, inputs):
        return keras.ops.sqrt(keras.ops.abs(inputs))


def test_the_layer_is_named_in_which_a_gradient_is_not_finite_first():
    model = keras.Sequential([layers.Dense(2), layers.Dense(2), Root(), layers.Dense(1)])
    model.build((None, 3))
    model.compile(
        diagnostics.MonitoredAdam(RATE, groups=diagnostics.layer_names(model)),
        "mse",
        jit_compile=False,
    )
    x, y = np.ones((2, 3)), np.ones((2, 1))
    loss = model.train_on_batch(x, y)
    assert diagnostics.broken(model, float(loss)) is None
    # dense_1 puts out 0: the loss is finite, and so is the gradient of dense_2.
    model.layers[1].set_weights([np.zeros((2, 2)), np.zeros(2)])
    loss = model.train_on_batch(x, y)
    assert math.isfinite(loss)
    assert diagnostics.broken(model, float(loss)) == (
        "The gradient of layer dense_1 is nan while the loss is still finite"
    )
    loss = model.train_on_batch(x, y)
    assert diagnostics.broken(model, float(loss)) == (
        "The gradient of layer dense_2 is nan and the loss is nan"
    )


# A recipe of which one training row, not in the first batches, is not finite.
SPOILT = '''
"""Many-to-one: the adding problem (1997) with a row that is not finite."""
import dataclasses
import numpy as np
from recipes.adding import *
from recipes import adding as plain
from recipes.adding import Config

RECIPES = {"spoilt": Config(epochs=3, batch_size=2, units=4, patience=0)}
BAD = 5

def batches(config, assets, examples):
    found = plain.batches(config, assets, examples)
    if len(examples["sum"]) > 4 and config.learning_rate < 1e-3:  # of the training split
        found.y[BAD] = np.nan
    return found
'''


def test_a_run_that_falls_apart_names_layer_step_and_batch_and_keeps_what_was_good(tmp_path):
    file, run = tmp_path / "spoilt.py", tmp_path / "run"
    file.write_text(SPOILT)

    def train(**settings):
        zoo.train(
            f"{file}:spoilt", run, data="sample", quiet=True, baselines=False,
            settings=settings, checkpoint_seconds=0,
        )  # fmt: skip

    with pytest.raises(zoo.ZooError) as caught:
        train(learning_rate=1e-4)
    message = str(caught.value)
    assert "\n" not in message
    assert message.startswith("The gradient of layer sum is nan and the loss is nan in epoch 1")
    recipe = zoo.get_recipe(f"{file}:spoilt")
    training = recipe.batches(recipe.config, {}, recipe.dataset.load("sample").train)
    order = training.order(0, 0)
    (place,) = [number for number, rows in enumerate(order) if 5 in rows]
    rows = ", ".join(map(str, order[place]))
    assert f"step {place + 1}, whose batch is rows {rows} of what it trains on" in message
    assert "Try a lower learning_rate or clip_norm" in message
    # Nothing that is not finite was written.
    kept = sorted((run / "checkpoint").glob("[0-9]*.npz"))
    if place:
        assert f"epoch 1 after step {place}, is kept in {run / 'checkpoint'}" in message
        assert kept[-1].stem.endswith(f"-{place:08d}")
        with np.load(kept[-1]) as arrays:
            values = [arrays[key] for key in arrays.files if key != "state"]
            assert all(np.isfinite(value).all() for value in values)
    else:
        assert "There is no checkpoint yet" in message
        assert not kept


@pytest.mark.parametrize(
    ("name", "shown"), [("imdb-gru", "./imdb-gru"), ("my run", "'my run'"), ("run", "run")]
)
def test_after_a_divergence_the_own_run_is_named_not_packed_weights(
    tmp_path, monkeypatch, name, shown
):
    monkeypatch.chdir(tmp_path)
    run = Path(name)
    run.mkdir()
    (run / "model-best.keras").touch()
    steps = callbacks.Steps(
        run / "checkpoint", checkpoint.State(), 3, [], 60.0, None, None, None, None, None
    )
    said = steps._lost("The loss is nan", np.arange(3))
    assert f" `--from {shown} -o OTHER` goes on from the best weights." in said


def test_a_run_records_its_health_where_one_looks(tmp_path, capsys):
    run = zoo.train(
        "adding-gru", tmp_path / "run", data="sample", baselines=False, verbose=True,
        settings={"epochs": 2, "units": 4, "batch_size": 4, "clip_norm": 0.1},
    )  # fmt: skip
    assert "Training, last epoch: gradient norm " in (run.path / "card.md").read_text()
    with open(run.path / "history.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        assert list(row)[-4:] == ["gradient_norm", "clipped", "update/gru", "update/sum"]
        assert float(row["gradient_norm"]) > 0.1
        assert float(row["clipped"]) == 1
    out = capsys.readouterr().out.splitlines()
    line = next(line for line in out if line.startswith("last epoch: gradient norm "))
    assert "100% of the steps clipped; a step moves weights by " in line
    epochs = [line for line in out if line.startswith("epoch ")]
    assert len(epochs) == 2
    assert not any("update" in line or "clipped" in line for line in epochs)
    logged = {
        value.tag
        for path in (run.path / "logs" / "train").iterdir()
        for record in tf.data.TFRecordDataset(str(path))
        for value in tf.compat.v1.Event.FromString(record.numpy()).summary.value
    }
    assert logged >= {"loss", "gradient_norm", "clipped", "update/gru", "update/sum"}


def test_files_of_earlier_versions_name_the_optimizer_otherwise():
    saved = keras.saving.serialize_keras_object(diagnostics.MonitoredAdam(RATE))
    assert saved["registered_name"] == "zoo>MonitoredAdam"
    earlier = {
        **saved,
        "module": "zoo.training.health",
        "class_name": "WatchedAdam",
        "registered_name": "zoo>WatchedAdam",
    }
    loaded = keras.saving.deserialize_keras_object(earlier)
    assert isinstance(loaded, diagnostics.MonitoredAdam)


def test_a_layer_that_begins_at_zero_has_no_ratio_in_its_first_step():
    optimizer = diagnostics.MonitoredAdam(0.1, groups=["zero", "other"])
    zero, other = (keras.Variable(np.full(3, value, "float32")) for value in (0, 1))
    optimizer.build([zero, other])
    gradients = [tf.constant([1.0, 1.0, 1.0])] * 2
    optimizer.apply(gradients, [zero, other])
    _, _, _, first, second = np.asarray(optimizer.totals)
    assert first == 0
    assert second == pytest.approx(0.1, rel=1e-3)
    optimizer.apply(gradients, [zero, other])
    assert 0 < np.asarray(optimizer.totals)[3] < 2
