"""What is to happen when another package is imported, without importing it now.

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
    """Lets a function execute a module at its first import, which is Python's own otherwise.

    A second function for the same module is not kept.

    Args:
      name: of a package or module at the top level that is not imported yet.
      run: called once, with what executes the module.
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
                # Not before: some look whether a package is there, and import it later.
                if self in sys.meta_path:
                    sys.meta_path.remove(self)
                self._run(lambda: execute(module))

            spec.loader.exec_module = exec_module  # type: ignore[method-assign]
        return spec
