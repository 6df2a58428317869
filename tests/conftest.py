"""What tests share: a private cache, no network, the command line, runs made once, real data."""

import contextlib
import csv
import importlib.util
import io
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import filelock
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


# Read before the fixture `sealed` hides them.
THEIRS = {name: os.environ.get(name) for name in ("TFDS_DATA_DIR", "ZOO_HOME", "ZOO_MIRROR")}


@pytest.fixture
def user_environment(monkeypatch):
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


SMALL = {"units": 4, "embedding": 4, "epochs": 2}
CLASSES = {"bad": "a dull cold mess", "good": "a warm and lovely film", "so-so": "plain, average"}


@pytest.fixture
def cli(tmp_path, monkeypatch):
    """Runs `zoo ARGUMENTS` in this process, in a folder of its own; returns code, out and err.

    `stdin` is what is piped in, or a stream. The exit code has to be `code`, if that is not None.
    """
    from zoo.cli import main

    monkeypatch.chdir(tmp_path)

    def run(*arguments, stdin=b"", code=0):
        def stream(content=b""):
            return io.TextIOWrapper(io.BytesIO(content), encoding="utf-8", write_through=True)

        out, err = stream(), stream()
        with monkeypatch.context() as patch:
            patch.setattr(sys, "argv", ["zoo", *map(str, arguments)])
            patch.setattr(sys, "stdin", stream(stdin) if isinstance(stdin, bytes) else stdin)
            with (
                contextlib.redirect_stdout(out),
                contextlib.redirect_stderr(err),
                pytest.raises(SystemExit) as stop,
            ):
                main()
        result = SimpleNamespace(
            code=stop.value.code,
            out=out.buffer.getvalue().decode("utf-8"),
            err=err.buffer.getvalue().decode("utf-8"),
        )
        assert code in (None, result.code), result.out + result.err
        if result.code in (1, 2) and result.err:
            assert result.err.startswith("Error: "), result.err
            assert result.err.count("\n") == 1, result.err
        return result

    return run


@pytest.fixture
def process(tmp_path):
    """Runs `zoo ARGUMENTS` in a process of its own, as a shell would."""

    def run(*arguments):
        environment = dict(os.environ)
        del environment["TF_CPP_MIN_LOG_LEVEL"]  # which users have not set
        return subprocess.run(
            [sys.executable, "-m", "zoo", *map(str, arguments)],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            timeout=300,
        )

    return run


@pytest.fixture(scope="session")
def once(tmp_path_factory, worker_id):
    """Calls `make(folder)` for a name once, for all workers of pytest-xdist; returns the folder."""
    base = tmp_path_factory.getbasetemp()
    base = base if worker_id == "master" else base.parent

    def made(name, make):
        folder = base / "cli" / name
        folder.parent.mkdir(exist_ok=True)
        with filelock.FileLock(f"{folder}.lock"):
            if not folder.exists():
                partial = folder.with_suffix(".part")
                make(partial)
                os.rename(partial, folder)
        return folder

    return made


def write_csv(path, rows, header=("review", "label", "id")):
    with open(path, "w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([header, *rows])
    return path


def three_classes():
    return [(f"{text}, number {n}", label, n) for n in range(6) for label, text in CLASSES.items()]


@pytest.fixture
def own(tmp_path):
    """A CSV of one's own: three classes, the text in the column `review`."""
    return write_csv(tmp_path / "own.csv", three_classes())


@pytest.fixture(scope="session")
def run_on_sample(once):
    """Takes a recipe's name, and settings and options; returns a complete run on its sample."""
    import zoo

    def run_on_sample(name, settings, **options):
        def make(folder):
            zoo.train(name, folder, data="sample", settings=settings, quiet=True, **options)

        return once(f"sample-{name}", make)

    return run_on_sample


@pytest.fixture(scope="session")
def sample_run(run_on_sample):
    """A complete run on the sample."""
    return run_on_sample("imdb-lstm", SMALL)


@pytest.fixture(scope="session")
def own_run(once, tmp_path_factory):
    """A complete run on three classes of one's own."""
    import zoo

    def make(folder):
        data = write_csv(folder.with_suffix(".csv"), three_classes())
        zoo.train(
            "imdb-lstm", folder, data=data, columns={"text": "review"}, settings=SMALL, quiet=True
        )

    return once("own", make)
