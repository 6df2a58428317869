"""What the tests of the command line share: the command itself, and runs made once."""

import contextlib
import csv
import io
import os
import subprocess
import sys
from types import SimpleNamespace

import filelock
import pytest

SMALL = {"units": 4, "embedding": 4, "epochs": 2}
CLASSES = {"bad": "a dull cold mess", "good": "a warm and lovely film", "so-so": "plain, average"}


@pytest.fixture
def cli(tmp_path, monkeypatch):
    """Runs `zoo ARGUMENTS` in this process, in a folder of its own; returns code, out and err.

    `stdin` is what is piped in, or a stream.
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
        assert result.code == code, result.out + result.err
        if code in (1, 2) and result.err:
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
