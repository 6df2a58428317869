"""`zoo.create`: an untrained network and its preprocessor."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from zoo.assets import Assets
from zoo.config import Config, override
from zoo.errors import UsageError, check_mapping, quoted
from zoo.processes import use_tensorflow
from zoo.recipe import Recipe
from zoo.registry import get_recipe, runs_new_code

if TYPE_CHECKING:
    from zoo.data import Batches, Examples


@dataclasses.dataclass(frozen=True)
class Preprocessor:
    """Converts raw examples to the inputs and targets of a network.

    Attributes:
      recipe: recipe of the network.
      config: settings of the network.
      assets: what was learnt from the training split besides the weights (vocabulary, labels, …).
    """

    recipe: Recipe
    config: Config
    assets: Assets

    @property
    def encoder(self) -> Any:
        """The recipe's encoder, such as `zoo.text.WordEncoder`; None if it has none."""
        return self.assets.encoder

    def __call__(self, examples: Examples) -> tuple[Any, Any]:
        """Returns all examples in one batch, for `model.fit(x, y)`.

        Args:
          examples: the columns of the recipe's dataset: name to one value per row.

        Returns:
          `x` and `y`: an array `(rows, …)` or a dict of arrays, in the format of the network and of
          the recipe's objective; sequences are padded with 0 on the right. Recipes that cut series
          or texts into windows make several rows from one example.

        Raises:
          ValueError, ZooError: a row cannot be encoded.
        """
        import numpy as np

        batches = self.batches(examples)
        return batches.take(np.arange(batches.rows))

    def batches(self, examples: Examples) -> Batches:
        """Returns examples in batches of rows of similar length; see `zoo.data.Batches`.

        A batch has `config.batch_size` rows. `batches.dataset(batches.order(seed, epoch))` is a
        `tf.data.Dataset` of `(x, y)`.
        """
        return self.recipe.batches(self.config, self.assets, examples)


class Created(NamedTuple):
    """Result of `create`.

    Attributes:
      model: a `keras.Model`, not compiled, with initial weights.
      preprocessor: converts raw examples to its inputs and targets.
    """

    model: Any
    preprocessor: Preprocessor


def create(
    name: str,
    *,
    data: str | Path | Examples | None = None,
    assets: str | Path | Mapping[str, Any] | None = None,
    settings: Mapping[str, Any] | None = None,
    precision: str = "float32",
    trust: bool = False,
) -> Created:
    """Creates an untrained network and its preprocessor.

    What the network needs besides weights (vocabulary, labels, …) comes from `data` or `assets`.
    Without both, it comes from the pretrained model of this name or, if there is none, from the
    first available source of the recipe's dataset.

    Args:
      name: of a recipe, or `path/to/file.py:name`.
      data: examples (column name to one value per row), all of which are used; or data as for
        `zoo.train` (a source, a file, or a folder of files), of which the training split is used.
      assets: a dict, as in `assets.json` of a run folder; or a model as for `zoo.load`, of a recipe
        of the same module. If the model is of the same recipe, its config is the default.
      settings: fields of the recipe's config to change; strings are converted to their types.
      precision: `"float32"`, `"mixed_float16"` or `"mixed_bfloat16"`.
      trust: as for `zoo.load`, of the model that `assets` names.

    Returns:
      `(model, preprocessor)`. Weights depend on `keras.utils.set_random_seed`. The recipe's loss
      and metrics are `preprocessor.recipe.objective(preprocessor.config, preprocessor.assets)`.

    Raises:
      UsageError: an unknown name, setting or precision, both `data` and `assets`, or assets of a
        recipe of another module.
      ZooError: data or assets are unavailable or cannot be read.
    """
    from zoo.manifest import manifest_entry
    from zoo.training.strategy import dtype_policy

    if data is not None and assets is not None:
        raise UsageError("Give data or assets, not both.")
    check_mapping("settings", settings)
    use_tensorflow()
    recipe = get_recipe(name)
    if data is None and assets is None and manifest_entry(recipe):
        assets = name
    config = recipe.config
    values: Mapping[str, Any] | None = None
    if isinstance(assets, Mapping):
        values = assets
    elif assets is not None:
        from zoo.serving import load

        origin = load(assets, trust=trust)
        # A recipe in a file that was not run yet cannot belong to this module.
        if runs_new_code(origin.resolved["recipe"]) or origin.recipe.module is not recipe.module:
            raise UsageError(
                f"{assets} is a model of {quoted(origin.name)}; {recipe.name!r} needs assets of "
                "a recipe of the same module."
            )
        if origin.recipe.name == recipe.name:
            config = origin.config
        values = origin.assets
    config = override(config, settings or {})
    if values is not None:
        prepared = recipe.assets(config, values)
    else:
        train = data if isinstance(data, Mapping) else recipe.data(config).load(data).train
        with _naming_what_lacks("data"):
            prepared = recipe.prepare(config, recipe.augment(config, train))
    with dtype_policy(precision), _naming_what_lacks("assets"):
        model = recipe.build(config, prepared)
    recipe.initialise(config, prepared, model)
    return Created(model, Preprocessor(recipe, config, prepared))


@contextlib.contextmanager
def _naming_what_lacks(what: str) -> Iterator[None]:
    """Context that explains errors of a missing name in a given dict."""
    try:
        yield
    except KeyError as error:
        raise UsageError(f"The {what} lack {quoted(error.args[0])}.") from error
