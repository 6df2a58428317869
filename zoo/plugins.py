"""Plugins: recipes, functions of `zoo` and commands that packages add by entry points.

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
from typing import TYPE_CHECKING, Any

from zoo.errors import ZooError

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

RECIPES, FUNCTIONS, COMMANDS = "zoo.recipes", "zoo.functions", "zoo.commands"


@functools.cache
def _all() -> dict[str, dict[str, EntryPoint]]:
    """Returns group to name to entry point: reads the metadata of all packages once."""
    from importlib.metadata import entry_points  # slow: half of the time of `zoo --help`

    points = entry_points()  # each call reads the files of all packages
    groups: dict[str, dict[str, EntryPoint]] = {}
    for group in (RECIPES, FUNCTIONS, COMMANDS):
        for point in points.select(group=group):
            # The same distribution may be found twice on the path.
            key = point.value if group == RECIPES else point.name
            groups.setdefault(group, {}).setdefault(key, point)
    return groups


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
