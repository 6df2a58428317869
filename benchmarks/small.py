"""Small custom data: a classifier at its defaults compared with linear models."""

from __future__ import annotations

import random
import statistics
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import zoo
from recipes.classifying.imdb import IMDB
from recipes.classifying.news import NEWS
from zoo import files
from zoo.data import Dataset, Examples
from zoo.data.origin import parse_origin
from zoo.data.splits import count, take
from zoo.environment import environment
from zoo.errors import UsageError, suggest
from zoo.training.transfer import NONE

BASELINES = ("tfidf-linear", "nbsvm-bigram")
TEST_ROWS = 2_000  # at most, drawn once: 95 % of accuracies are within 2 points then

# Name to recipe, dataset and source.
CASES = {
    "imdb": ("imdb-gru", IMDB, "tfds"),
    "ag-news": ("news-gru", NEWS, "ag-part"),
    "sst-2": ("imdb-gru", IMDB, "sst-2"),
    "bbc": ("news-gru", NEWS, "bbc"),
}
# Cases whose packed weights were trained on other data. Those of the other cases have seen the
# rows, possibly also test rows: there, the default must not start from them.
PACKED = ("sst-2", "bbc")


def small(
    output: str | Path,
    *,
    names: Sequence[str] = (),
    sizes: Sequence[int] = (200, 1_000, 5_000),
    seeds: int = 3,
    packed: bool = False,
    log: Callable[[str], None] = print,
) -> dict[str, Any]:
    """Trains recipes at their defaults on few rows, as on a user's data, and writes their scores.

    Each score is written immediately. Scores that are in the file are not measured again, unless
    the default would now start from packed weights.

    Args:
      output: the JSON file.
      names: of `CASES`; all if there are none.
      sizes: rows to draw from the training rows; all of them where they are fewer.
      seeds: draws of each size; the seed of a draw is that of the training too.
      packed: start from the packed weights of the recipe, beside the default, where these were
        trained on other rows (`PACKED`).
      log: takes a line for each training.

    Returns:
      What it writes: `runs`, one dict for each training, and `environment`.

    Raises:
      UsageError: no such name.
      ZooError: the data are not available.
    """
    for name in names:
        if name not in CASES:
            raise UsageError(f"There are no small data {name!r}.{suggest(name, CASES)}")
    path = Path(output)
    stored = files.read_object(path) if path.exists() else {}
    result = {"kind": "small", "runs": [], "environment": environment(), **stored}
    for name in names or CASES:
        recipe, dataset, source = CASES[name]
        parts: tuple[Examples, Examples] | None = None
        for size in sizes:
            for seed in range(seeds):
                key = {"data": name, "size": size, "seed": seed}
                run = next((run for run in result["runs"] if {**run, **key} == run), None)
                if run is not None and name in PACKED and "start" not in run:
                    parts = parts or _parts(dataset, source)
                    run["start"] = _choice(recipe, dataset, *parts, size, seed)
                    if run["start"]["packed"]:
                        result["runs"].remove(run)
                        run = None
                    else:
                        files.write_json(path, result)
                if run is None:
                    parts = parts or _parts(dataset, source)
                    base = None if name in PACKED else NONE
                    run = {**key, "recipe": recipe, **_measure(recipe, *parts, size, seed, base)}
                    result["runs"].append(run)
                    files.write_json(path, result)
                    log(_line(run, recipe, run["accuracy"]))
                if packed and name in PACKED and "packed" not in run:
                    parts = parts or _parts(dataset, source)
                    run["packed"] = _measure(recipe, *parts, size, seed, recipe)["accuracy"]
                    files.write_json(path, result)
                    log(_line(run, f"--from {recipe}", run["packed"]))
    return result


def _line(run: dict[str, Any], name: str, accuracy: float) -> str:
    shown = listed({name: accuracy, **run["baselines"]})
    return f"{run['data']}, {run['rows']:,} rows, seed {run['seed']}: {shown}"


