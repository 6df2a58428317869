"""Fixtures that train: small complete runs on samples, made once for all tests of a session.

Importing TensorFlow takes longer than training most recipes on their samples, and a run takes
seconds. So a process trains several recipes, and workers of pytest-xdist share what is made. A
test must not change a folder that it shares; it copies it.
"""

import functools
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import filelock
import pytest

import zoo

# More than one epoch and several steps an epoch out of few rows, and no early end. A small network
# behaves as a large one does; the learning rate makes answers differ from row to row.
SETTINGS = {"epochs": 3, "batch_size": 2, "patience": 0, "units": 32, "learning_rate": 0.01}

# Undisturbed runs, each the first of its process; some of them again, in one process; and beside
# them runs that go on from what a kill leaves: the folder of the undisturbed run as it is on disk
# in the middle of a step. (A process is really killed in test_a_signal_and_a_damaged_checkpoint.)
# The processes are forked from one that has imported TensorFlow and not used it yet.
REFERENCES = """
import json, os, shutil, sys, traceback
# On as many threads as a user's: runs are equal bit for bit on them, too.
os.environ.pop("TF_NUM_INTRAOP_THREADS", None)
import keras, matplotlib.pyplot, pandas, scipy.stats, sklearn, tensorflow
import zoo
from zoo.training import callbacks, fit

folder, settings, resumed, repeated, *names = sys.argv[1:]
# What is served is traced again, and checked, by the tests that need it.
fit.check_served = lambda *_: None


def train(name, kind, **options):
    zoo.train(
        name, f"{folder}/{kind}/{name}", data="sample", settings=json.loads(settings),
        deterministic=True, baselines=False, **options,
    )


def train_whole(name):
    step = callbacks.Progress.step

    def copying(self, state, logs):
        step(self, state, logs)
        if name in resumed.split() and (state.epoch, state.step) == (1, 2):  # of epochs 0, 1, ...
            shutil.copytree(f"{folder}/whole/{name}", f"{folder}/killed/{name}")

    callbacks.Progress.step = copying
    if name not in [*resumed.split(), *repeated.split()]:  # see conftest.py
        tensorflow.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})
    train(name, "whole", checkpoint_seconds=0, quiet=True)


def resume(name):
    fit.finish = lambda *_: None  # what comes after training only reads the weights
    train(name, "killed", resume=True)


def train_again(names):
    for name in names.split():
        train(name, "again", quiet=True)


def forked(log, function, name):
    child = os.fork()
    if not child:
        code = 1
        try:
            descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
            os.dup2(descriptor, 1)
            function(name)
            sys.stdout.flush()
            code = 0
        except BaseException:
            traceback.print_exc()
        os._exit(code)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert code == 0, (name, code)


os.makedirs(folder)
for name in names:
    forked(os.devnull, train_whole, name)
    if name in resumed.split():
        forked(f"{folder}/{name}.log", resume, name)
if repeated:
    forked(os.devnull, train_again, repeated)
"""


# Modules that serve what another one serves, made in the same way, of other data.
ALIKE = {
    "chorales": "folk",
    "digits": "speech",
    "reviews": "characters",
    "topics": "sentiment",
    "words": "characters",
}


def last_of_each_module():
    """Returns the names of the recipes that stand for those of their modules."""
    recipes = [zoo.get_recipe(row["name"]) for row in zoo.list_models()]
    return sorted({recipe.module: recipe.name for recipe in recipes}.values())


def of_modules(names, modules):
    """Returns those of `names` whose recipes are of some modules of `recipes`."""
    modules = {f"recipes.{module}" for module in modules}
    return [name for name in names if zoo.get_recipe(name).module.__name__ in modules]


def recipe_of_task(task):
    """Returns the name of a recipe of a task that stands for those of its module."""
    return next(name for name in last_of_each_module() if zoo.get_recipe(name).task == task)


