"""Suppresses the log lines of TensorFlow's import.

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

    Some of them are printed before any setting is read. Therefore, output to file descriptor 2 is
    discarded during the import. Errors are raised as usual. Does nothing if TensorFlow is already
    imported, or with `ZOO_DEBUG=1`. An existing `TF_CPP_MIN_LOG_LEVEL` is kept.
    """
    if _NAME in sys.modules or os.environ.get("ZOO_DEBUG"):
        return
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    when_imported(_NAME, _quietly)


@contextlib.contextmanager
def silent_stderr() -> Iterator[None]:
    """Context in which output to file descriptor 2, where C++ code logs, is discarded."""
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


@contextlib.contextmanager
def no_log_lines() -> Iterator[None]:
    """Context in which `logging` discards warnings and less."""
    import logging

    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(before)


def _quietly(execute: Callable[[], None]) -> None:
    import logging
    import warnings

    with silent_stderr(), warnings.catch_warnings():
        # TensorFlow 2.20 with protobuf 6, which tensorflow-metadata needs, works. A notebook would
        # show the warning.
        warnings.filterwarnings("ignore", "Protobuf gencode version", UserWarning)
        execute()

    logging.getLogger(_NAME).setLevel(logging.ERROR)
