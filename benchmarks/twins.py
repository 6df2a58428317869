"""Compares recipes with the same networks in another framework.

Everything is measured in one process and interleaved (ours, theirs, ours, theirs, …), with as many
threads for both, so that other load on the machine affects both equally. Only ratios are reported.

A peer is a module, e.g. of `benchmarks.peers`, with

- `SOURCE`: where the framework is described, a URL.
- `LAYOUTS`: names of its input layouts for sequences of several lengths. All are tried, and the
  fastest represents the peer.
- `FIXED`: the length to which its users cut and pad.
- `setup(threads, seed)`: sets both; returns the framework's `title`, with its version, and the
  `threads` that it takes.
- `Twin(config, model)`: the same network with the same weights as a Keras model: `exact(layout)`,
  whether it is the same with this layout; `step(x, y, layout)` trains on a batch;
  `predict(x, layout)` returns the model's output.
- `run(config, assets, train, test, target, seed, every)`: trains a plain script to a score; returns
  `seconds` of training alone, `steps`, `score`, whether it `reached` the target, and its `trail`.
"""

from __future__ import annotations

import functools
import statistics
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from benchmarks.race import MARGIN, load_peer, time_to
from benchmarks.twin_figure import draw
from zoo import files
from zoo.environment import environment
from zoo.errors import UsageError, ZooError
from zoo.registry import get_recipe
from zoo.training.optimizer import compile_model

TRIALS = 3  # batches on which each layout of the peer is tried
TOLERANCE = 1e-4  # between the outputs of networks that are the same, in float32
ANSWERED = {1: 60, 32: 20, 256: 6}  # rows in a batch of requests: how many such batches
LENGTHS, BATCHES = (50, 100, 200, 400, 800), (8, 32, 128)


def compare(
    names: Sequence[str],
    peer: str,
    output: str | Path,
    picture: str | Path,
    *,
    race: str | None = None,
    target: float = 0.88,
    data: str | None = None,
    seed: int = 0,
    pairs: int = 30,
    every: int = 50,
    log: Callable[[str], None] = lambda line: None,
) -> dict[str, Any]:
    """Compares recipes with a peer, writes the numbers, and draws them.

    Args:
      names: of recipes on one dataset, whose model takes one array of ids `(batch, time)`.
      peer: a module, see above.
      output: JSON file to write.
      picture: PNG file to write.
      race: the recipe of which the time to `target`, the answers and the growth are measured; it
        needs pretrained weights. The first of `names` if None.
      target: score that both train to.
      data: source; the recipes' first if None.
      seed: of weights, dropout and order.
      pairs: batches that both train on.
      every: steps between two scorings on the way to the target.
      log: called with a line before each measurement, which may take minutes.

    Returns:
      What it writes: `steps` by recipe, `to_target`, `answers` by size of batch, `growth` by size
      of batch and length, each with all raw times in seconds.

    Raises:
      UsageError: an unknown recipe or peer.
      ZooError: the networks differ, the recipe did not reach the target, or a package is missing.
    """
    from zoo.serving import load

    peer_module = load_peer(peer)
    if race not in (None, *names):
        raise UsageError(f"{race!r} is not among the recipes to measure: {', '.join(names)}.")
    recipes = [get_recipe(name) for name in names]
    racer = get_recipe(race or names[0])
    predictor = load(racer.name)
    threads = environment()["cores"]
    theirs = peer_module.setup(threads, seed)
    splits = racer.dataset.load(data)
    steps = {}
    for recipe in recipes:
        log(f"steps of {recipe.name} …")
        keras.utils.set_random_seed(seed)
        config = recipe.config
        assets = recipe.prepare(config, splits.train)
        training = recipe.batches(config, assets, splits.train)
        model = recipe.build(config, assets)
        compile_model(recipe, config, assets, model, training.steps_per_epoch)
        twin = peer_module.Twin(config, model)
        batches = [training.take(index) for index in training.order(seed, 0)[:pairs]]
        difference = same(model.predict_on_batch, twin, peer_module.LAYOUTS, batches[0][0])
        steps[recipe.name] = {
            "parameters": model.count_params(),
            "batch_size": config.batch_size,
            "difference": difference,
            **step_times(model, twin, peer_module.LAYOUTS, peer_module.FIXED, batches),
        }
        if recipe.name == racer.name:
            log(f"growth of {recipe.name} …")
            grown = growth(model, twin, steps[recipe.name]["layout"], batches[0], seed)
            test = recipe.batches(config, assets, splits.test)
            plain = functools.partial(peer_module.run, config, assets, training, test)
    result = {
        "kind": "twins",
        "metric": racer.metric.name,
        "recipe": racer.name,
        "peer": {"name": peer, "source": peer_module.SOURCE, "fixed": peer_module.FIXED, **theirs},
        "steps": steps,
        "to_target": _to_target(racer, plain, splits, target, seed, every, log),
        "answers": answers(predictor, peer_module, splits.test, seed),
        "growth": grown,
        "seed": seed,
        # TensorFlow uses as many threads as there are cores by default.
        "threads": tf.config.threading.get_intra_op_parallelism_threads() or threads,
        "data": splits.describe(),
        "environment": environment(),
    }
    files.write_json(Path(output), result)
    draw(result, Path(picture))
    return result


