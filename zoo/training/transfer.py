"""Transfer from a trained model: its config, its assets and all matching weights."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import keras
import numpy as np

from zoo.assets import Assets
from zoo.config import Config, override
from zoo.data import Examples
from zoo.errors import UsageError
from zoo.recipe import Recipe
from zoo.serving.find import NONE
from zoo.serving.predictor import Predictor, load
from zoo.training.diagnostics import named_layers


def load_base(base: str | None, trust: bool) -> Predictor | None:
    """Loads the model that training starts from, or returns None if there is none.

    Args:
      base: the model, as for `zoo.load`; None or `"none"`.
      trust: as for `zoo.load`.

    Raises:
      UsageError, ZooError: as for `zoo.load`.
    """
    return None if base in (None, NONE) else load(base, trust=trust)


def base_config(recipe: Recipe, origin: Predictor | None) -> Config:
    """Returns the initial config: that of the base if it is of the same recipe.

    From a base of another recipe, only the settings that its module names in `HANDED_ON` are used.
    """
    if origin is None:
        return recipe.config
    if _same_recipe(recipe, origin):
        return origin.config
    handed_on = {name: getattr(origin.config, name) for name in origin.recipe.handed_on}
    known = {field.name for field in dataclasses.fields(recipe.config)}
    return override(recipe.config, {n: v for n, v in handed_on.items() if n in known})


def _same_recipe(recipe: Recipe, origin: Predictor) -> bool:
    return origin.recipe.module is recipe.module and origin.recipe.name == recipe.name


def prepare_from(
    recipe: Recipe, config: Config, train: Examples, origin: Predictor | None
) -> Assets:
    """Learns assets from the training rows; `prepare` may reuse assets of the base.

    Raises:
      UsageError: the base is of another family, with another input encoding.
    """
    if origin is None:
        return recipe.prepare(config, train)
    base = origin.recipe.assets(origin.config, origin.assets)
    if origin.recipe.module is recipe.module:
        return recipe.prepare(config, train, base)
    try:
        assets = recipe.prepare(config, train, base)
        alike = type(assets.encoder) is type(origin.assets.encoder)
    except LookupError:  # the base lacks assets that `prepare` needs
        alike = False
    if not alike or assets.encoder is None:
        raise UsageError(
            f"{origin.folder} was trained by {origin.recipe.name!r}, which has another input "
            f"format, so {recipe.name!r} cannot start from it."
        )
    return assets


def check_fits(recipe: Recipe, assets: Assets, model: keras.Model, origin: Predictor) -> None:
    """Checks that at least one layer of a network matches the model that it starts from.

    Raises:
      UsageError: no layer matches.
    """
    fitting, _ = _compare(model, origin.model, others_of(recipe, assets, model, origin))
    if not fitting:
        sizes = ", ".join(
            f"{name} {[*layer.weights[0].shape]}"
            for name, layer in named_layers(origin.model).items()
        )
        raise UsageError(
            f"{origin.folder} was trained by {origin.recipe.name!r}. None of its layers fits "
            f"{recipe.name!r} with these settings; they are {sizes}. Change the settings with "
            "--set."
        )


def others_of(
    recipe: Recipe, assets: Assets, model: keras.Model, origin: Predictor
) -> dict[str, str]:
    """Returns the layers whose weights stand for something else than those of the base.

    Returns:
      What differs, by layer name: `classes`, for the last layer; or as `LAYER_ASSETS` has it.
    """
    found = {
        layer: asset.replace("_", " ")
        for layer, asset in recipe.layer_assets.items()
        if assets.get(asset) != origin.assets.get(asset)
    }
    if assets.get("labels") != origin.assets.get("labels"):
        found[_learnt_layers(model)[-1]] = "classes"
    return found


def _learnt_layers(model: keras.Model) -> list[str]:
    """Returns the names of the layers whose weights are trained and do not come from the assets."""
    layers = named_layers(model).items()
    return [name for name, layer in layers if not getattr(layer, "fitted", False)]


def take_weights(
    model: keras.Model, origin: keras.Model, others: Mapping[str, str] | None = None
) -> list[str]:
    """Copies the weights of each layer that has the same name and shapes in both.

    Additional weights of a layer of the origin are ignored: the bias of embeddings that are tied
    to its softmax. The forward half of a bidirectional layer is matched by the name that it would
    have as a unidirectional layer.

    Args:
      model: receives the weights.
      origin: source of the weights, possibly a network of another recipe.
      others: layers that start from scratch even if they match, as `others_of` returns them.

    Returns:
      One line for each layer that starts from scratch.
    """
    fitting, lines = _compare(model, origin, others or {})
    for new, old in fitting:
        for target, value in zip(new.weights, _offered(old, new), strict=True):
            target.assign(np.asarray(value))
    return lines


def _compare(
    model: keras.Model, origin: keras.Model, others: Mapping[str, str]
) -> tuple[list[tuple[Any, Any]], list[str]]:
    """Returns pairs of matching layers, the new one first, and a line for each other layer."""
    theirs, ours = _with_forward_layers(named_layers(origin)), named_layers(model)
    fitting, lines = [], []
    for name in _learnt_layers(model):
        layer = ours[name]
        shapes = [weight.shape for weight in layer.weights]
        if name not in theirs:
            reason = "the base model has no such layer"
        elif shapes != [weight.shape for weight in _offered(theirs[name], layer)]:
            reason = f"it has another shape, {shapes[0]}"
        elif name in others:
            reason = f"the {others[name]} differ"
        else:
            fitting.append((layer, theirs[name]))
            continue
        lines.append(f"layer {name} starts from scratch: {reason}")
    return fitting, lines


def _offered(old: Any, new: Any) -> list[Any]:
    """Returns the weights of a layer that can be copied to another one."""
    weights = list(old.weights)
    embeddings = isinstance(old, keras.layers.Embedding) and isinstance(new, keras.layers.Embedding)
    return weights[: len(new.weights)] if embeddings else weights


def _with_forward_layers(layers: dict[str, Any]) -> dict[str, Any]:
    """Adds the forward halves of bidirectional layers, under the names of their layer types."""
    halves: dict[str, Any] = {}
    for layer in layers.values():
        if isinstance(layer, keras.layers.Bidirectional):
            kind = type(layer.forward_layer).__name__.lower()
            number = sum(name.startswith(kind) for name in halves)
            halves[f"{kind}_{number}" if number else kind] = layer.forward_layer
    return {**halves, **layers}
