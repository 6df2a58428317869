"""TensorFlow without the lines that it prints about itself.

Light: importing this module imports neither TensorFlow nor NumPy.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable, Iterator

from zoo.import_hooks import when_imported

_NAME = "tensorflow"


def install() -> None:
    """Makes the first import of TensorFlow print no log lines.

    Some of them come before any setting is read, so that what is written to file descriptor 2
    meanwhile is lost. Errors are raised as ever. Nothing is done where TensorFlow is imported
    already, or with `ZOO_DEBUG=1`. A `TF_CPP_MIN_LOG_LEVEL` that is set stays.
    """
    if _NAME in sys.modules or os.environ.get("ZOO_DEBUG"):
        return
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    when_imported(_NAME, _quietly)


@contextlib.contextmanager
def silent_stderr() -> Iterator[None]:
    """Context in which file descriptor 2 leads nowhere: C++ writes there unasked."""
    if sys.stderr is not None:
        sys.stderr.flush()
    try:
        kept = os.dup(2)
    except OSError:  # it is closed
        yield
        return
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        if sys.stderr is not None:
            sys.stderr.flush()
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


def _quietly(execute: Callable[[], None]) -> None:
    import logging
    import warnings

    with silent_stderr(), warnings.catch_warnings():
        # TensorFlow 2.20 beside protobuf 6, which tensorflow-metadata needs: it works. A notebook
        # would show it.
        warnings.filterwarnings("ignore", "Protobuf gencode version", UserWarning)
        execute()

    logging.getLogger(_NAME).setLevel(logging.ERROR)
