"""What all verbs have in common: help, errors, exit codes, signals, completion."""

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
        assert [line.split()[0] for line in listed if line.strip()] == list(VERBS)


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


def test_interrupted_training_says_how_to_go_on(cli, monkeypatch):
    def stopped(*_, **__):
        raise Interrupted(3, 7, signal.SIGINT)

    monkeypatch.setattr("zoo.training.train", stopped)
    result = cli("train", "imdb-lstm", "-o", "my run", "--overwrite", code=130)
    assert result.out == (
        "\nStopped in epoch 3 after step 7; nothing is lost. Go on with:\n"
        "  zoo train imdb-lstm -o 'my run'\n"
    )

    def earlier(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("zoo.training.train", earlier)
    result = cli("train", "imdb-lstm", code=130)
    assert result.out == "\nStopped. Go on with:\n  zoo train imdb-lstm\n"


def test_terminated_training_can_go_on(tmp_path):
    arguments = ["train", "imdb-lstm", "--data", "sample", "-o", "run"]
    arguments += ["--set=units=4", "--epochs=100000", "--set=patience=0"]
    with subprocess.Popen(
        [sys.executable, "-m", "zoo", *arguments],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as running:
        lines = []
        for line in running.stdout:
            if line.startswith("epoch ") and not any(x.startswith("epoch ") for x in lines):
                running.send_signal(signal.SIGTERM)
            lines.append(line)
        assert running.wait() == 143
        assert running.stderr.read() == "\n"  # closes the line on which a terminal shows ^C
    assert lines[-2].startswith("Stopped in epoch ")
    assert lines[-1] == f"  zoo {' '.join(arguments)}\n"
    assert list((tmp_path / "run" / "checkpoint").glob("*.npz"))


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
    assert done.stderr == (
        b"Error: TensorFlow cannot be loaded (no AVX). `zoo doctor` says more.\n"
    )


def test_table_aligns_numbers_to_the_right(capsys):
    options.table([{"name": "a", "n": "7", "x": "0.5"}, {"name": "bcdef", "n": "1,234", "y": "z"}])
    assert capsys.readouterr().out == (
        "name       n    x  y\na          7  0.5\nbcdef  1,234       z\n"
    )


def test_help_works_after_the_verb_list_was_used(cli):
    # `zoo.cli.list`, once imported, is an attribute of `zoo.cli` and hides the builtin there.
    assert cli("list").code == 0
    assert cli("--help").code == 0
