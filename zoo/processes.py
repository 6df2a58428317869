"""Other processes: starting Python without the code of the current folder, and forks."""

from __future__ import annotations

import os
import sys

from zoo.errors import ZooError

_tensorflow_process: int | None = None  # the first that computed with TensorFlow

# `python -c` and `python -m` put the current folder first on the path; `-P` comes with 3.11. Only
# `sys` is imported before that entry is gone: it is built in.
_WITHOUT_CURRENT_FOLDER = "import sys; sys.path[:1] == [''] and sys.path.pop(0)\n"


def python_command(code: str, *arguments: str) -> list[str]:
    """Returns a command that runs code with this Python, its environment and settings.

    The current folder stays what it is, for the sake of relative paths, but nothing is imported
    from it.

    Args:
      code: statements.
      arguments: `sys.argv[1:]` of the process.
    """
    return [sys.executable, "-c", _WITHOUT_CURRENT_FOLDER + code, *arguments]


def module_command(module: str, *arguments: str) -> list[str]:
    """Returns a command that runs a module as `python -m` does; see `python_command`."""
    code = f"import runpy; runpy.run_module({module!r}, run_name='__main__', alter_sys=True)"
    return python_command(code, *arguments)


def use_tensorflow() -> None:
    """Notes that this process computes with TensorFlow.

    Raises:
      ZooError: it is the child of one that did, by `os.fork` or `multiprocessing`. TensorFlow's
        threads do not exist in the child, and what waits for them never ends.
    """
    global _tensorflow_process
    if _tensorflow_process not in (None, os.getpid()):
        raise ZooError(
            "This process was forked from one in which TensorFlow had already computed, and would "
            'wait for ever. Start it by multiprocessing.get_context("spawn"), or fork before any '
            "model is used."
        )
    _tensorflow_process = os.getpid()
