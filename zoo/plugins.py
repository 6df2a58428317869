"""Plugins: recipes, functions of `zoo` and commands that packages add through entry points.

    [options.entry_points]
    zoo.recipes =
        mine = mypackage.recipes
    zoo.functions =
        backtest = mypackage.prices:backtest
    zoo.commands =
        backtest = mypackage.prices.command:backtest

`zoo.backtest` is then this function, and `zoo backtest` this click command. A module with a command
must not import TensorFlow at its top, because `zoo --help` imports it.
"""

from __future__ import annotations

import functools
import os
import pkgutil
import sys
from collections.abc import Iterator
from typing import Any, NamedTuple

from zoo.errors import ZooError

RECIPES, FUNCTIONS, COMMANDS = "zoo.recipes", "zoo.functions", "zoo.commands"


class EntryPoint(NamedTuple):
    """An object that an installed distribution registers.

    Attributes:
      name: name of the object.
      value: its location: `"module"` or `"module:attribute"`.
      group: group in which it is registered.
    """

    name: str
    value: str
    group: str

    def load(self) -> Any:
        """Imports the object."""
        return pkgutil.resolve_name(self.value)


@functools.cache
def _all() -> dict[str, dict[str, EntryPoint]]:
    """Returns a mapping of group to name to entry point; reads the metadata only once."""
    groups: dict[str, dict[str, EntryPoint]] = {}
    for point in entry_points():
        # The same distribution may be found twice on the path.
        key = point.value if point.group == RECIPES else point.name
        groups.setdefault(point.group, {}).setdefault(key, point)
    return groups


def entry_points() -> Iterator[EntryPoint]:
    """Yields the entry points of the `zoo` groups, in the order of `sys.path`.

    Finds the same as `importlib.metadata.entry_points` in folders, without importing that module,
    which would take half of the time of `zoo --help`. As there, the first distribution of a name
    counts.
    """
    seen = set()
    for folder in dict.fromkeys(os.path.realpath(path) for path in sys.path):
        try:
            names = sorted(os.listdir(folder))
        except OSError:  # a zip archive, or missing
            continue
        for name in names:
            stem, suffix = os.path.splitext(name)
            distribution = stem.partition("-")[0].lower()
            if suffix in (".dist-info", ".egg-info") and distribution not in seen:
                seen.add(distribution)
                yield from _written(os.path.join(folder, name, "entry_points.txt"))


def _written(path: str) -> Iterator[EntryPoint]:
    """Yields the entry points of the `zoo` groups in a file; none if it is missing."""
    try:
        with open(path, encoding="utf-8") as file:
            text = file.read()
    except (OSError, UnicodeDecodeError):
        return
    group = ""
    for line in map(str.strip, text.splitlines() if "[zoo." in text else ()):
        if line.startswith("["):
            group = line.strip("[] ")
        elif "=" in line and group in (RECIPES, FUNCTIONS, COMMANDS) and line[0] != "#":
            name, _, value = line.partition("=")
            yield EntryPoint(name.strip(), value.partition("[")[0].strip(), group)


def registered(group: str) -> dict[str, EntryPoint]:
    """Returns the entry points of a group by name; those of recipes by value."""
    return _all().get(group, {})


def load(point: EntryPoint) -> Any:
    """Imports the object of an entry point.

    Raises:
      ZooError: it cannot be imported.
    """
    try:
        return point.load()
    except Exception as error:  # any error of a third-party module
        raise ZooError(
            f"{point.name!r}, registered as {point.value!r}, cannot be imported: "
            f"{type(error).__name__}: {error}. Repair or uninstall the package that registers it."
        ) from error
