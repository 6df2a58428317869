"""Options that several verbs share, and how they print."""

from __future__ import annotations

import codecs
import contextlib
import functools
import json
import math
import os
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from zoo import quiet, tables
from zoo.config import parse_settings
from zoo.errors import CONTROL, UsageError, ZooError, quoted
from zoo.utf8 import plain

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem


class FiniteRange(click.FloatRange):
    """A range of numbers without NaN, which no comparison refuses, and without infinity."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        number = super().convert(value, param, ctx)
        if not math.isfinite(number):
            self.fail(f"{value} is not a finite number.", param, ctx)
        return number


def complete_recipe(
    ctx: click.Context, param: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Completes a recipe's name, or the path of a recipe file."""
    from click.shell_completion import CompletionItem

    from zoo.registry import recipes

    if "/" in incomplete or incomplete.startswith("."):
        return [CompletionItem(incomplete, type="file")]
    try:
        return [CompletionItem(name) for name in recipes() if name.startswith(incomplete)]
    except ZooError:
        return []


def complete_model(
    ctx: click.Context, param: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Completes a pretrained model's name, a folder in `runs`, or any folder."""
    from click.shell_completion import CompletionItem

    from zoo.serving.pretrained import pretrained_names

    try:
        names = [*pretrained_names(), *(str(path) for path in Path("runs").glob("*/"))]
    except ZooError:
        names = []
    completions = [CompletionItem(name) for name in sorted(names) if name.startswith(incomplete)]
    return completions or [CompletionItem(incomplete, type="dir")]


model = click.argument("model", metavar="MODEL", shell_complete=complete_model)
recipe = click.argument("name", metavar="NAME", shell_complete=complete_recipe)
trust = click.option(
    "--trust",
    is_flag=True,
    help="Trust MODEL: allow it to run the recipe file that it names, and more "
    "(docs/security.md).  [default: ZOO_TRUST]",
)
json_output = click.option("--json", "as_json", is_flag=True, help="JSON on standard output.")
column = click.option(
    "--column",
    "columns",
    multiple=True,
    metavar="OURS=YOURS",
    callback=lambda ctx, param, value: parse_settings(value),
    help="Name of a column in your file, e.g. text=review. May be repeated.",
)

_READING = (  # option strings, and what click is told of them
    (
        ["--sep"],
        {"metavar": "SIGN", "help": "Separator of columns: comma, semicolon, tab, pipe, …"},
    ),
    (["--encoding"], {"metavar": "NAME", "help": "Encoding of text files, e.g. cp1252."}),
    (
        ["--quoting"],
        {"type": click.Choice(["csv", "none"]), "help": "csv: quotation marks enclose cells."},
    ),
    (["--decimal"], {"type": click.Choice(["point", "comma"]), "help": "Decimal sign of numbers."}),
    (
        ["--dayfirst/--monthfirst"],
        {"default": None, "help": "Whether dates such as 03/04/2024 begin with the day."},
    ),
    (["--sheet"], {"metavar": "NAME", "help": "Sheet of an Excel workbook, or its number from 1."}),
    (
        ["--records"],
        {"metavar": "PATH", "help": "Path of the rows in a JSON file, e.g. data.items."},
    ),
    (["--drop-bad"], {"is_flag": True, "help": "Drop rows that cannot be used."}),
    (["--repair"], {"metavar": "NAMES", "help": "Repairs to apply, as named in error messages."}),
    (
        ["--min-count"],
        {
            "type": click.IntRange(0),
            "metavar": "N",
            "help": "Drop classes with fewer training rows.",
        },
    ),
)


def reading(command: Callable[..., Any]) -> Callable[..., Any]:
    """Adds the options that say how a custom file is read, as one argument `reading`.

    What is not given is detected from the file. The argument is a
    `zoo.data.reading.ReadOptions`.
    """
    names = [flags[0].split("/")[0].lstrip("-").replace("-", "_") for flags, _ in _READING]

    @functools.wraps(command)
    def collected(*args: Any, **kwargs: Any) -> Any:
        from zoo.data.reading import ReadOptions

        given = {name: kwargs.pop(name) for name in names}
        said = {name: value for name, value in given.items() if value is not None}
        return command(*args, reading=ReadOptions(**said), **kwargs)

    for flags, settings in reversed(_READING):
        collected = click.option(*flags, **settings)(collected)
    return collected


def import_tensorflow() -> Any:
    """Imports TensorFlow without the lines it prints about itself (`ZOO_DEBUG=1` shows them).

    Raises:
      UsageError: the environment names another backend of Keras.
      ZooError: TensorFlow is missing or broken.
    """
    backend = os.environ.get("KERAS_BACKEND") or "tensorflow"
    if backend != "tensorflow":
        raise UsageError(
            f"KERAS_BACKEND is {quoted(backend)}, but TensorFlow is needed here. Unset it."
        )
    os.environ["KERAS_BACKEND"] = backend  # goes before what ~/.keras/keras.json says
    try:
        if os.environ.get("ZOO_DEBUG"):
            import tensorflow as tf

            return tf
        quiet.install()
        with transient("loading TensorFlow …"), quiet.silent_stderr():
            import tensorflow as tf

            tf.config.list_physical_devices()  # looks for GPUs, and complains if there are none
    except ImportError as error:
        reason = str(error).strip().splitlines()[0]
        raise ZooError(f"TensorFlow cannot be loaded ({reason}). Run `zoo doctor`.") from error
    return tf


@contextlib.contextmanager
def transient(text: str) -> Iterator[None]:
    """Shows a text at a terminal's stderr for as long as something takes."""
    shown = sys.stderr.isatty() and os.environ.get("TERM") != "dumb"
    if shown:
        click.echo(f"{text}\r", nl=False, err=True)
    try:
        yield
    finally:
        if shown:
            sys.stderr.write("\x1b[K")
            sys.stderr.flush()


def json_text(value: Any, indent: int | None = None, encoding: str | None = None) -> str:
    """Returns JSON for a stream: only ASCII where its encoding cannot hold every character.

    Args:
      value: what JSON can hold; numbers that are not finite become null.
      indent: as of `json.dumps`.
      encoding: of the stream; None: that of standard output.
    """
    encoding = encoding or getattr(sys.stdout, "encoding", None) or "utf-8"
    text = plain(json.dumps(finite(value), indent=indent, ensure_ascii=False, allow_nan=False))
    # JSON itself escapes only the control characters below a space.
    text = re.sub("[\x7f-\x9f]", lambda match: f"\\u{ord(match[0]):04x}", text)
    if codecs.lookup(encoding).name.startswith("utf-"):
        return text
    # Characters that are not ASCII stand in strings only, so that an escape means the same.
    return re.sub("[^\x00-\x7f]", lambda match: json.dumps(match[0])[1:-1], text)


def finite(value: Any) -> Any:
    """Returns lists and dicts with None in place of numbers that are not finite: JSON has none."""
    if isinstance(value, Mapping):
        return {name: finite(part) for name, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [finite(part) for part in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def printable(value: Any, keep: str = "") -> Any:
    """Returns what people may read in a terminal: texts without control characters.

    A terminal obeys these, and a model may be a stranger's. Each becomes a space, so that
    positions in the text stay. Marks that reverse the direction of text are among them.

    Args:
      value: a text, or lists and dicts of texts, keys included; others are left as they are.
      keep: control characters that stay, such as line breaks.
    """
    if isinstance(value, str):
        return CONTROL.sub(lambda found: found[0] if found[0] in keep else " ", plain(value))
    if isinstance(value, Mapping):
        return {printable(name, keep): printable(part, keep) for name, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [printable(part, keep) for part in value]
    return value


def table(rows: Sequence[Mapping[str, Any]]) -> None:
    """Prints rows as a table that fits the terminal; see `zoo.tables.lines`."""
    for number, line in enumerate(tables.lines(rows, tables.terminal_width())):
        click.echo(click.style(line, bold=True) if number == 0 else line)


def say(text: str, indent: str = "", hang: str = "  ") -> None:
    """Prints a line, broken between words where it is wider than the terminal.

    Args:
      text: without line breaks.
      indent: before the first line.
      hang: before further lines, after `indent`.
    """
    width = tables.terminal_width()
    if len(indent) + len(text) <= width:
        click.echo(indent + text)
        return
    import textwrap

    lines = textwrap.wrap(
        text,
        max(width, len(indent) + len(hang) + 20),
        initial_indent=indent,
        subsequent_indent=indent + hang,
        break_long_words=False,
        break_on_hyphens=False,
    )
    click.echo("\n".join(lines))
