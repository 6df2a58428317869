"""The output `unusual`: marks rows that are far from the training data.

A recipe declares outputs that measure how far a row is from its training rows (`NOVELTY`). At the
end of training, a limit for each is computed from the validation rows, so that 99 % of them are
within all limits. The limits are stored in `use.json`; the served graph applies them. With fewer
than 100 validation rows, the default limit of the recipe is used.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo.errors import ZooError
from zoo.manifest import USE
from zoo.novelty import marked
from zoo.serving.capabilities import ANSWER, SEARCH, UNUSUAL

if TYPE_CHECKING:
    import tensorflow as tf

    from zoo.assets import Assets
    from zoo.config import Config
    from zoo.data import Examples
    from zoo.novelty import Novelty
    from zoo.recipe import Answers, Recipe

FILE = USE
SHARE = 0.99  # share of the validation rows that are within all limits
MIN_ROWS = 100  # validation rows needed to compute a limit
MAX_ROWS = 2_000  # maximum number of validation rows used for it


def learn(predictor: Answers, validation: Examples) -> dict[str, Any]:
    """Returns the limits computed from validation rows.

    Args:
      predictor: the predictor of the trained model.
      validation: the rows of the validation split. If there are more than 2,000, a subset is drawn
        with a fixed seed.

    Returns:
      `rows`, the number of rows used; `share`, the share of them within all limits; and `limits`,
      output name to limit. Empty if the recipe declares no such output.
    """
    from zoo.data.splits import count, permutation

    measures = predictor.recipe.novelty
    if not measures:
        return {}
    rows = sorted(permutation(count(validation), "novelty")[:MAX_ROWS])
    if len(rows) < MIN_ROWS:
        return {"rows": len(rows), "share": SHARE, "limits": {}}
    inputs = {name: [validation[name][row] for row in rows] for name in predictor.input_names}
    answers = predictor.predict(inputs)
    share = 1 - (1 - SHARE) / len(measures)  # the unusual share is split among the limits
    return {
        "rows": len(rows),
        "share": SHARE,
        "limits": {
            each.output: _limit([answer[each.output] for answer in answers], each, share)
            for each in measures
        },
    }


def _limit(values: Sequence[float], measure: Novelty, share: float) -> float:
    """Returns the value that a share of the rows does not exceed, or does not fall below."""
    place = math.ceil(share * (len(values) + 1)) - 1
    return sorted(values, reverse=measure.unusual == "low")[min(place, len(values) - 1)]


def limits_of(stored: Mapping[str, Any], path: Path) -> dict[str, float]:
    """Returns the limits stored in a `use.json`.

    Args:
      stored: the content of the file.
      path: the path of the file, for messages.

    Raises:
      ZooError: they are not numbers.
    """
    learnt = stored.get("novelty", {})
    limits = learnt.get("limits", {}) if isinstance(learnt, dict) else None
    if not isinstance(limits, dict) or not all(
        isinstance(value, (int, float)) for value in limits.values()
    ):
        raise ZooError(f"{path} is damaged: its limits are not numbers. Restore it, or delete it.")
    return {name: float(value) for name, value in limits.items()}


def completed(
    functions: Mapping[str, Any], recipe: Recipe, config: Config, assets: Assets
) -> dict[str, Any]:
    """Returns the functions of a SavedModel; adds `unusual` to those of an earlier version.

    Args:
      functions: signature name to function.
      recipe, config, assets: recipe, config and assets of the model.
    """
    from zoo.bounds import named_function, parted
    from zoo.serving.inputs import input_specs, output_specs

    def wrapped(function: Any, several: bool) -> Any:
        specs = input_specs(function)

        @named_function(list(specs.values()))
        def whole(*values: tf.Tensor) -> dict[str, tf.Tensor]:
            inputs = dict(zip(specs, values, strict=True))
            outputs = dict(function(**inputs))
            for name, value in recipe.measure_novelty(config, assets, inputs).items():
                outputs.setdefault(name, _repeated(value, outputs["score"]) if several else value)
            return marked(outputs, recipe.novelty, assets.limits)

        return parted(whole)

    lacking = [
        name
        for name in (ANSWER, SEARCH)
        if name in functions and UNUSUAL not in output_specs(functions[name])
    ]
    if lacking:
        _ = assets.encoder  # creates its tables outside of the graph
    return {**functions, **{name: wrapped(functions[name], name == SEARCH) for name in lacking}}


def _repeated(value: tf.Tensor, like: tf.Tensor) -> tf.Tensor:
    """Returns the values of rows, `(batch,)`, repeated for each of their answers."""
    import tensorflow as tf

    return tf.broadcast_to(value[:, tf.newaxis], tf.shape(like))
