"""The libraries of the extra `[music]`: what is said when one is missing, and their silence."""

from __future__ import annotations

import contextlib
import importlib
import io
import warnings
from collections.abc import Iterator

from zoo.errors import ZooError

LIBRARIES = ("music21", "pretty_midi", "mido")


def require(*names: str) -> None:
    """Imports libraries, all of them when none is named.

    Raises:
      ZooError: one is not installed; the message says how to install it.
    """
    for name in names or LIBRARIES:
        try:
            with warnings.catch_warnings():
                # They warn of their own age, for example of `pkg_resources`, as they are imported.
                warnings.simplefilter("ignore")
                importlib.import_module(name)
        except ImportError as error:
            raise ZooError(
                f"Reading and writing music needs {name} ({error}): pip install 'rnn-zoo[music]'."
            ) from error


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Keeps what the libraries warn of, and print, from whoever called.

    What matters of it is raised as an error; the rest is about notation.
    """
    with (
        warnings.catch_warnings(),
        contextlib.redirect_stderr(io.StringIO()),
        contextlib.redirect_stdout(io.StringIO()),
    ):
        warnings.simplefilter("ignore")
        yield


def line(error: BaseException) -> str:
    """Returns what a library says went wrong, as one short line."""
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= 120 else f"{text[:119]}…"
