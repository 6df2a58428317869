"""What every test gets: a cache folder of its own, and no network."""

import importlib.util
import sys
from pathlib import Path

import pytest

import zoo

ROOT = Path(__file__).parents[1]


def import_benchmarks():
    """Makes the package `benchmarks` importable, which lies in the repository's root only.

    The root itself does not come onto `sys.path`: the `zoo` under test is the one that is
    installed, and not the checkout's. Only processes that tests start in the root
    (`python -m benchmarks`) see the checkout's `zoo`.
    """
    spec = importlib.util.spec_from_file_location("benchmarks", ROOT / "benchmarks" / "__init__.py")
    package = importlib.util.module_from_spec(spec)
    sys.modules["benchmarks"] = package
    spec.loader.exec_module(package)


import_benchmarks()


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
        for name in ("TFDS_DATA_DIR", "ZOO_MIRROR", "ZOO_DEBUG"):
            environment.delenv(name, raising=False)
        yield


def pytest_generate_tests(metafunc):
    """Gives tests that take `chosen` one recipe of each module, and the others as slow tests.

    What takes long is of the engine, the loss and the data, which a module's recipes share.
    """
    if "chosen" in metafunc.fixturenames:
        names = [row["name"] for row in zoo.list_models()]
        last = last_of_each_module()
        others = [pytest.param(name, marks=pytest.mark.slow) for name in names if name not in last]
        metafunc.parametrize("chosen", [*last, *others], scope="module")


def last_of_each_module():
    """Returns the names of the recipes that stand for those of their modules."""
    recipes = [zoo.get_recipe(row["name"]) for row in zoo.list_models()]
    return sorted({recipe.module: recipe.name for recipe in recipes}.values())


@pytest.fixture(scope="session")
def chosen_names(request):
    """Every recipe that a test of this session takes as `chosen`; if none, one of each module."""
    parameters = [getattr(item, "callspec", None) for item in request.session.items]
    asked = {each.params["chosen"] for each in parameters if each and "chosen" in each.params}
    return sorted(asked) or last_of_each_module()


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
