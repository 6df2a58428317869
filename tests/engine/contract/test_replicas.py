"""Replicas and workers train what one device trains, and take each row once.

On two logical CPU devices, and in two processes on loopback, which every machine has.
"""

import json

import numpy as np
import pytest
from support.runs import asked, last_of_each_module

import zoo

# Clipped gradients are the smaller, and rounding the larger: engine/test_diagnostics.py clips.
# Of 8 rows: 7, which two cannot halve; and 1, which leaves none for the other.
FEW = {"clip_norm": 0, "units": 32, "epochs": 2, "batch_size": 7}

# Logical devices have to be made before TensorFlow does anything else.
TRAIN = """
import sys
import tensorflow as tf

kind, folder, *names = sys.argv[1:]
if kind == "mirrored":
    cpu = tf.config.list_physical_devices("CPU")[0]
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
tf.config.set_visible_devices([], "GPU")

import zoo
from zoo.training import fit

# What comes before and after training is the same on one replica.
fit.check_served = fit.finish = lambda *_: None
for name in names:
    zoo.train(name, f"{folder}/{name}", data="sample", settings=FEW, strategy=kind, quiet=True)
""".replace("FEW", repr(FEW))

# Every worker writes what it ends with; runs are written by the chief alone.
WORKER = f"""
import json, os
import numpy as np
from zoo.training import fit

kept = fit._fit

def keep(recipe, config, run, model, *rest):
    state = kept(recipe, config, run, model, *rest)
    index = json.loads(os.environ["TF_CONFIG"])["task"]["index"]
    np.savez(f"{{run.path}}-{{index}}.npz", *model.get_weights())
    return state

fit._fit = keep
{TRAIN}
"""

# Runs scripts one after the other, each in processes of its own, which are forked from one that has
# imported TensorFlow and not used it yet; `multiworker` in two.
FORKED = """
import json, os, sys
import keras, matplotlib.pyplot, pandas, scipy.stats, sklearn, tensorflow
from zoo.training.launcher import configurations

folder, scripts = sys.argv[1], json.loads(sys.argv[2])
os.makedirs(folder)
for script, kind, part, *names in scripts:
    children = []
    for config in configurations(2) if kind == "multiworker" else [""]:
        child = os.fork()
        if not child:
            if config:
                os.environ["TF_CONFIG"] = config
            sys.argv[1:] = [kind, f"{folder}/{part}", *names]
            exec(compile(script, part, "exec"), {"__name__": "__main__"})
            sys.exit()
        children.append(child)
    codes = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
    assert not any(codes), (kind, part, codes)
"""


# Row i is worth 2^i: the sum over an epoch tells how often each row was there.
COUNT = """
import json, sys
import numpy as np
import tensorflow as tf

kind, folder, name = sys.argv[1:]
if kind == "mirrored":
    cpu = tf.config.list_physical_devices("CPU")[0]
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)

import keras
from zoo.data import Batches
from zoo.errors import ZooError
from zoo.training import diagnostics, replicas
from zoo.training.strategy import make_strategy, meet
from zoo.training.workers import Workers
from tensorflow.python.distribute.cross_device_utils import CollectiveReplicaLauncher


class Worth(keras.metrics.Sum):
    def update_state(self, y_true, y_pred, sample_weight=None):
        super().update_state(y_true)


link = meet(kind, {}, lambda: False)
strategy = make_strategy(kind)
with strategy.scope():
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    optimizer = diagnostics.MonitoredAdam(1e-3, groups=["dense"] * 2)
    model.compile(optimizer, "mae", metrics=[Worth("worth")], jit_compile=False)
    model.optimizer.build(model.trainable_variables)
rows = 2.0 ** np.arange(22, dtype="float32")[:, None]
batches = Batches(rows, rows, batch_size=7)  # 7 + 7 + 7 + 1
votes = replicas.prepare(model, batches.take(np.arange(1)))
if link:
    reductions = []
    for method in ("all_reduce", "_all_gather"):
        def counted(*args, _own=getattr(CollectiveReplicaLauncher, method), **options):
            if not tf.executing_eagerly():
                reductions.append(args)
            return _own(*args, **options)
        setattr(CollectiveReplicaLauncher, method, counted)
    votes.raised[1] = link.cluster.index == 1
found = []
for epoch in range(2):
    logs = model.fit(
        replicas.distribute(batches, batches.order(0, epoch), strategy), steps_per_epoch=4,
        validation_data=replicas.distribute(batches, batches.sorted_order(), strategy),
        validation_steps=4, verbose=0, shuffle=False,
    ).history
    found += [logs["worth"][-1], logs["val_worth"][-1]]
assert votes.heard == [False, link is not None]
assert np.isfinite(votes.loss)
if link:
    assert len(reductions) == 1, f"a step has {len(reductions)} reductions, each a round trip"
crew = Workers(strategy, link)
crew.check_same({"data": "the same"})
crew.check_weights(model)
assert crew.of_chief(crew.index) == 0
if crew.number > 1:
    address = link.cluster.addresses
    assert crew.agree(crew.index == 1, False) == [True, False]
    try:
        crew.check_same({"data": f"of {crew.index}"})
    except ZooError as error:
        expected = f"{address[1 - crew.index]} has data of {1 - crew.index}, this worker of"
        assert str(error).startswith(expected), error
    else:
        raise SystemExit("nobody noticed that workers have other data")
    if crew.index:
        kernel = model.trainable_variables[0]
        kernel.value.values[0].assign_add(tf.ones_like(kernel.value.values[0]) * 1e-6)
    try:
        crew.check_weights(model)
    except ZooError as error:
        assert "has weights of digest" in str(error), error
    else:
        raise SystemExit("nobody noticed that workers have other weights")
if crew.chief:
    import os
    os.makedirs(folder)
    with open(f"{folder}/{name}", "w") as file:
        json.dump(found, file)
"""


