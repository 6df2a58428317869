"""Compares forecasters with simple methods: means over seeds, and a test of each pair.

Every network is compared with every method, not only the best one. The daily loss of a network is
the mean over its seeds and over the series. The Diebold-Mariano test compares two series of daily
losses; Holm's method corrects the p values of a measure for multiple testing.
"""

from __future__ import annotations

import dataclasses
import statistics
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from recipes.prices.panel import MEASURES
from zoo import files
from zoo.environment import environment
from zoo.errors import UsageError
from zoo.metrics.intervals import holm, verdict
from zoo.serving import load
from zoo.serving.evaluation import splits_of


def forecasters(
    models: Sequence[str | Path],
    output: str | Path,
    *,
    reference: str,
    windows: int = 6,
    log: Callable[[str], None] | None = None,
) -> dict[str, Any]:
    """Scores networks and all simple methods on the test split of their data.

    Args:
      models: runs or packed models of the recipes `stocks-…`, several of a recipe if they differ in
        their seeds.
      output: JSON file to write.
      reference: the recipe that others are compared with, chosen by name, not by score.
      windows: number of windows; the simple methods are refitted at the start of each.
      log: called with each line of progress.

    Returns:
      What the file holds: `networks` and `methods`, name to a list with scores of each horizon;
      `tests`, measure to network to what it is compared with to a list with `statistic`, `p`,
      `holm` (corrected p) and `verdict` of each horizon; `seeds` of each network.

    Raises:
      UsageError: the models differ in their data or horizon, or `reference` is not among them.
      ZooError: as for `zoo.load`; the data are not available.
    """
    from recipes.prices import backtesting
    from recipes.prices import panel as panels

    log = log or (lambda line: None)
    predictors = [load(model) for model in models]
    names = list(dict.fromkeys(each.name for each in predictors))
    if reference not in names:
        raise UsageError(f"The reference {reference!r} is not among {', '.join(names)}.")
    first = predictors[0]
    for model, other in zip(models, predictors, strict=True):
        same = other.data["fingerprint"] == first.data["fingerprint"]
        if not same or horizon_of(other) != horizon_of(first):
            raise UsageError(f"{model} has other data or another horizon than {models[0]}.")
    splits = splits_of(first)
    panel = backtesting.observe(splits.test, horizon_of(first))
    by_network: dict[str, dict[int, Any]] = {name: {} for name in names}
    for model, predictor in zip(models, predictors, strict=True):
        seed = predictor.run["seed"]
        if seed in by_network[predictor.name]:
            raise UsageError(f"{model} has the seed {seed} of another run of {predictor.name}.")
        log(f"{predictor.name}, seed {seed}")
        by_network[predictor.name][seed] = backtesting.network(panel, predictor)
    losses, networks, methods = {}, {}, {}
    for name, forecasts in by_network.items():
        each = [panels.losses(panel, forecast) for forecast in forecasts.values()]
        losses[name] = {
            measure: np.mean([loss[measure] for loss in each], axis=0) for measure in MEASURES
        }
        networks[name] = _mean([panels.scores(panel, one) for one in forecasts.values()])
    simple = backtesting.methods_of(panel)
    for name in simple:
        log(f"fitting {name}")
        forecast = backtesting.simple(panel, name, windows)
        losses[name] = panels.losses(panel, forecast)
        methods[name] = panels.scores(panel, forecast)
    for name, rows in (*networks.items(), *methods.items()):
        for step, row in enumerate(rows):
            row |= _intervals(losses[name], step)
    result = {
        "kind": "forecasters",
        "data": {"title": splits.title},
        "reference": reference,
        "series": panel.tickers,
        "days": [panel.dates[0], panel.dates[-1], len(panel.dates)],
        "horizon": panel.horizon,
        "frequency": str(panel.frequency),
        "proxy": "Garman-Klass with the night before; the squared return where a bar lacks",
        "seeds": {name: sorted(runs) for name, runs in by_network.items()},
        "networks": networks,
        "methods": methods,
        "tests": compare(losses, names, simple),
        "config": dataclasses.asdict(first.config),
        "environment": environment(),
    }
    files.write_json(Path(output), result)
    return result


def horizon_of(predictor: Any) -> int:
    """Returns a forecaster's horizon in days."""
    return predictor.config.horizon


def compare(
    losses: Mapping[str, Mapping[str, np.ndarray]],
    networks: Sequence[str],
    methods: Sequence[str],
) -> dict[str, dict[str, dict[str, list[dict[str, Any]]]]]:
    """Tests each network against each method and each network after it.

    Args:
      losses: name to measure to float64 `(series, days, horizon)`.
      networks, methods: names.

    Returns:
      Measure to network to the other to a list, 1 day first; see `forecasters`. Holm's correction
      is over all pairs of a measure and a horizon.
    """
    from recipes.prices import panel as panels

    pairs = [
        (name, other)
        for place, name in enumerate(networks)
        for other in (*methods, *networks[place + 1 :])
    ]
    tests = {pair: panels.tests(losses[pair[0]], losses[pair[1]]) for pair in pairs}
    found: dict[str, Any] = {measure: {name: {} for name, _ in pairs} for measure in MEASURES}
    for measure in MEASURES:
        for step in range(len(tests[pairs[0]][measure])):
            rows = [tests[pair][measure][step] for pair in pairs]
            corrected = holm([row["p"] for row in rows])
            for (name, other), row, p in zip(pairs, rows, corrected, strict=True):
                better = None if row["statistic"] is None else row["statistic"] < 0
                found[measure][name].setdefault(other, []).append(
                    {**row, "holm": p, "verdict": verdict(better, p)}
                )
    return found


def _mean(runs: Sequence[Sequence[Mapping[str, Any]]]) -> list[dict[str, Any]]:
    """Returns the mean of each score over runs, and `qlike_deviation`, `crps_deviation`."""
    rows = []
    for each in zip(*runs, strict=True):
        row: dict[str, Any] = {}
        for name in each[0]:
            values = [one[name] for one in each]
            row[name] = None if None in values else statistics.mean(values)
        if len(each) > 1:
            for name in ("qlike", "crps"):
                row[f"{name}_deviation"] = statistics.stdev(one[name] for one in each)
        rows.append(row)
    return rows


def _intervals(losses: Mapping[str, np.ndarray], step: int) -> dict[str, list[float]]:
    """Returns the 95 % interval of the mean of each measure over days."""
    from recipes.prices import metrics
    from recipes.prices import panel as panels

    found = {}
    for measure in MEASURES:
        daily = panels.by_day(losses[measure][..., step])
        found[f"{measure}_interval"] = [*metrics.mean_interval(daily[np.isfinite(daily)], step + 1)]
    return found
