"""Training on the adding problem with JAX: starts, batches, step sizes, gradients, runs."""

import json
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

import zoo
from tools.gpu import arrays
from tools.gpu.finish import begin_run, finish_run
from tools.gpu.members import MEMBERS, START, Start, load_problem, order_of, rows_of, schedule
from zoo.config import override
from zoo.training.optimizer import compile_model

ROOT = Path(__file__).parents[2]
LENGTH = 12
NAMES = ("adding-lstm-bias3-seed1", "adding-gru-bias1-seed2")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("adding")
    arrays.write_adding(folder, LENGTH)
    return folder


def network(name, start):
    """Returns recipe, config and network of a member, compiled, with its weights at the start."""
    member = MEMBERS[name]
    recipe = zoo.get_recipe(member.recipe)
    config = override(recipe.config, member.settings(LENGTH))
    model = recipe.build(config, {})
    model.set_weights(start.weights[member.start])
    compile_model(recipe, config, {}, model, 40)
    return recipe, config, model


def test_networks_start_as_in_a_run(folder, tmp_path):
    """The first step of a run has the step size 0, so its weights are those of the start."""
    member = MEMBERS[NAMES[0]]
    settings = {**member.settings(LENGTH), "epochs": 1}
    run = begin_run(member.recipe, tmp_path / "run", "made", settings, seed=member.seed)
    (path,) = (run.path / "checkpoint").glob("0*.npz")
    start = Start.read(folder)
    assert start.fingerprint == zoo.files.read_json(run.path / "data.json")["fingerprint"]
    with np.load(path) as file:
        kept = [file[f"v{number}"] for number in range(6)]  # one of them is a seed
    kept = [array for array in kept if array.dtype == "float32"]
    for ours, weight in zip(kept, start.weights[member.start], strict=True):
        np.testing.assert_array_equal(ours, weight)
    bias = start.weights[member.start][2]
    np.testing.assert_array_equal(bias[64:128], 3)
    assert np.count_nonzero(bias) == 64


def test_batches_and_step_sizes_are_those_of_the_engine(folder):
    recipe, config, model = network(NAMES[0], Start.read(folder))
    train = load_problem(LENGTH).train
    batches = recipe.batches(config, {}, train)
    found = order_of(batches.rows, config.batch_size, 1, 3)
    np.testing.assert_array_equal(found, np.stack(batches.order(1, 3)))
    x, y = batches.take(found[5])
    rows = rows_of(train)
    np.testing.assert_array_equal(rows.steps[found[5]], x)
    np.testing.assert_array_equal(rows.sums[found[5]], y[:, 0])
    rates = schedule(recipe.name, 40 * config.epochs)
    for step in (0, 1, 19, 20, 21, 200, 399, 400):
        model.optimizer.iterations.assign(step)
        assert float(model.optimizer.learning_rate) == pytest.approx(rates[step], rel=1e-5)


LEARN = """
import json, sys
from pathlib import Path

import jax.numpy as jnp
import numpy as np
from tools.gpu import adding
from tools.gpu.members import MEMBERS, Start, read_rows

assert "tensorflow" not in sys.modules and "keras" not in sys.modules
folder, names = Path(sys.argv[1]), json.loads(sys.argv[2])
start = Start.read(folder)
splits = read_rows(start)
found = {}
for name in names:
    # Two different members: the second one must not change the first.
    first = MEMBERS[name]
    members = [first, MEMBERS[first.recipe + "-bias1-seed0"]]
    train = adding.Rows(splits[0].steps[:2_000], splits[0].sums[:2_000])
    trainer = adding.Trainer(members, start, train, splits[1])
    x = jnp.array(np.stack([train.steps[:50], train.steps[50:100]])).transpose(2, 0, 1, 3)
    y = jnp.array(np.stack([train.sums[:50], train.sums[50:100]]))
    weights = trainer.state.weights
    losses, grads = adding.gradients(adding.CELLS[first.recipe], weights, x, y)
    found[f"{name} loss"] = losses[0]
    # A step of Adam behind another one, with a gradient that is clipped and one that is not.
    state = trainer.state
    for scale in (1.0, 1e-2):
        rates = jnp.array([1e-2, 1e-3])
        scaled = [grad * scale for grad in grads]
        state, _ = adding.descend(state, scaled, rates, jnp.array([9, 1]), 1.0)
    for number, grad in enumerate(grads):
        found[f"{name} grad {number}"] = grad[0]
        found[f"{name} new {number}"] = state.weights[number][0]
    # The second member has ended after the first step.
    assert all((a[1] != b[1]).any() for a, b in zip(weights, state.weights))
    ended = adding.descend(state, grads, rates, jnp.array([9, 1]), 1.0)[0]
    assert all((a[1] == b[1]).all() for a, b in zip(ended.weights, state.weights))
np.savez(folder / "found.npz", **found)
for members in (adding.GRUS[2:], adding.LSTMS[4:5]):
    notes = adding.train_members(members, start, splits, folder, float("inf"))
short = adding.with_time(adding.LSTMS, 10.0, 250.0)
assert {(each.long, each.epochs) for each in short} == {(False, 10), (True, 23)}
assert adding.train_members(
    adding.LSTMS[:1], start, (train, splits[1]), folder, 0.0
)["adding-lstm-bias1-seed0"]["history"][1:] == []
"""


