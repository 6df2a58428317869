"""What all tests share: no network, a private cache, the packages beside them, real data.

The fixtures of the command line and those that train are in `tests/support`.
"""

import gc
import importlib.util
import os
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def import_package(folder):
    """Makes a package importable that is not installed, by the name of its folder.

    The repository's root does not come onto `sys.path`: the `zoo` under test is the one that is
    installed, and not the checkout's. Only processes that tests start in the root
    (`python -m benchmarks`) see the checkout's `zoo`.
    """
    spec = importlib.util.spec_from_file_location(folder.name, folder / "__init__.py")
    package = importlib.util.module_from_spec(spec)
    sys.modules[folder.name] = package
    spec.loader.exec_module(package)


# Tracing makes many objects that live long, and looking for garbage among them took a tenth of the
# time. A worker of pytest-xdist shares the cores with others.
gc.set_threshold(5_000, 10)
if "PYTEST_XDIST_WORKER" in os.environ:
    for variable in ("TF_NUM_INTRAOP_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ.setdefault(variable, "1")

import_package(ROOT / "benchmarks")
import_package(ROOT / "tests" / "support")
import_package(ROOT / "tools")

pytest_plugins = ["support.cli", "support.runs"]

# Files that one worker of pytest-xdist runs: they need the same graphs, which take long to trace.
TOGETHER = [
    "tests/engine/serving/test_answers.py",
    "tests/engine/serving/test_no_rows.py",
    "tests/engine/serving/test_warmup.py",
    "tests/engine/serving/test_loader.py",
    "tests/engine/serving/test_rows.py",
    "tests/engine/contract/test_portable.py",
    "tests/engine/contract/test_inspect.py",
    "tests/engine/test_usage.py",
    "tests/families/translating/test_predict_search.py",
]

# Files that take longest, in the order in which workers take them: the last file of a session then
# is a short one. The first makes the runs that many others wait for; the next two need none of
# them.
LONGEST = [
    "tests/engine/contract/test_runs.py",
    "tests/test_notebooks.py",
    "tests/engine/cli/test_launch.py",
    *TOGETHER,
    "tests/engine/contract/test_model.py",
    "tests/engine/test_user_data.py",
    "tests/engine/contract/test_replicas.py",
    "tests/engine/serving/test_pretrained.py",
    "tests/engine/contract/test_own_recipe.py",
    "tests/engine/test_averages.py",
    "tests/families/classifying/test_ensemble.py",
    "tests/families/classifying/test_distillation.py",
    "tests/engine/cli/test_evaluate_export.py",
    "tests/families/prices/test_backtest.py",
    "tests/test_architecture.py",
]


def pytest_collection_modifyitems(items):
    """Puts the files that take longest first."""
    places = {ROOT / name: place for place, name in enumerate(LONGEST)}
    items.sort(key=lambda item: places.get(item.path, len(LONGEST)))


def pytest_runtest_setup(item):
    """Runs the graphs of fast tests as they are traced.

    To optimise a graph takes longer than to run it once, on a few rows. Processes that tests start,
    exports there, and slow tests have graphs optimised as users have.
    """
    config = getattr(sys.modules.get("tensorflow"), "config", None)
    if config and item.config.option.markexpr == "not slow":
        config.optimizer.set_experimental_options({"disable_meta_optimizer": True})


def pytest_sessionfinish():
    """Looks for garbage once; pytest does so five times at the end, which takes seconds each."""
    gc.collect()
    gc.freeze()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """Gives the files of `TOGETHER` to one worker, where whole files are given."""
    from xdist.scheduler import LoadFileScheduling

    class Scheduling(LoadFileScheduling):
        def _split_scope(self, nodeid):
            file = super()._split_scope(nodeid)
            return TOGETHER[0] if file in TOGETHER else file

    return Scheduling(config, log) if config.getvalue("dist") == "loadfile" else None


@pytest.fixture(scope="session", autouse=True)
def sealed(tmp_path_factory):
    """No test reads or fills the user's cache, asks the network, or meets prepared data.

    For the whole session, so that fixtures of any scope and the processes that they start see it
    too; a test that needs another setting makes it with `monkeypatch`.
    """
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("ZOO_HOME", str(tmp_path_factory.mktemp("zoo-home")))
        environment.setenv("ZOO_OFFLINE", "1")
        environment.setenv("TF_CPP_MIN_LOG_LEVEL", "3")
        for name in (
            "TFDS_DATA_DIR",
            "ZOO_MIRROR",
            "ZOO_DEBUG",
            "ZOO_TRUST",
            "ZOO_HOSTS",
            "ZOO_INDEX",
            "ZOO_PORT",
        ):
            environment.delenv(name, raising=False)
        yield


# Read before the fixture `sealed` hides them.
THEIRS = {name: os.environ.get(name) for name in ("TFDS_DATA_DIR", "ZOO_HOME", "ZOO_MIRROR")}


@pytest.fixture
def user_environment(monkeypatch):
    """The settings of whoever runs the tests."""
    for name, value in THEIRS.items():
        if value is None:
            monkeypatch.delenv(name, raising=False)
        else:
            monkeypatch.setenv(name, value)


@pytest.fixture
def ready(user_environment):
    """Takes a dataset and the key of a source; loads it, where it is on this machine."""

    def load(dataset, key):
        source = next(source for source in dataset.sources if source.key == key)
        if source.status().state != "ready":
            pytest.skip(f"{source.title} ({key}) is not on this machine")
        return dataset.load(key)

    return load


@pytest.fixture
def figures(monkeypatch):
    """The figures that are saved."""
    from matplotlib.figure import Figure

    saved = []
    savefig = Figure.savefig

    def keep(self, *args, **kwargs):
        saved.append(self)
        return savefig(self, *args, **kwargs)

    monkeypatch.setattr(Figure, "savefig", keep)
    return saved