@pytest.mark.parametrize("kind", ["mirrored", "multiworker"])
def test_each_row_of_an_epoch_counts_once(kind, replicas):
    folder = replicas / f"count-{kind}"
    assert json.loads((folder / "worth").read_text()) == [2**22 - 1] * 4


@pytest.fixture(scope="module")
def alone(request, once):
    names = sorted(asked(request, "mirrored_name") | asked(request, "worked"))

    def make(folder):
        from zoo.training import fit

        with pytest.MonkeyPatch.context() as patch:
            for each in ("check_served", "finish"):
                patch.setattr(fit, each, lambda *_: None)
            for name in names:
                zoo.train(name, folder / name, data="sample", settings=FEW, quiet=True)

    return once("alone", make)


@pytest.fixture(scope="module")
def replicas(request, shared):
    """The folder of what replicas of each kind have counted and trained."""
    scripts = [
        (COUNT, "mirrored", "count-mirrored", "worth"),
        (COUNT, "multiworker", "count-multiworker", "worth"),
        (TRAIN, "mirrored", "mirrored", *sorted(asked(request, "mirrored_name"))),
        (WORKER, "multiworker", "workers", *sorted(asked(request, "worked"))),
    ]
    return shared("replicas", FORKED, [json.dumps(scripts)])


@pytest.fixture(scope="module")
def mirrored(replicas):
    return replicas / "mirrored"


@pytest.fixture(scope="module")
def workers(replicas):
    return replicas / "workers"


def each(parameter, *modules):
    """Gives a test one recipe of each of these modules, and all others as slow tests."""
    names = [row["name"] for row in zoo.list_models()]
    modules = {f"recipes.{module}" for module in modules}
    fast = {
        each for each in last_of_each_module() if zoo.get_recipe(each).module.__name__ in modules
    }
    values = [pytest.param(name, marks=() if name in fast else pytest.mark.slow) for name in names]
    return pytest.mark.parametrize(parameter, values)


# Of the recipe, both kinds of replicas use the same: its loss, metrics and layers. Here are a loss
# that is a layer's, a loss and metrics of their own, and one array of numbers.
each_mirrored = each("mirrored_name", "entities", "stocks")
each_worked = each("worked", "adding")


@each_mirrored
def test_two_replicas_train_what_one_trains(mirrored_name, alone, mirrored, weights):
    assert_same_training(alone / mirrored_name, mirrored / mirrored_name, weights)


@each_worked
def test_two_workers_train_what_one_trains(worked, alone, workers, weights):
    assert_same_training(alone / worked, workers / worked, weights)


def assert_same_training(one, two, weights):
    from zoo.training import Run

    for mine, theirs in zip(Run(one).history, Run(two).history, strict=True):
        assert mine.keys() == theirs.keys()
        for key in mine:
            # Adam blows the rounding of the tiniest gradients up to a whole step.
            close = 0.02 if key.startswith(("update/", "gradient_norm")) else 1e-3
            assert theirs[key] == pytest.approx(mine[key], rel=close, abs=1e-6), key
    mine, theirs = weights(one / "model-last.keras"), weights(two / "model-last.keras")
    assert mine.keys() == theirs.keys()
    # By their norms, for the same reason; Adam's moments are among the arrays and tell a gradient
    # of another size.
    for key in mine:
        distance = np.linalg.norm(theirs[key].astype(float) - mine[key])
        assert distance <= 0.02 * np.linalg.norm(mine[key]) + 1e-6, key


@each_worked
def test_workers_end_with_the_same_weights(worked, workers):
    with np.load(workers / f"{worked}-0.npz") as one, np.load(workers / f"{worked}-1.npz") as other:
        assert one.files == other.files
        assert one.files
        for name in one.files:
            np.testing.assert_array_equal(one[name], other[name])
