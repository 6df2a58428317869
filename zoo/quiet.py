"""TensorFlow without the lines that it prints about itself.

Light: importing this module imports neither TensorFlow nor NumPy.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import sys
from collections.abc import Iterator
from typing import Any

_NAME = "tensorflow"


def install() -> None:
    """Has TensorFlow be imported without its log lines, by whoever is the first to import it.

    Some of them come before any setting is read, so that what is written to file descriptor 2
    meanwhile is lost. Errors are raised as ever. Nothing is done where TensorFlow is imported
    already, or with `ZOO_DEBUG=1`. A `TF_CPP_MIN_LOG_LEVEL` that is set stays.
    """
    if _NAME in sys.modules or os.environ.get("ZOO_DEBUG"):
        return
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    if not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Finder())


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


class _Finder:
    """Finds TensorFlow as Python does, and lets it be executed in silence, once."""

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Any:
        if name != _NAME:
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(name)
        if spec is not None and spec.loader is not None:
            execute = spec.loader.exec_module

            def quietly(module: Any) -> None:
                with silent_stderr():
                    execute(module)
                    import logging

                    logging.getLogger(_NAME).setLevel(logging.ERROR)

            spec.loader.exec_module = quietly  # type: ignore[method-assign]
        return spec
