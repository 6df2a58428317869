"""What all verbs have in common: help, errors, exit codes, signals, completion."""

import json
import os
import signal
import subprocess
import sys

import click
import pytest

import zoo.cli
from zoo.cli import VERBS, options
from zoo.errors import Interrupted, ZooError


def test_help_lists_every_verb(cli):
    for arguments in (["--help"], ["-h"]):
        help_ = cli(*arguments).out
        listed = help_.partition("Commands:\n")[2].split("\n")
        assert [line.split()[0] for line in listed if line.strip()] == [*VERBS, "backtest"]


@pytest.mark.parametrize("verb", VERBS)
def test_help_of_a_verb_fits_a_narrow_terminal(cli, monkeypatch, verb):
    monkeypatch.setenv("COLUMNS", "80")
    text = cli(verb, "--help").out
    assert text.startswith(f"Usage: zoo {verb} ")
    assert max(map(len, text.splitlines())) <= 80


@pytest.mark.parametrize("verb", [verb for verb in VERBS if verb != "data"])
def test_every_option_says_what_it_does(verb):
    command = zoo.cli.zoo.get_command(click.Context(zoo.cli.zoo), verb)
    for param in command.params:
        if isinstance(param, click.Option):
            assert param.help, param.name


def test_version(cli):
    assert cli("--version").out == f"zoo, version {zoo.__version__}\n"


def test_no_verb_shows_the_help(cli):
    arguments = subprocess.run([sys.executable, "-m", "zoo"], capture_output=True, text=True)
    assert arguments.returncode in (0, 2)  # depends on the version of click
    assert "Usage: zoo" in arguments.stdout + arguments.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["trian"], "No such command 'trian'. Did you mean 'train'? `zoo --help` helps."),
        (["train"], "Missing argument 'NAME'. `zoo train --help` helps."),
        (["info", "imdb-lsmt"], "Unknown recipe 'imdb-lsmt'. Did you mean 'imdb-lstm'?"),
        (["info", "none.py:x"], "There is no recipe file"),
        (["list", "--tsk", "x"], "No such option"),
        (["list", "--topology", "round"], "'round' is not one of 'one-to-one'"),
    ],
)
def test_wrong_usage(cli, arguments, message):
    assert message in cli(*arguments, code=2).err


def test_unexpected_error_is_one_line(cli, monkeypatch):
    def broken(*_, **__):
        raise LookupError("out of\nluck")

    monkeypatch.setattr("zoo.registry.list_models", broken)
    line = cli("list", code=1).err
    assert line.startswith("Error: LookupError: out of luck (this should not happen")


def test_debug_shows_the_traceback(monkeypatch, capsys):
    monkeypatch.setenv("ZOO_DEBUG", "1")
    monkeypatch.setattr(sys, "argv", ["zoo", "info", "imdb-lsmt"])
    with pytest.raises(SystemExit, match="2"):
        zoo.cli.main()
    lines = capsys.readouterr().err.splitlines()
    assert lines[0].startswith("Traceback")
    assert lines[-1].startswith("Error: Unknown recipe")


def test_end_of_file_is_no_interruption(cli, monkeypatch):
    def broken(*_, **__):
        raise EOFError("half a file")

    monkeypatch.setattr("zoo.registry.list_models", broken)
    monkeypatch.setattr("click.core.echo", lambda *_, **__: None)  # closes the echo of ^C
    assert "EOFError: half a file" in cli("list", code=1).err


def test_full_disk_is_one_line(cli, monkeypatch):
    def full(*_, **__):
        raise OSError(28, "No space left on device", "/there")

    monkeypatch.setattr("zoo.registry.list_models", full)
    assert cli("list", code=1).err == "Error: No space left on device: /there\n"


def test_colours_in_a_terminal_only(cli, monkeypatch):
    plain = cli("list").out
    assert "\x1b" not in plain
    monkeypatch.setattr("click._compat.isatty", lambda stream: True)
    assert "\x1b[1m" in cli("list").out
    monkeypatch.setenv("NO_COLOR", "1")
    assert cli("list").out == plain


def test_closed_pipe_is_silent():
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [sys.executable, "-m", "zoo", "info", "imdb-lstm", "--no-layers"],
        stdout=writer,
        stderr=subprocess.PIPE,
    )
    os.close(writer)
    assert (done.returncode, done.stderr) == (1, b"")


