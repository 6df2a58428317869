"""Scores of simple methods, fitted once for the same rows and kept in the cache folder.

A baseline may take longer than the network takes to answer; evaluating twice need not fit it twice.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from typing import Any

from zoo import files
from zoo._version import __version__
from zoo.data import Splits
from zoo.data.splits import SPLITS, fingerprint
from zoo.errors import ZooError
from zoo.recipe import Answers


def fitted_scores(predictor: Answers, splits: Splits) -> dict[str, Any]:
    """Returns what the recipe's baselines score, as JSON can hold it.

    Args:
      predictor: whose recipe and config they are of.
      splits: rows to fit them on; those to score are the test split.

    Raises:
      ZooError: as `zoo.recipe.Recipe.baseline`.
    """
    recipe, config = predictor.recipe, predictor.config
    rows = fingerprint({name: getattr(splits, name) for name in SPLITS})
    key = [__version__, recipe.reference, recipe.metric.name, repr(config), rows]
    name = hashlib.sha256(json.dumps(key).encode()).hexdigest()[:32]
    path = files.home() / "baselines" / f"{name}.json"
    try:
        return files.read_object(path)
    except ZooError:  # not there, or damaged
        scores = recipe.baseline(config, splits)
    result = {name: each.to_json() for name, each in scores.items()}
    with contextlib.suppress(OSError, ZooError):  # a cache that cannot be written is none
        files.write_json(path, result)
    return result
