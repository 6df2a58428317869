"""What installed packages add by entry points: recipes, functions of `zoo`, and verbs.

    [options.entry_points]
    zoo.recipes =
        mine = mypackage.recipes
    zoo.functions =
        backtest = mypackage.prices:backtest
    zoo.commands =
        backtest = mypackage.prices.command:backtest

`zoo.backtest` is then that function, and `zoo backtest` that click command. A module that holds a
command must not import TensorFlow at its top: `zoo --help` imports it.
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
    """Returns group to name to entry point: the metadata of all packages are read once."""
    from importlib.metadata import entry_points  # half of the time that `zoo --help` would take

    groups: dict[str, dict[str, EntryPoint]] = {}
    for group in (RECIPES, FUNCTIONS, COMMANDS):
        for point in entry_points(group=group):
            # The same distribution may be found twice on the path.
            key = point.value if group == RECIPES else point.name
            groups.setdefault(group, {}).setdefault(key, point)
    return groups


def registered(group: str) -> dict[str, EntryPoint]:
    """Returns the entry points of a group by name; those of recipes by their value."""
    return _all().get(group, {})


def load(point: EntryPoint) -> Any:
    """Imports what an entry point names.

    Raises:
      ZooError: it cannot be imported.
    """
    try:
        return point.load()
    except Exception as error:  # whatever a module of another package does when it is imported
        raise ZooError(
            f"{point.name!r}, registered as {point.value!r}, cannot be imported: "
            f"{type(error).__name__}: {error}. Repair or uninstall the package that registers it."
        ) from error