def run_in_shell(line, **environment):
    """Runs a line of a shell in which `$ZOO` is our command."""
    return subprocess.run(
        ["sh", "-c", line],
        env={**os.environ, "ZOO": f"{sys.executable} -m zoo", **environment},
        capture_output=True,
        timeout=100,
    )


def test_pipe_that_is_closed_before_the_end_is_silent(tmp_path):
    """What was written directly, and is flushed at the end only."""
    code = "import sys, zoo.cli; sys.argv[1:] = ['list']; zoo.cli.main()"
    line = f'{sys.executable} -c "{code}" | true'
    assert run_in_shell(f"({line}); echo $?").stderr == b""


def test_closed_standard_output_is_one_line():
    for line in ("$ZOO list --json >&-", "$ZOO list >&-", "$ZOO --help >&-"):
        done = run_in_shell(line)
        assert done.returncode == 1
        assert done.stderr == b"Error: Standard output is closed, so the output is lost.\n"


def test_closed_standard_output_does_not_matter_where_nothing_is_written(tmp_path):
    """Nor do files get its number, into which a library would print."""
    code = (
        "import os, sys, zoo.cli, zoo.registry\n"
        "def list_models(*_, **__):\n"
        "    file = open('result', 'w')\n"
        "    os.write(1, b'noise'); os.write(2, b'noise')\n"
        "    file.write(str(file.fileno() > 2))\n"
        "    file.close(); sys.exit(0)\n"
        "zoo.registry.list_models = list_models\n"
        "sys.argv[1:] = ['list']\n"
        "zoo.cli.main()"
    )
    (tmp_path / "code.py").write_text(code)
    for closed in ("<&- >&- 2>&-", ">&- 2>&-", "<&- >&-", "2>&-"):
        done = run_in_shell(f"cd {tmp_path}; {sys.executable} code.py {closed}; echo $?")
        assert done.stdout.endswith(b"0\n")
        assert (tmp_path / "result").read_text() == "True"


def test_closed_standard_error_changes_neither_output_nor_exit_code():
    open_, closed = (run_in_shell(f"$ZOO list --json {end}") for end in ("", "2>&-"))
    assert (closed.returncode, closed.stdout) == (0, open_.stdout)
    done = run_in_shell("$ZOO info nothing-of-this-name 2>&-")
    assert (done.returncode, done.stdout) == (2, b"")


def test_full_standard_output_is_one_line():
    done = run_in_shell("$ZOO list >/dev/full")
    assert (done.returncode, done.stderr) == (1, b"Error: No space left on device\n")
    assert run_in_shell("$ZOO info nothing-of-this-name 2>/dev/full").returncode == 2


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252", "utf-8"])
def test_json_loses_nothing_in_any_encoding(encoding):
    code = (
        "import sys, zoo.registry, zoo.cli, zoo.cli.answers as answers\n"
        "row = {'name': 'é … 𝄞 中', 'lone': chr(0xd800)}\n"
        "zoo.registry.list_models = lambda *_, **__: [row]\n"
        "answers.write(sys.stdout, [row], '.jsonl')\n"
        "sys.argv[1:] = ['list', '--json']\n"
        "zoo.cli.main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONIOENCODING": encoding},
        capture_output=True,
    )
    first, _, second = done.stdout.decode(encoding).partition("\n")
    row = {"name": "é … 𝄞 中", "lone": "\ufffd"}
    assert json.loads(first) == row, done.stderr
    assert json.loads(second) == [row]


@pytest.mark.parametrize(
    "arguments",
    [
        ["{}"],
        ["info", "{}"],
        ["info", "{}.py:x"],
        ["train", "imdb-lstm", "--epochs", "{}"],
        ["train", "imdb-lstm", "--{}"],
        ["train", "imdb-lstm", "--set", "epochs={}"],
        ["train", "imdb-lstm", "--set={}=1"],
        ["train", "imdb-lstm", "--strategy", "{}"],
        ["data", "check", "{}"],
        ["data", "check", "/tmp/{}/x.csv"],
        ["data", "fetch", "{}"],
        ["list", "{}", "{}"],
    ],
)
@pytest.mark.parametrize("word", ["x", "it's \x1b[31m\n"])
def test_errors_quote_at_most_200_characters(cli, arguments, word):
    long = word * 20_000
    result = cli(*(argument.format(long) for argument in arguments), code=2)
    assert len(result.err) < 1000
    assert "\x1b" not in result.err


