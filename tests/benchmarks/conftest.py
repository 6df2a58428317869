"""What the tests of the benchmarks share: the command line, and runs made once."""

import os
import sys
from types import SimpleNamespace

import filelock
import pytest

import zoo

SMALL = {"units": 4, "embedding": 4, "epochs": 2}


@pytest.fixture
def cli(tmp_path, monkeypatch, capsys):
    """Runs `python -m benchmarks ARGUMENTS` in this process; returns code, out and err."""
    from benchmarks.cli import benchmarks
    from zoo.cli import run

    monkeypatch.chdir(tmp_path)

    def called(*arguments, code=0):
        with monkeypatch.context() as patch:
            patch.setattr(sys, "argv", ["benchmarks", *map(str, arguments)])
            capsys.readouterr()
            with pytest.raises(SystemExit) as stop:
                run(benchmarks, "python -m benchmarks")
        out, err = capsys.readouterr()
        assert stop.value.code == code, out + err
        return SimpleNamespace(out=out, err=err)

    return called


@pytest.fixture(scope="session")
def run_on_sample(tmp_path_factory, worker_id):
    """Takes a recipe's name; returns a complete run on its sample.

    Each name has to be used with the same settings everywhere. The run is made once for all
    workers of pytest-xdist, and must not be changed.
    """
    base = tmp_path_factory.getbasetemp()
    base = base if worker_id == "master" else base.parent

    def run_on_sample(name, settings=SMALL):
        folder = base / "benchmarks" / name
        folder.parent.mkdir(exist_ok=True)
        with filelock.FileLock(f"{folder}.lock"):
            if not folder.exists():
                partial = folder.with_suffix(".part")
                zoo.train(
                    name, partial, data="sample", settings=settings, baselines=False, quiet=True
                )
                os.rename(partial, folder)
        return folder

    return run_on_sample