def listed(scores: Mapping[str, float]) -> str:
    """Returns names and accuracies, for people."""
    return ", ".join(f"{name} {score:.4f}" for name, score in scores.items())


def means(runs: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Returns, for each data and size: `data`, `recipe`, `rows`, `seeds`, and mean scores.

    `baselines` has a mean for each of `BASELINES`. `share` is the mean share of the size of the
    logits that is the network's, `starts` in how many draws the default chose packed weights, and
    `packed` the mean accuracy from packed weights, None where these were not tried for each seed.
    """
    groups: dict[tuple[str, int], list[dict[str, Any]]] = {}
    for run in runs:
        groups.setdefault((run["data"], run["size"]), []).append(run)
    return [
        {
            "data": data,
            "recipe": group[0]["recipe"],
            "rows": group[0]["rows"],
            "seeds": len(group),
            **{
                score: statistics.mean(run[score] for run in group)
                for score in ("accuracy", "macro_f1", "seconds")
            },
            "baselines": {
                name: statistics.mean(run["baselines"][name] for run in group) for name in BASELINES
            },
            "share": statistics.mean(
                1 - run["parts"]["share"] if run["parts"] else 1 for run in group
            ),
            "starts": sum(run.get("start", {}).get("packed", False) for run in group),
            "packed": _mean_of([_packed(run) for run in group]),
        }
        for (data, _), group in sorted(groups.items())
    ]


def _packed(run: dict[str, Any]) -> float | None:
    """Returns the accuracy from packed weights, possibly the default's; None: not tried."""
    if run.get("start", {}).get("packed"):
        return run["accuracy"]
    return run.get("packed")


def _mean_of(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return statistics.mean(known) if len(known) == len(values) else None


def _parts(dataset: Dataset, source: str) -> tuple[Examples, Examples]:
    """Returns all training rows and the test rows."""
    splits = dataset.load(source)
    train = {
        column: [*splits.train[column], *splits.validation[column]] for column in dataset.columns
    }
    test = {column: splits.test[column] for column in dataset.columns}
    return train, _draw(test, TEST_ROWS, "test")


def _draw(examples: Examples, size: int, salt: str) -> Examples:
    order = list(range(count(examples)))
    random.Random(salt).shuffle(order)
    return take(examples, order[:size])


def _data(train: Examples, test: Examples, size: int, seed: int) -> dict[str, Examples]:
    return {"train": _draw(train, size, f"rows {seed}"), "test": test}


def _measure(
    recipe: str, train: Examples, test: Examples, size: int, seed: int, base: str | None = None
) -> dict[str, Any]:
    data = _data(train, test, size, seed)
    default = base in (None, NONE)
    with tempfile.TemporaryDirectory() as folder:
        run = zoo.train(
            recipe,
            Path(folder) / "run",
            data=data,
            seed=seed,
            base=base,
            baselines=default,
            quiet=True,
        )
        metrics = run.metrics
        config = files.read_object(run.path / "config.json")
    return {
        "rows": count(data["train"]),
        "accuracy": metrics["test"]["accuracy"],
        "macro_f1": metrics["test"]["macro_f1"],
        "baselines": {name: metrics["baseline"][name]["accuracy"] for name in BASELINES}
        if default
        else {},
        "parts": metrics.get("parts"),
        "epochs": metrics["epochs"],
        "best_epoch": metrics["best_epoch"],
        "seconds": metrics["train_seconds"],
        "adapted": config.get("adapted", {}),
        **({"start": config["start"]} if "start" in config else {}),
    }


def _choice(
    name: str, dataset: Dataset, train: Examples, test: Examples, size: int, seed: int
) -> dict[str, Any]:
    """Returns the default's starting point for a draw, without training, as in `config.json`."""
    from zoo.training.run import Options
    from zoo.training.starts import choose_start

    recipe = zoo.get_recipe(name)
    splits = dataset.load(parse_origin(_data(train, test, size, seed), dataset.keys))
    choice = choose_start(recipe, recipe.config, Options(seed=seed), splits)
    assert choice is not None
    return choice