def test_interrupted_training_says_how_to_go_on(cli, monkeypatch):
    def stopped(*_, **__):
        raise Interrupted(3, 7, signal.SIGINT)

    monkeypatch.setattr("zoo.training.train", stopped)
    result = cli("train", "imdb-lstm", "--data", "sample", "-o", "my run", "--overwrite", code=130)
    plan = "imdb-lstm trains for at most 3 epochs on a built-in sample of a few rows.\n"
    assert result.out == (
        plan + "\nStopped in epoch 3 after step 7; nothing is lost. Resume with:\n"
        "  zoo train imdb-lstm --data sample -o 'my run'\n"
    )

    def earlier(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("zoo.training.train", earlier)
    result = cli("train", "imdb-lstm", "--data", "sample", code=130)
    assert result.out == f"{plan}\nStopped. Resume with:\n  zoo train imdb-lstm --data sample\n"


def complete(words, **environment):
    """Returns what bash is offered for the last of the words, and what was imported for it."""
    code = (
        "import sys, zoo.cli\n"
        "try: zoo.cli.main()\n"
        "finally: sys.stderr.write(' '.join({'tensorflow', 'numpy'} & sys.modules.keys()))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={
            **os.environ,
            "COMP_WORDS": " ".join(words),
            "COMP_CWORD": str(len(words) - 1),
            "_ZOO_COMPLETE": "bash_complete",
        },
        capture_output=True,
        text=True,
        **environment,
    )
    return done.stdout.split(), done.stderr


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        (["zoo", "tr"], ["plain,train"]),
        (["zoo", "info", "imdb-d"], ["plain,imdb-deep-gru"]),
        (["zoo", "train", "imdb-lstm", "--ti"], ["plain,--tiny"]),
        (["zoo", "train", "imdb-lstm", "--precision", "mixed_b"], ["plain,mixed_bfloat16"]),
        (["zoo", "train", "./mi"], ["file,./mi"]),
        (["zoo", "predict", "runs/m"], ["plain,runs/mine"]),
        (["zoo", "export", "./ser"], ["dir,./ser"]),
    ],
)
def test_completion(tmp_path, words, offered):
    (tmp_path / "runs" / "mine").mkdir(parents=True)
    assert complete(words, cwd=tmp_path) == (offered, "")


def test_completion_survives_broken_recipes(monkeypatch):
    def broken():
        raise ZooError("two recipes of one name")

    monkeypatch.setattr("zoo.registry.recipes", broken)
    assert options.complete_recipe(None, None, "im") == []
    assert [item.type for item in options.complete_model(None, None, "im")] == ["dir"]


def test_another_backend_is_refused(cli, monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    assert "KERAS_BACKEND is 'jax'" in cli("predict", "x", "text", code=2).err


def test_broken_tensorflow_is_one_line(process, tmp_path):
    (tmp_path / "tensorflow.py").write_text("raise ImportError('no AVX\\nhere')")
    done = process("predict", "x", "text")
    assert done.returncode == 1
    assert done.stderr == (b"Error: TensorFlow cannot be loaded (no AVX). Run `zoo doctor`.\n")


def test_table_aligns_numbers_to_the_right(capsys):
    options.table([{"name": "a", "n": "7", "x": "0.5"}, {"name": "bcdef", "n": "1,234", "y": "z"}])
    assert capsys.readouterr().out == (
        "name       n    x  y\na          7  0.5\nbcdef  1,234       z\n"
    )


def test_help_works_after_the_verb_list_was_used(cli):
    # `zoo.cli.list`, once imported, is an attribute of `zoo.cli` and hides the builtin there.
    assert cli("list").code == 0
    assert cli("--help").code == 0


@pytest.mark.parametrize(
    "arguments",
    [
        ("serve", "imdb-gru", "--timeout", "nan"),
        ("train", "digits-mlp", "--checkpoint-seconds", "nan"),
        ("backtest", "stocks-gru", "--cost", "nan"),
        ("distil", "imdb-gru", "--teachers", "linear", "--label-share", "nan"),
        ("serve", "imdb-gru", "--timeout", "inf"),
    ],
)
def test_a_number_of_an_option_is_finite(cli, arguments):
    assert f"{arguments[-1]} is not a finite number" in cli(*arguments, code=2).err
