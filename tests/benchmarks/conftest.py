"""What the tests of the benchmarks share: the command line."""

import sys
from types import SimpleNamespace

import pytest


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
