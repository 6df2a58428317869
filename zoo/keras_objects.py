"""Lazy registration of the layers, losses and metrics of saved models with Keras.

`keras.saving.load_model` finds a custom class by its registered name, and a class is registered
when its module is imported. To make `import zoo` sufficient, each name is registered as a
placeholder for its module until Keras needs it: neither Keras nor the layers are imported before.
"""

from __future__ import annotations

import importlib
import sys
import warnings
from collections.abc import Callable
from typing import Any

from zoo.errors import ZooError
from zoo.import_hooks import when_imported

# Those of the engine, name to module; those of recipes are their `KERAS_OBJECTS`.
ENGINE = {
    "zoo>MaskedPooling": "zoo.layers.pooling",
    "zoo>MonitoredAdam": "zoo.training.diagnostics",
    "zoo>SmoothedCrossEntropy": "zoo.losses",
    "zoo>WatchedAdam": "zoo.training.diagnostics",
    "zoo>WordEncoder": "zoo.text.words",
}


class LazyClass:
    """Placeholder of a registered class: Keras only calls `from_config` of classes it looks up."""

    def __init__(self, name: str, module: str) -> None:
        self.name, self.module = name, module

    def from_config(self, config: dict[str, Any]) -> Any:
        from keras.saving import get_custom_objects

        importlib.import_module(self.module)  # registers the class in place of this
        return get_custom_objects()[self.name].from_config(config)


def names() -> dict[str, str]:
    """Returns the name of each class that a saved model may contain, and its module.

    Raises:
      ZooError: as for `zoo.registry.recipes`.
    """
    from zoo.registry import recipes

    modules = {recipe.module.__name__: recipe.module for recipe in recipes().values()}
    found = dict(ENGINE)
    for module in modules.values():
        found |= getattr(module, "KERAS_OBJECTS", {})
    return found


def register() -> None:
    """Registers the names with Keras, which must be imported."""
    from keras.saving import get_custom_objects

    try:
        found = names()
    except ZooError as error:  # `import keras` must not fail because of it
        warnings.warn(f"Keras does not know the layers of recipes: {error}", stacklevel=2)
        found = ENGINE
    for name, module in found.items():
        get_custom_objects().setdefault(name, LazyClass(name, module))


def register_with_keras() -> None:
    """Registers the names when Keras is imported: now, if it already is."""
    if "keras" in sys.modules:
        register()
    else:
        when_imported("keras", _with_names)


def _with_names(execute: Callable[[], None]) -> None:
    execute()
    register()
