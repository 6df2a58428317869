"""Fixtures for tests of the command line: `zoo` called here or in a process, and custom data."""

import contextlib
import csv
import io
import os
import subprocess
import sys
from types import SimpleNamespace

import pytest

# `zoo` in a process that must have imported nothing heavy when it ends.
WITHOUT_TENSORFLOW = """
import sys
from zoo.cli import main
try:
    main()
except SystemExit as stop:
    assert not stop.code
assert not {"tensorflow", "keras", "pandas"} & set(sys.modules)
"""

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


def write_csv(path, rows, header=("review", "label", "id")):
    with open(path, "w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([header, *rows])
    return path


def three_classes():
    return [(f"{text}, number {n}", label, n) for n in range(6) for label, text in CLASSES.items()]


@pytest.fixture
def own(tmp_path):
    """A CSV of custom data: three classes, the text in the column `review`."""
    return write_csv(tmp_path / "own.csv", three_classes())
