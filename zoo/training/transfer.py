"""Going on from a trained model: its config, its assets and every weight that fits."""

from __future__ import annotations

import keras
import numpy as np

from zoo.errors import UsageError, quoted
from zoo.recipe import Recipe
from zoo.registry import runs_new_code
from zoo.serving.predictor import Predictor, load


def load_base(recipe: Recipe, base: str | None, trust: bool) -> Predictor | None:
    """Loads the model that training goes on from, None where there is none.

    Args:
      recipe: that is trained.
      base: the model, as for `zoo.load`.
      trust: as for `zoo.load`.

    Raises:
      UsageError: it is a model of another recipe, or as for `zoo.load`.
      ZooError: as for `zoo.load`.
    """
    if base is None:
        return None
    origin = load(base, trust=trust)
    # A recipe in a file that was not run yet is another one: that of the training was run.
    if (
        runs_new_code(origin.resolved["recipe"])
        or origin.recipe.module is not recipe.module
        or origin.recipe.name != recipe.name
    ):
        raise UsageError(
            f"{base} was trained by {quoted(origin.name)}; {recipe.name!r} cannot go on from it."
        )
    return origin


def take_weights(model: keras.Model, origin: keras.Model) -> list[str]:
    """Copies the weights of each layer whose shapes agree; names the layers that start new."""
    lines = []
    for new, old in zip(model.layers, origin.layers, strict=True):
        shapes = [weight.shape for weight in new.weights]
        if shapes == [weight.shape for weight in old.weights]:
            for target, value in zip(new.weights, old.weights, strict=True):
                target.assign(np.asarray(value))
        else:
            lines.append(f"layer {new.name} starts from scratch: it has another shape, {shapes[0]}")
    return lines