def same(ours: Callable, twin: Any, layouts: Sequence[str], x: np.ndarray) -> dict[str, float]:
    """Compares the outputs of both networks for a batch `x`.

    Returns:
      The largest difference by layout, also where the networks differ.

    Raises:
      ZooError: they differ in a layout in which they should be the same.
    """
    expected = np.asarray(ours(x))
    differences = {each: float(np.abs(expected - twin.predict(x, each)).max()) for each in layouts}
    for layout, difference in differences.items():
        if twin.exact(layout) and not difference <= TOLERANCE:
            raise ZooError(
                f"The peer is not the same network: its output ({layout}) differs by "
                f"{difference:.2g}. Correct the peer's module."
            )
    return differences


def interleaved(
    works: Mapping[str, Callable[..., Any]], rounds: Sequence[tuple]
) -> dict[str, list[float]]:
    """Calls each of `works` with the arguments of each round in turn; returns seconds by name.

    The order varies, because the first call finds different cache contents.
    """
    seconds: dict[str, list[float]] = {name: [] for name in works}
    names = list(works)
    for number, arguments in enumerate(rounds):
        for name in [*names[number % len(names) :], *names[: number % len(names)]]:
            start = time.perf_counter()
            works[name](*arguments)
            seconds[name].append(time.perf_counter() - start)
    return seconds


def ratios(ours: Sequence[float], theirs: Sequence[float]) -> dict[str, float]:
    """Returns the median of the pairs' ratios, and the ratio of the sums."""
    pairs = [one / other for one, other in zip(ours, theirs, strict=True)]
    return {"ratio": statistics.median(pairs), "total_ratio": sum(ours) / sum(theirs)}


def step_times(
    model: Any, twin: Any, layouts: Sequence[str], fixed: int, batches: Sequence[tuple]
) -> dict[str, Any]:
    """Times training steps of both on the same batches, and what batching by length saves.

    Args:
      model: compiled.
      batches: pairs of ids `(batch, time)`, padded to the longest row of each, and labels.
      fixed: length of the batches of a peer that does not batch by length.

    Returns:
      `tried`: seconds of each layout on a few batches; `layout`: the fastest. `ours` and
      `theirs`: seconds on the same batches; `cut`: ours on rows cut to `fixed`; `fixed`: theirs on
      these, padded to `fixed`. `same_batches` is ours over theirs, `batching` cut over fixed,
      `whole` ours over fixed, of which only ours reads the rows to their end. `lengths` of the
      batches; `exact`: whether the fastest layout is the same network; if not, `same_network` is
      ours over the fastest that is, on a few batches.
    """
    by_length = sorted(batches, key=lambda batch: batch[0].shape[1])
    # Batches of medium length: a layout may take minutes for a long batch.
    start = max(0, len(batches) - TRIALS) // 2
    part = by_length[start : start + TRIALS]
    tried = {}
    for layout in layouts:
        work = functools.partial(twin.step, layout=layout)
        work(*by_length[0])
        tried[layout] = interleaved({layout: work}, part)[layout]
    layout = min(layouts, key=lambda each: sum(tried[each]))
    same_network: dict[str, Any] = {}
    if not twin.exact(layout):
        exact = min(filter(twin.exact, layouts), key=lambda each: sum(tried[each]))
        works = {"ours": model.train_on_batch, "theirs": functools.partial(twin.step, layout=exact)}
        interleaved(works, part[:1])  # traced before the clock runs
        raced = interleaved(works, part)
        same_network = {"layout": exact, "seconds": raced, **ratios(raced["ours"], raced["theirs"])}

    def padded(x: np.ndarray) -> np.ndarray:
        return np.pad(x[:, :fixed], ((0, 0), (0, max(0, fixed - x.shape[1]))))

    for x, y in batches[:TRIALS]:  # traced for every shape before the clock runs
        model.train_on_batch(x, y)
        twin.step(padded(x), y, layout)
    seconds = interleaved(
        {
            "ours": lambda x, cut, full, y: model.train_on_batch(x, y),
            "theirs": lambda x, cut, full, y: twin.step(x, y, layout),
            "cut": lambda x, cut, full, y: model.train_on_batch(cut, y),
            "fixed": lambda x, cut, full, y: twin.step(full, y, layout),
        },
        [(x, x[:, :fixed], padded(x), y) for x, y in batches],
    )
    return {
        "tried": tried,
        "layout": layout,
        "exact": twin.exact(layout),
        "same_network": same_network,
        "lengths": [x.shape[1] for x, _ in batches],
        "medians": {name: statistics.median(row) for name, row in seconds.items()},
        "seconds": seconds,
        "same_batches": ratios(seconds["ours"], seconds["theirs"]),
        "batching": ratios(seconds["cut"], seconds["fixed"]),
        "whole": ratios(seconds["ours"], seconds["fixed"]),
    }


