"""Scores of baselines, fitted once for the same rows and stored in the cache folder.

Fitting a baseline may take longer than evaluating the network, so it is not repeated.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from pathlib import Path
from typing import Any

from zoo import files
from zoo._version import __version__
from zoo.data import Splits
from zoo.data.splits import SPLITS, fingerprint
from zoo.errors import ZooError
from zoo.recipe import Answers


def fitted_scores(predictor: Answers, splits: Splits) -> dict[str, Any]:
    """Returns the scores of the recipe's baselines, JSON-serializable.

    Args:
      predictor: its recipe and config are used.
      splits: rows to fit the baselines on; the test split is scored.

    Raises:
      ZooError: as `zoo.recipe.Recipe.baseline`.
    """
    recipe, config = predictor.recipe, predictor.config
    rows = fingerprint({name: getattr(splits, name) for name in SPLITS})
    source = recipe.module.__file__  # a recipe file may change under the same name
    digest = files.sha256(Path(source)) if source else ""
    key = [__version__, recipe.reference, digest, recipe.metric.name, repr(config), rows]
    name = hashlib.sha256(json.dumps(key).encode()).hexdigest()[:32]
    path = files.home() / "baselines" / f"{name}.json"
    try:
        return files.read_object(path)
    except ZooError:  # missing or damaged
        scores = recipe.baseline(config, splits)
    result = {name: each.to_json() for name, each in scores.items()}
    with contextlib.suppress(OSError, ZooError):  # works without a writable cache
        files.write_json(path, result)
    return result
