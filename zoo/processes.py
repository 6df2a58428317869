"""Starting Python in another process, without running code that lies in the current folder."""

from __future__ import annotations

import sys

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
