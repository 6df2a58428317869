"""The command line: one file a verb, each thin over the function of the same name.

Importing this imports no TensorFlow, so that `zoo --help` and `zoo list` answer at once.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import io
import os
import signal
import sys
from typing import NoReturn, TextIO

import click

from zoo import plugins
from zoo._version import __version__
from zoo.errors import LONGEST, QUOTED, ZooError, exit_code, quoted, shortened, suggest

VERBS = {  # in the order in which people meet them
    "list": "List the recipes.",
    "info": "Show a recipe: idea, config, data, layers.",
    "train": "Train a recipe, or go on with a run.",
    "distil": "Train a recipe on what teachers answer.",
    "launch": "Train in several processes at once.",
    "evaluate": "Score a model beside its baselines.",
    "predict": "Answer texts or a file of them.",
    "inspect": "Look into a model's recurrent layers.",
    "generate": "Make new music or text from a seed.",
    "demo": "Try models on a page in the browser.",
    "export": "Write a version directory for TF Serving.",
    "serve": "Answer over HTTP and gRPC, as TF Serving does.",
    "data": "List, fetch and check datasets.",
    "doctor": "Show versions, devices, and what is missing.",
}


class LazyGroup(click.Group):
    """Imports a verb's module when the verb is used, not to list the verbs.

    Installed packages add verbs by entry points: see `zoo.plugins`.
    """

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [*VERBS, *_added()]  # the submodule `list` hides the builtin here

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name in VERBS:
            return getattr(importlib.import_module(f"zoo.cli.{cmd_name}"), cmd_name)
        added = _added()
        return plugins.load(added[cmd_name]) if cmd_name in added else None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        added = []
        for name, point in _added().items():
            try:
                added.append((name, plugins.load(point).get_short_help_str(60)))
            except ZooError:  # said in full when the verb is used
                added.append((name, f"(not available: {point.value} cannot be imported)"))
        with formatter.section("Commands"):
            formatter.write_dl([*VERBS.items(), *added])

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        known = self.list_commands(ctx)
        if args[0] not in known and not args[0].startswith("-"):
            ctx.fail(f"No such command {quoted(args[0])}.{suggest(args[0], known)}")
        return super().resolve_command(ctx, args)


def _added() -> dict[str, plugins.EntryPoint]:
    """Returns the verbs of installed packages, in the order of their names."""
    points = plugins.registered(plugins.COMMANDS)
    return {name: points[name] for name in sorted(points) if name not in VERBS}


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, "-V", "--version", prog_name="zoo")
def zoo() -> None:
    """Train, trust and serve recurrent networks.

    \b
    zoo list                    list all recipes
    zoo train NAME              train a recipe on real data
    zoo predict NAME "text"     ask a pretrained model
    zoo export runs/NAME DIR    for TF Serving
    """


def main() -> None:
    """Runs `zoo` and exits; see `run`."""
    run(zoo, "zoo")


def run(command: click.Command, name: str) -> NoReturn:
    """Runs a command line and exits; every failure is one line, never a traceback.

    Args:
      command: reads the arguments in `sys.argv`.
      name: of the program, in its help and its errors.

    Exit codes: 0 done, 1 failed, 2 wrong usage, 130, 143 and 129 stopped by Ctrl-C, SIGTERM and
    SIGHUP, 203 other workers are lost: try again.
    Set `ZOO_DEBUG=1` to see tracebacks.
    """
    gc.set_threshold(10_000)  # imports make many objects, which stay
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    _prepare_streams()
    color = False if os.environ.get("NO_COLOR") else None  # None: in a terminal only
    try:
        code = command.main(prog_name=name, standalone_mode=False, color=color)
        sys.stdout.flush()  # what is wrong with it shows here, not after the exit code is known
        if isinstance(sys.stdout, _Closed) and sys.stdout.lost:
            raise ZooError("Standard output is closed, so the output is lost.")
    except Exception as error:
        if os.environ.get("ZOO_DEBUG"):
            import traceback  # only here: it takes its share of `zoo --help`

            traceback.print_exc()
        code = _report(error)
    except KeyboardInterrupt:
        code = 130
    sys.exit(code if isinstance(code, int) else 0)


class _Closed(io.TextIOWrapper):
    """Stands for a standard output or error that was closed before the start.

    Attributes:
      lost: whether anything was written.
    """

    lost = False

    def write(self, text: str) -> int:
        self.lost = self.lost or bool(text)
        return super().write(text)


def _prepare_streams() -> None:
    """Makes standard output and error something that can be written to, whatever they are.

    The files that are opened next must not get the numbers of closed ones: what C++ libraries
    print would be written into them.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # gets the lowest number that is free
    if sys.stdout is None:
        sys.stdout = _Closed(io.BufferedWriter(io.FileIO(os.devnull, "w")), encoding="utf-8")
    if sys.stderr is None:
        sys.stderr = _Closed(io.BufferedWriter(io.FileIO(os.devnull, "w")), encoding="utf-8")
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal that is not UTF-8 shows "?"


def _discard(stream: TextIO) -> None:
    """Sends what a stream still holds, and gets, nowhere: Python flushes it at the end."""
    with contextlib.suppress(OSError, ValueError):  # ValueError: it has no file descriptor
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)


def _report(error: Exception) -> int:
    """Prints one line about an error and returns the exit code."""
    code, line = _described(error)
    if isinstance(error, OSError):  # perhaps that of standard output
        try:
            sys.stdout.flush()
        except OSError:
            _discard(sys.stdout)
    if line:
        try:
            click.echo(f"Error: {_brief(line)}", err=True)
        except OSError:
            _discard(sys.stderr)
    return code


def _brief(line: str) -> str:
    """Shortens what a line quotes of the command line, and the line itself in its middle."""
    for argument in sys.argv[1:]:
        for given in (argument, *argument.lstrip("-").partition("=")):
            for form in (given, repr(given)[1:-1]):
                form = " ".join(form.split())
                if len(form) > QUOTED:
                    line = line.replace(form, shortened(form))
    if len(line) > LONGEST:
        line = f"{line[: LONGEST * 2 // 3]} … {line[-LONGEST // 3 :]}"
    return shortened(line, 2 * LONGEST)  # without control characters


def _described(error: Exception) -> tuple[int, str]:
    """Returns the exit code and one line about an error, which is empty where none is due."""
    if isinstance(error, click.Abort):  # click makes it of KeyboardInterrupt and of EOFError
        cause = error.__cause__ or error.__context__  # click 8.1.3 hides the cause
        if not isinstance(cause, EOFError):
            return 128 + getattr(cause, "signum", signal.SIGINT), ""
        error = cause
    if isinstance(error, BrokenPipeError):  # `zoo train … | head -1`
        return 1, ""
    code = exit_code(error)
    line = " ".join(str(error).split())
    if isinstance(error, click.ClickException):
        code = error.exit_code
        context = getattr(error, "ctx", None)
        if type(error).__name__ == "NoArgsIsHelpError":  # since click 8.2
            error.show()
            return code, ""
        line = " ".join(error.format_message().split())
        if context:
            line += ("" if line[-1] in ".?!" else ".") + f" `{context.command_path} --help` helps."
    elif isinstance(error, OSError) and error.strerror:
        line = error.strerror
        line += f": {shortened(str(error.filename))}" if error.filename else ""
    elif not isinstance(error, ZooError):
        line = (
            f"{type(error).__name__}: {shortened(line)} (this should not happen: please report it "
            "with the traceback that ZOO_DEBUG=1 shows)"
        )
    return code, line
