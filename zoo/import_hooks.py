"""Import hooks: run a function when another package is imported, without importing it now.

Light: importing this module imports neither TensorFlow nor NumPy.
"""

from __future__ import annotations

import importlib.util
import sys
import types
from collections.abc import Callable, Sequence
from importlib.machinery import ModuleSpec

Run = Callable[[Callable[[], None]], None]


def when_imported(name: str, run: Run) -> None:
    """Registers a function that executes a module at its first import, instead of Python.

    A second function for the same module is ignored.

    Args:
      name: name of a top-level package or module that is not imported yet.
      run: called once, with the function that executes the module.
    """
    if not any(isinstance(each, _Finder) and each.name == name for each in sys.meta_path):
        sys.meta_path.insert(0, _Finder(name, run))


class _Finder:
    def __init__(self, name: str, run: Run) -> None:
        self.name, self._run = name, run
        self._looking = False

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: types.ModuleType | None = None
    ) -> ModuleSpec | None:
        if name != self.name or self._looking:
            return None
        self._looking = True
        try:
            spec = importlib.util.find_spec(name)
        finally:
            self._looking = False
        if spec is not None and spec.loader is not None:
            execute = spec.loader.exec_module

            def exec_module(module: types.ModuleType) -> None:
                # Not before: some code only checks whether a package exists, and imports it later.
                if self in sys.meta_path:
                    sys.meta_path.remove(self)
                self._run(lambda: execute(module))

            spec.loader.exec_module = exec_module  # type: ignore[method-assign]
        return spec
