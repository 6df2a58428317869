"""Options that several verbs share."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from typing import Any

import click

from zoo.config import parse_settings

model = click.argument("model", metavar="MODEL")
json_output = click.option("--json", "as_json", is_flag=True, help="JSON on standard output.")
column = click.option(
    "--column",
    "columns",
    multiple=True,
    metavar="OURS=YOURS",
    callback=lambda ctx, param, value: parse_settings(value),
    help="Name of a column in your file, e.g. text=review. May be repeated.",
)


@contextlib.contextmanager
def _silent_stderr() -> Iterator[None]:
    """Sends file descriptor 2 nowhere: TensorFlow's C++ writes there before it can be asked not to."""
    sys.stderr.flush()
    kept = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


def import_tensorflow() -> Any:
    """Imports TensorFlow without the lines it prints about itself (`ZOO_DEBUG=1` shows them)."""
    if os.environ.get("ZOO_DEBUG"):
        import tensorflow as tf

        return tf
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    with _silent_stderr():
        import tensorflow as tf

        tf.config.list_logical_devices()  # looks for GPUs, and complains if there are none
    return tf


def table(rows: list[dict[str, str]]) -> None:
    """Prints rows as aligned columns under their keys."""
    widths = {key: max(len(key), *(len(str(row[key])) for row in rows)) for key in rows[0]}
    for row in [{key: key for key in rows[0]}, *rows]:
        click.echo("  ".join(str(row[key]).ljust(width) for key, width in widths.items()).rstrip())
