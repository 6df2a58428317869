"""Imports the libraries of the extra `[music]`, and suppresses their output."""

from __future__ import annotations

import contextlib
import importlib
import io
import warnings
from collections.abc import Iterator

from zoo.environment import install_extra
from zoo.errors import ZooError

LIBRARIES = ("music21", "pretty_midi", "mido", "verovio")


def require(*names: str) -> None:
    """Imports the named libraries; without names, all of them.

    Raises:
      ZooError: one is not installed; the message says how to install it.
    """
    for name in names or LIBRARIES:
        try:
            with warnings.catch_warnings():
                # Their imports cause deprecation warnings, for example about `pkg_resources`.
                warnings.simplefilter("ignore")
                importlib.import_module(name)
        except ImportError as error:
            raise ZooError(
                f"Reading and writing music needs {name} ({error}): {install_extra('music')}."
            ) from error


@contextlib.contextmanager
def suppress_output() -> Iterator[None]:
    """Suppresses the warnings and the printed output of the libraries.

    Serious problems are raised as errors; the rest is about notation.
    """
    with (
        warnings.catch_warnings(),
        contextlib.redirect_stderr(io.StringIO()),
        contextlib.redirect_stdout(io.StringIO()),
    ):
        warnings.simplefilter("ignore")
        yield


def one_line(error: BaseException) -> str:
    """Returns the message of an error as one short line."""
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= 120 else f"{text[:119]}…"