def growth(
    model: Any, twin: Any, layout: str, batch: tuple, seed: int, rounds: int = 3
) -> list[dict[str, Any]]:
    """Times training steps of both by size of batch and length, on rows without padding.

    Args:
      batch: ids `(batch, time)`, from which the rows' ids are drawn, and labels.

    Returns:
      For each size and length: medians and seconds of `ours` and `theirs`, and the ratio.
    """
    generator = np.random.default_rng(seed)
    x, y = batch
    rows = []
    for size in BATCHES:
        for length in LENGTHS:
            ids = generator.choice(x[x != 0], (size, length))
            each = (ids, np.resize(y, size))
            works = {
                "ours": model.train_on_batch,
                "theirs": functools.partial(twin.step, layout=layout),
            }
            interleaved(works, [each])  # traced before the clock runs
            seconds = interleaved(works, [each] * rounds)
            rows.append(
                {
                    "batch_size": size,
                    "length": length,
                    "medians": {name: statistics.median(row) for name, row in seconds.items()},
                    "seconds": seconds,
                    **ratios(seconds["ours"], seconds["theirs"]),
                }
            )
    return rows


def _to_target(
    recipe: Any,
    plain: Callable,
    splits: Any,
    target: float,
    seed: int,
    every: int,
    log: Callable[[str], None],
) -> dict[str, Any]:
    """Trains the recipe, and the peer's plain script, to a score."""
    log(f"{recipe.name} to {target:.4f} …")
    ours = time_to(recipe, splits, target, seed, every, margin=MARGIN)
    log(f"{ours['seconds']:.0f} s; the peer's script to {target:.4f} …")
    theirs = plain(target, seed, every)
    return {
        "target": target,
        "ours": ours,
        "theirs": theirs,
        # If the peer gave up, all its time counts: the ratio is then an upper bound.
        "ratio": ours["seconds"] / theirs["seconds"],
    }


def answers(predictor: Any, peer: Any, test: Mapping, seed: int) -> dict[str, Any]:
    """Times answers of the exported SavedModel and of the peer's network, on rows of the test.

    Returns:
      By size of batch: medians and seconds of `raw` (the SavedModel, raw input), `ids` (our
      network alone) and `theirs` (theirs alone, in its fastest exact `layout`), and the ratios
      `ids` and `raw` to `theirs`.
    """
    from zoo.serving.export import export

    model, config, recipe = predictor.model, predictor.config, predictor.recipe
    twin = peer.Twin(config, model)
    layouts = [layout for layout in peer.LAYOUTS if twin.exact(layout)]
    network = tf.function(
        lambda ids: model(ids, training=False),
        input_signature=[tf.TensorSpec([None, None], tf.int32)],
    )
    rows = np.random.default_rng(seed).permutation(len(next(iter(test.values()))))
    rows = np.resize(rows, max(size * number for size, number in ANSWERED.items()))
    chosen = {name: [column[row] for row in rows] for name, column in test.items()}
    coded = recipe.batches(config, predictor.assets, chosen)
    measured: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        served = tf.saved_model.load(str(export(predictor, folder, warmup=0)))
        signature = served.signatures["serving_default"]
        for size, number in ANSWERED.items():
            rounds = []
            for start in range(0, size * number, size):
                raw = {name: column[start : start + size] for name, column in chosen.items()}
                ids, _ = coded.take(np.arange(start, start + size))
                rounds.append((predictor.tensors(raw), ids))
            works = {
                "raw": lambda raw, ids: signature(**raw),
                "ids": lambda raw, ids: network(ids).numpy(),
                **{each: _predicts(twin, each) for each in layouts},
            }
            interleaved(works, rounds[:2])  # traced before the clock runs
            seconds = interleaved(works, rounds)
            layout = min(layouts, key=lambda each: sum(seconds[each]))
            measured[str(size)] = {
                "difference": same(network, twin, layouts, rounds[0][1]),
                "layout": layout,
                "medians": {name: statistics.median(row) for name, row in seconds.items()},
                "seconds": seconds,
                "ids": ratios(seconds["ids"], seconds[layout]),
                "raw": ratios(seconds["raw"], seconds[layout]),
            }
    return measured


def _predicts(twin: Any, layout: str) -> Callable[..., Any]:
    return lambda raw, ids: twin.predict(ids, layout)
