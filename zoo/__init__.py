"""A model zoo of recurrent networks for Keras and TensorFlow.

    import zoo

    zoo.list_models()                                   # all recipes
    zoo.load("imdb-bilstm").predict(["What a film!"])   # raw text in, predictions out
    run = zoo.train("imdb-lstm", "runs/mine", data=frame)   # a DataFrame, a file, …
    run.predict(frame), run.plot()
    zoo.export("runs/mine", "serving/mine")             # for TF Serving
    model, preprocessor = zoo.create("imdb-lstm")       # untrained, for your own training loop

Modules are imported on first use: `import zoo` itself does not import TensorFlow. It suppresses the
log lines of a later import of TensorFlow: see `zoo.quiet`.
Installed recipes may add functions, such as `zoo.backtest`: see `zoo.plugins`.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from zoo import quiet
from zoo._version import __version__
from zoo.config import Config
from zoo.errors import Interrupted, UsageError, WorkersLost, ZooError
from zoo.keras_objects import register_with_keras
from zoo.registry import get_recipe, list_models

if TYPE_CHECKING:
    from zoo.diagnosis import doctor as doctor
    from zoo.inspection import inspect as inspect
    from zoo.preprocessing import create as create
    from zoo.serving import Predictor as Predictor
    from zoo.serving import evaluate as evaluate
    from zoo.serving import load as load
    from zoo.serving.export import export as export
    from zoo.serving.pretrained import pretrained as pretrained
    from zoo.training import distil as distil
    from zoo.training import train as train

quiet.install()

__all__ = [
    "Config",
    "Interrupted",
    "Predictor",
    "UsageError",
    "WorkersLost",
    "ZooError",
    "__version__",
    "create",
    "distil",
    "doctor",
    "evaluate",
    "export",
    "get_recipe",
    "inspect",
    "list_models",
    "load",
    "pretrained",
    "train",
]

_LAZY = {
    "Predictor": "zoo.serving",
    "create": "zoo.preprocessing",
    "distil": "zoo.training",
    "doctor": "zoo.diagnosis",
    "evaluate": "zoo.serving",
    "export": "zoo.serving.export",
    "inspect": "zoo.inspection",
    "load": "zoo.serving",
    "pretrained": "zoo.serving.pretrained",
    "train": "zoo.training",
}


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return getattr(importlib.import_module(_LAZY[name]), name)
    if not name.startswith("_"):
        from zoo import plugins

        if name in (points := plugins.registered(plugins.FUNCTIONS)):
            return plugins.load(points[name])
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    from zoo import plugins

    return [*__all__, *plugins.registered(plugins.FUNCTIONS)]


register_with_keras()  # so that `keras.saving.load_model` finds our layers
