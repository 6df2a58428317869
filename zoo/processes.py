"""Subprocesses: starting Python without code of the current folder, and checks for forks."""

from __future__ import annotations

import os
import sys

from zoo.errors import ZooError

_tensorflow_process: int | None = None  # the first process that used TensorFlow

# `python -c` and `python -m` put the current folder first on the path; `-P` needs Python 3.11. Only
# `sys`, a built-in module, is imported before that entry is removed.
_WITHOUT_CURRENT_FOLDER = "import sys; sys.path[:1] == [''] and sys.path.pop(0)\n"


def python_command(code: str, *arguments: str) -> list[str]:
    """Returns a command that runs code with this Python, its environment and settings.

    The current folder is unchanged, so that relative paths work, but nothing is imported from it.

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
    """Records that this process uses TensorFlow.

    Raises:
      ZooError: the process was forked, by `os.fork` or `multiprocessing`, from one that used
        TensorFlow. TensorFlow's threads do not exist in the child, and calls that wait for them
        never return.
    """
    global _tensorflow_process
    if _tensorflow_process not in (None, os.getpid()):
        raise ZooError(
            "This process was forked from one in which TensorFlow had already computed, and would "
            'wait for ever. Start it by multiprocessing.get_context("spawn"), or fork before any '
            "model is used."
        )
    _tensorflow_process = os.getpid()