def pytest_generate_tests(metafunc):
    """Gives tests that take `chosen` one recipe of each module, and the others as slow tests.

    What takes long is of the engine, the loss and the data, which a module's recipes share. The
    mark `few` names the modules that differ in what a test is about; all others are slow then.
    With the mark `served`, those of `ALIKE` are slow.
    """
    if "chosen" in metafunc.fixturenames:
        names, fast = [row["name"] for row in zoo.list_models()], last_of_each_module()
        if mark := metafunc.definition.get_closest_marker("few"):
            fast = of_modules(fast, mark.args)
            assert len(fast) == len(mark.args)
        elif metafunc.definition.get_closest_marker("served"):
            alike = of_modules(fast, ALIKE)
            assert len(alike) == len(ALIKE)
            fast = [name for name in fast if name not in alike]
        slow = [pytest.param(name, marks=pytest.mark.slow) for name in names if name not in fast]
        metafunc.parametrize("chosen", [*fast, *slow], scope="module")


CHECKED = set()


def pytest_runtest_setup():
    """Has what a registered recipe serves compared with the table once in a process.

    To trace it for that takes longer than most of the trainings that begin with it.
    """
    capabilities = sys.modules.get("zoo.serving.capabilities")
    if capabilities is None or capabilities.check.__name__ == "check_once":
        return
    check, registered = capabilities.check, {row["name"] for row in zoo.list_models()}

    def check_once(served, name):
        if name not in CHECKED:
            check(served, name)
            CHECKED.update({name} & registered)

    capabilities.check = check_once


def asked(request, parameter, fixture=None):
    """Returns the values that a parameter has in the tests of this session.

    Args:
      request: a fixture's.
      parameter: its name.
      fixture: if given, only tests that use this fixture count.
    """
    calls = [
        getattr(item, "callspec", None)
        for item in request.session.items
        if fixture is None or fixture in getattr(item, "fixturenames", ())
    ]
    return {call.params[parameter] for call in calls if call and parameter in call.params}


@pytest.fixture(scope="session")
def chosen_names(request):
    """Every recipe that a test of this session takes as `chosen`; if none, one of each module."""
    return sorted(asked(request, "chosen")) or last_of_each_module()


@pytest.fixture(scope="session")
def settings():
    """The settings of shared runs."""
    return SETTINGS


@pytest.fixture(scope="session")
def once(tmp_path_factory, worker_id):
    """Calls `make(folder)` for a name once, for all workers of pytest-xdist; returns the folder."""
    base = tmp_path_factory.getbasetemp()
    base = base if worker_id == "master" else base.parent

    def once(name, make):
        folder = base / "once" / name
        folder.parent.mkdir(exist_ok=True)
        with filelock.FileLock(f"{folder}.lock"):
            if not folder.exists():
                partial = folder.with_suffix(".part")
                make(partial)
                os.rename(partial, folder)
        return folder

    with pytest.MonkeyPatch.context() as patch:
        keep_predictors(patch, base / "once")
        yield once


def keep_predictors(patch, shared):
    """Has `zoo.load` read a model of a shared folder once: its graphs take seconds to trace.

    Nothing changes in such a folder, and nobody may change its predictor. An export of it is made
    of the functions that are traced already.
    """
    from zoo.serving import predictor

    load, serve, known, functions = predictor.load, predictor.Predictor.served, {}, {}

    @functools.wraps(load)
    def load_once(model, *, trust=False):
        path = Path(model) if isinstance(model, (str, os.PathLike)) else None
        if path is None or shared not in path.parents or ".part" in str(path):
            return load(model, trust=trust)
        key = path, trust
        if key not in known:
            known[key] = load(model, trust=trust)
        return known[key]

    @functools.wraps(serve)
    def serve_once(self):
        if not any(self is each for each in known.values()):
            return serve(self)
        if id(self) not in functions:
            functions[id(self)] = serve(self)
        return functions[id(self)]

    patch.setattr(predictor, "load", load_once)
    patch.setattr(predictor.Predictor, "served", serve_once)


def python(command):
    """Runs a process that has to succeed; its messages are shown if it does not."""
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="session", name="python")
def python_fixture():
    return python


@pytest.fixture(scope="session")
def shared(once):
    """Takes a name, a script and its arguments; returns the folder that the script makes.

    The folder is the script's first argument.
    """

    def shared(name, script, arguments):
        return once(name, lambda folder: python([sys.executable, "-c", script, folder, *arguments]))

    return shared


