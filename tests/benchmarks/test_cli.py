"""`python -m benchmarks`: its commands, its errors, and where it can be run."""

import os
import subprocess
import sys
from pathlib import Path

import click
import pytest

from benchmarks.cli import benchmarks

ROOT = Path(__file__).parents[2]
COMMANDS = [
    "answers", "attack", "collect", "decoding", "forecasters", "formats", "generation", "held-out",
    "hosts", "intervals", "latency", "novelty", "options", "overlaps", "pack", "parameters",
    "peers", "probes", "profiles", "race", "recovery", "requests", "round-trips", "serve", "small",
    "stages", "table", "twins", "use",
]  # fmt: skip


def python(*arguments, cwd=ROOT):
    return subprocess.run(
        [sys.executable, *map(str, arguments)], cwd=cwd, capture_output=True, text=True, timeout=300
    )


def test_the_commands():
    assert sorted(benchmarks.commands) == COMMANDS


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_says_what_it_does(cli, name):
    text = cli(name, "--help").out
    assert text.startswith(f"Usage: python -m benchmarks {name} ")
    for param in benchmarks.commands[name].params:
        assert not isinstance(param, click.Option) or param.help, param.name


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["tabel"], 2, "No such command 'tabel'"),
        (["race", "imdb-lstm"], 2, "Missing option '--peer'. `python -m benchmarks race --help`"),
        (["collect", "a", "b", "-o", "x.json"], 2, "-o FILE is for one MODEL"),
        (["collect", "a", "--seeds"], 2, "need -o FILE"),
        (["twins", "a", "--peer", "p", "-o", "x.json", "--picture", "x.pdf"], 2, "end in .png"),
        (["profiles", "a", "-o", "x.pdf"], 2, "must end in .png"),
        (["peers", "imbd", "-o", "x.json"], 2, "There is no family 'imbd'. Did you mean 'imdb'?"),
        (["table", ROOT / "README.md", "--results", "none"], 1, "holds no results"),
        (["answers", "compare", "missing.json"], 1, "missing.json"),
        (["pack", "missing", "folder"], 2, "not a pretrained model, run folder or export"),
    ],
)
def test_an_error_is_one_line(cli, arguments, code, says):
    result = cli(*arguments, code=code)
    assert result.err.startswith("Error: ")
    assert result.err.count("\n") == 1
    assert says in result.err


def test_it_runs_from_the_root_of_the_repository(tmp_path):
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    (tmp_path / "README.md").write_text(text, encoding="utf-8")
    done = python("-m", "benchmarks", "table", tmp_path / "README.md")
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"{tmp_path / 'README.md'} is up to date\n"
    assert (tmp_path / "README.md").read_text(encoding="utf-8") == text


def test_its_help_imports_nothing_heavy():
    code = (
        "import sys; from benchmarks.cli import benchmarks\n"
        "print(sorted({'tensorflow', 'keras', 'numpy', 'pandas'} & set(sys.modules)))"
    )
    done = python("-c", code)
    assert done.stdout == "[]\n", done.stderr


def test_it_is_not_installed(tmp_path):
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    done = subprocess.run(
        [sys.executable, "-c", "import zoo, recipes, benchmarks"],
        cwd=tmp_path, env=environment, capture_output=True, text=True,
    )  # fmt: skip
    assert "No module named 'benchmarks'" in done.stderr


def test_the_verb_of_zoo_is_gone():
    done = python("-m", "zoo", "bench")
    assert done.returncode == 2
    assert "No such command 'bench'" in done.stderr