@pytest.mark.slow
def test_jax_learns_as_the_engine_does(folder, tmp_path):
    pytest.importorskip("jax", reason="the extra [bench] is not installed")
    done = subprocess.run(
        [sys.executable, "-c", LEARN, folder, json.dumps(NAMES)],
        cwd=ROOT, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    check_found(folder)
    for name in NAMES:
        check_run(name, folder, tmp_path / name)


def check_found(folder):
    """Compares gradients and two steps of the optimizer with those of TensorFlow."""
    start, rows = Start.read(folder), rows_of(load_problem(LENGTH).train)
    with np.load(folder / "found.npz") as file:
        found = dict(file)
    for name in NAMES:
        _, _, model = network(name, start)
        with tf.GradientTape() as tape:
            answers = model(rows.steps[:50], training=True)[:, 0]
            loss = tf.reduce_mean((answers - rows.sums[:50]) ** 2)
        grads = tape.gradient(loss, model.trainable_variables)
        assert float(tf.linalg.global_norm(grads)) > 1
        np.testing.assert_allclose(found[f"{name} loss"], loss, atol=1e-5)
        optimizer = keras.optimizers.Adam(1e-2, global_clipnorm=1.0)
        for scale in (1.0, 1e-2):
            scaled = [grad * scale for grad in grads]
            optimizer.apply(scaled, model.trainable_variables)
        for number, (grad, new) in enumerate(zip(grads, model.get_weights(), strict=True)):
            np.testing.assert_allclose(found[f"{name} grad {number}"], grad, atol=1e-5)
            np.testing.assert_allclose(found[f"{name} new {number}"], new, atol=1e-5)


def check_run(name, folder, path):
    """Makes a run of what JAX has trained; the engine finds the same loss, near 0."""
    member = MEMBERS[name]
    run = finish_run(name, folder, path, settings=member.settings(LENGTH))
    with np.load(folder / f"{name}.npz") as file:
        notes = json.loads(str(file["notes"]))
    assert run.metrics["validation"] == pytest.approx(notes["best"], rel=1e-3, abs=1e-7)
    assert run.metrics["test"]["mse"] < 0.001
    assert run.metrics["epochs"] == len(run.history) == 10
    assert run.metrics["best_epoch"] == 1 + np.argmin([row["val_loss"] for row in run.history])
    assert run.metrics["weights"].startswith("trained by JAX on a CPU in ")
    assert zoo.load(run).run["seed"] == member.seed
    assert run.history[0]["learning_rate"] > run.history[-1]["learning_rate"] > 0


def test_members_are_what_the_lesson_asks_for():
    settings = {
        (each.recipe, each.bias, each.epochs, each.seed): each.name for each in MEMBERS.values()
    }
    expected = {("adding-lstm", b, e, s) for b in (1, 3, 5) for e in (10, 30) for s in range(3)}
    assert {*settings} == expected | {("adding-gru", 1, 10, seed) for seed in range(3)}
    assert START not in settings.values()