@pytest.fixture(scope="session")
def disturb(request, shared, chosen_names, settings):
    """Returns a function that makes deterministic runs of the chosen recipes, once.

    They are trained on their samples. `whole/<name>` was undisturbed; `killed/<name>`, of recipes
    that a test of `disturbed` takes, has gone on from what that run had written in the middle of
    its second epoch, with the output of the process in `<name>.log`. `again/<name>`, of the names
    of `quickest`, was trained in one process, if a test takes `repeated`.
    """
    resumed = " ".join(sorted(asked(request, "chosen", "disturbed")))
    needed = any("repeated" in item.fixturenames for item in request.session.items)
    repeated = " ".join(quickest(chosen_names)) if needed else ""
    arguments = [json.dumps(settings), resumed, repeated, *chosen_names]
    return lambda: shared("references", REFERENCES, arguments)


@pytest.fixture(scope="session")
def disturbed(disturb):
    """The folder of undisturbed and killed runs, see `disturb`."""
    return disturb()


def quickest(names):
    """Returns two names of recipes that take little time to train."""
    first, *others = names
    others.sort(key=lambda name: zoo.get_recipe(name).topology != "one-to-one")
    return [*others[:1], first]


@pytest.fixture(scope="session")
def repeated(disturb):
    """A folder with runs that others came before in their process, see `disturb`."""
    return disturb() / "again"


@pytest.fixture(scope="session")
def references(disturb):
    """A folder with undisturbed deterministic runs of the chosen recipes, `<folder>/<name>`."""
    return disturb() / "whole"


@pytest.fixture(scope="session")
def run_of(once, disturb, chosen_names, settings, request):
    """Takes a recipe's name; returns a complete run on its sample, not to be changed.

    It is the reference run, if tests of this session need those of all recipes.
    """
    needed = any("references" in item.fixturenames for item in request.session.items)

    def run_of(name):
        if needed and name in chosen_names:
            return disturb() / "whole" / name

        def make(folder):
            from zoo.training import fit

            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(fit, "check_served", lambda *_: None)  # as for the references
                zoo.train(
                    name, folder, data="sample", settings=settings, baselines=False, quiet=True
                )

        return once(f"run-{name}", make)

    return run_of


@pytest.fixture(scope="session")
def pack_of(once):
    """Takes a recipe's name; returns a folder with its pretrained model, not to be changed."""
    return lambda name: once(
        f"pack-{name}", lambda folder: shutil.copytree(zoo.pretrained(name), folder)
    )


@pytest.fixture(scope="session")
def predictor_of(run_of):
    """Takes a recipe's name; returns the predictor of its run, the same each time."""
    return lambda name: zoo.load(run_of(name))


TINY = {"units": 4, "embedding": 4, "epochs": 2}


@pytest.fixture(scope="session")
def sample_run(once):
    """A complete run of imdb-lstm on its sample, with baselines."""

    def make(folder):
        zoo.train("imdb-lstm", folder, data="sample", settings=TINY, quiet=True)

    return once("sample", make)


@pytest.fixture(scope="session")
def own_run(once):
    """A complete run of imdb-lstm on custom data of three classes, with baselines."""
    from support.cli import three_classes, write_csv

    def make(folder):
        data = write_csv(folder.with_suffix(".csv"), three_classes())
        zoo.train(
            "imdb-lstm", folder, data=data, columns={"text": "review"}, settings=TINY, quiet=True
        )

    return once("own", make)


@pytest.fixture(scope="session")
def weights():
    """Takes a `.keras` file; returns every array in it, optimizer and all, by its place."""
    import io
    import zipfile

    import h5py

    def read(path):
        arrays = {}

        def add(name, item):
            if isinstance(item, h5py.Dataset):
                arrays[name] = item[()]

        with (
            zipfile.ZipFile(path) as archive,
            h5py.File(io.BytesIO(archive.read("model.weights.h5"))) as file,
        ):
            file.visititems(add)
        assert arrays
        return arrays

    return read
