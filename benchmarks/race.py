"""Time to a target score: a recipe against a published example, measured in one run."""

from __future__ import annotations

import dataclasses
import importlib
import time
from pathlib import Path
from typing import Any

import keras
import numpy as np

from zoo import files
from zoo.environment import environment, install_extra
from zoo.errors import UsageError, ZooError
from zoo.registry import get_recipe
from zoo.training.optimizer import compile_model

# All test rows are scored only if the score of the first PROBE_ROWS is within MARGIN of the target.
PROBE_ROWS = 2_500
MARGIN = 0.005


def load_peer(name: str) -> Any:
    """Imports a peer.

    Raises:
      UsageError: there is no such module.
      ZooError: it needs something that is not installed, or is broken.
    """
    try:
        return importlib.import_module(name)
    except ImportError as error:
        missing = error.name or "?"
        if name == missing or name.startswith(f"{missing}."):
            raise UsageError(f"There is no peer {name!r} ({error}).") from None
        raise ZooError(
            f"The peer {name!r} cannot be loaded ({error}). {install_extra('bench')} brings what "
            "it needs."
        ) from None


def race(
    name: str,
    peer: str,
    target: float,
    output: str | Path,
    *,
    data: str | None = None,
    seed: int = 0,
    every: int = 25,
) -> dict[str, Any]:
    """Measures how long a recipe trains until it scores `target`, and how long a peer trains.

    The test split is scored between the steps; that time counts for neither. The
    time to make the vocabulary and the ids is reported separately for both.

    Args:
      name: of the recipe. Its compiled metric of the name `METRIC` is compared.
      peer: a module with `run(train, test, seed)`, e.g. of `benchmarks.peers`.
      target: score to reach.
      output: JSON file to write.
      data: source; the recipe's first if None.
      every: steps between two scorings.

    Returns:
      What it writes: `ratio` is the recipe's seconds to the target over all of the peer's
      training seconds.

    Raises:
      UsageError: an unknown recipe or peer.
      ZooError: the recipe did not reach the target.
    """
    recipe = get_recipe(name)
    peer_module = load_peer(peer)
    splits = recipe.dataset.load(data)
    start = time.perf_counter()
    ours = time_to(recipe, splits, target, seed, every)
    ours["prepare_seconds"] = round(time.perf_counter() - start - ours.pop("all_seconds"), 1)
    theirs = peer_module.run(splits.train, splits.test, seed)
    last = theirs["epochs"][-1]
    result = {
        "kind": "race",
        "metric": recipe.metric.name,
        "target": target,
        "recipe": ours,
        "peer": {
            "name": peer,
            "source": theirs["source"],
            "seconds": last["train_seconds"],
            "score": last["test_accuracy"],
            "epochs": theirs["epochs"],
        },
        "ratio": ours["seconds"] / last["train_seconds"],
        "seed": seed,
        "data": splits.describe(),
        "environment": environment(),
    }
    files.write_json(Path(output), result)
    return result


def time_to(
    recipe: Any,
    splits: Any,
    target: float,
    seed: int,
    every: int,
    margin: float | None = None,
) -> dict[str, Any]:
    """Trains a recipe until it reaches a score on the test split.

    Args:
      every: steps between two scorings.
      margin: if set, the first `PROBE_ROWS` rows of a fixed shuffle are scored, and all of them
        only if this score is within `margin` of the target.

    Returns:
      `seconds` within `fit` alone, `steps`, `score`, `trail`; `all_seconds`, with the scoring.

    Raises:
      ZooError: it is not reached in the recipe's epochs.
    """
    keras.utils.set_random_seed(seed)
    config, metric = recipe.config, recipe.metric
    assets = recipe.prepare(config, splits.train)
    training = recipe.batches(config, assets, splits.train)
    test = recipe.batches(dataclasses.replace(config, batch_size=256), assets, splits.test)
    model = recipe.build(config, assets)
    compile_model(recipe, config, assets, model, training.steps_per_epoch)
    begun = time.perf_counter()
    seconds, steps, trail = 0.0, 0, []
    parts = [test.sorted_order()]
    if margin is not None:
        probe = np.random.default_rng(0).permutation(test.rows)[:PROBE_ROWS]
        parts.insert(0, test.sorted_order(probe))
    for epoch in range(config.epochs):
        order = training.order(seed, epoch)
        for start in range(0, len(order), every):
            part = order[start : start + every]
            started = time.perf_counter()
            model.fit(training.dataset(part), shuffle=False, verbose=0)
            seconds += time.perf_counter() - started
            steps += len(part)
            for rows in parts:
                held_out = test.dataset(rows)
                score = model.evaluate(held_out, verbose=0, return_dict=True)[recipe.metric.name]
                trail.append(
                    {
                        "step": steps,
                        "seconds": seconds,
                        "score": score,
                        "rows": sum(map(len, rows)),
                    }
                )
                if margin is not None and metric.sort_key(score) > metric.sort_key(target) + margin:
                    break
            else:
                if not metric.improved(target, score):
                    return {
                        "name": recipe.name,
                        "seconds": seconds,
                        "score": score,
                        "steps": steps,
                        "trail": trail,
                        "all_seconds": time.perf_counter() - begun,
                    }
    raise ZooError(
        f"{recipe.name} reached {min((p['score'] for p in trail), key=metric.sort_key):.4f} in "
        f"{config.epochs} epochs, not {target}."
    )
