"""What the contract tests share: every registered recipe, built and trained on its sample."""

import dataclasses
import os
import subprocess
import sys
from types import SimpleNamespace

import filelock
import pytest

import zoo

NAMES = [row["name"] for row in zoo.list_models()]

# Many steps an epoch out of few rows, and no early end: room for a kill in the middle. A small
# network behaves as a large one does.
SETTINGS = {"epochs": 4, "batch_size": 2, "patience": 0, "units": 32}

REFERENCES = f"""
import sys, zoo
folder, *names = sys.argv[1:]
for name in names:
    zoo.train(
        name, f"{{folder}}/{{name}}", data="sample", settings={SETTINGS},
        deterministic=True, quiet=True, baselines=False,
    )
"""


@pytest.fixture(scope="module", params=NAMES)
def recipe(request):
    return zoo.get_recipe(request.param)


@pytest.fixture(scope="module")
def trained(recipe):
    """The recipe's model after two steps on all rows of the sample, and how it got there."""
    import keras

    keras.utils.set_random_seed(0)
    sample = recipe.dataset.sample()
    rows = len(next(iter(sample.values())))
    config = dataclasses.replace(recipe.config, batch_size=rows)
    assets = recipe.prepare(config, sample)
    batches = recipe.batches(config, assets, sample)
    model = recipe.build(config, assets)
    model.compile(keras.optimizers.Adam(1e-3), **recipe.objective(config, assets))
    data = batches.dataset(batches.sorted_order())
    before = model.evaluate(data, verbose=0, return_dict=True)["loss"]
    for _ in range(2):
        model.fit(data, shuffle=False, verbose=0)
    after = model.evaluate(data, verbose=0, return_dict=True)["loss"]
    return SimpleNamespace(
        config=config, assets=assets, batches=batches, model=model, before=before, after=after
    )


@pytest.fixture(scope="session")
def settings():
    return SETTINGS


@pytest.fixture(scope="session")
def shared(tmp_path_factory, worker_id):
    """Takes a name, a script and recipes; returns the folder that the script fills, given its path.

    One process does it for all of them, because importing TensorFlow takes longer than training
    one of them on its sample; and once for all workers of pytest-xdist.
    """
    base = tmp_path_factory.getbasetemp()
    base = base if worker_id == "master" else base.parent

    def make(name, script, recipes):
        with filelock.FileLock(base / f"{name}.lock"):
            if not (base / name).exists():
                python([sys.executable, "-c", script, base / f"{name}.part", *recipes])
                os.rename(base / f"{name}.part", base / name)
        return base / name

    return make


@pytest.fixture(scope="session")
def references(shared, chosen_names):
    """A folder with undisturbed deterministic runs of the chosen recipes, `<folder>/<name>`."""
    return shared("references", REFERENCES, chosen_names)


def python(command):
    """Runs a process that has to succeed; its messages are shown if it does not."""
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="session", name="python")
def python_fixture():
    return python
