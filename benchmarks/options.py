"""Effect of half precision, XLA and several steps per execution on the time of a training step.

All variants take turns in one run, on the batches of a training. Those are bucketed by length, and
XLA compiles for one shape: its compilation time counts once for each shape.
"""

from __future__ import annotations

import dataclasses
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from zoo import files
from zoo.data import Batches
from zoo.environment import environment
from zoo.recipe import Recipe
from zoo.registry import get_recipe
from zoo.training.optimizer import compile_model
from zoo.training.strategy import dtype_policy

MIN_SECONDS = 1.0  # seconds that a pass should take, at least, so that its overhead does not matter
MAX_STEPS = 2048  # steps in a pass
XLA_STEPS = 8  # of a pass with batches of two shapes

Order = list[np.ndarray]


@dataclasses.dataclass(frozen=True)
class Variant:
    """Options of training; the defaults are those of `zoo train`."""

    precision: str = "float32"
    steps_per_execution: int = 1
    jit_compile: bool = False


DEFAULT = "default"
VARIANTS = {
    DEFAULT: Variant(),
    "steps_per_execution=8": Variant(steps_per_execution=8),
    "steps_per_execution=32": Variant(steps_per_execution=32),
    "mixed_bfloat16": Variant(precision="mixed_bfloat16"),
    "mixed_float16": Variant(precision="mixed_float16"),
}
XLA_VARIANTS = {DEFAULT: Variant(), "jit_compile": Variant(jit_compile=True)}


def measure_options(
    names: Sequence[str],
    output: str | Path,
    *,
    data: str | None = None,
    steps: int = 32,
    rounds: int = 3,
    seed: int = 0,
    log: Callable[[str], None] | None = None,
) -> dict[str, Any]:
    """Measures the effect of each option on the time of a training step of some recipes.

    Args:
      names: of the recipes.
      output: JSON file to write.
      data: a source of their datasets; the first of each if None.
      steps: in a pass; more where they are short.
      rounds: passes of each variant, which take turns.
      seed: of the weights and the order of batches.
      log: called with each line of progress.

    Returns:
      What it writes: `recipes`, by name, each with

      - `ways`: for each of `VARIANTS` the median `step_seconds`, its `ratio` to the default's (the
        median of the rounds' ratios), and the `first_seconds` of its first step, most of which is
        tracing;
      - `xla`: the same of `jit_compile` on batches of two lengths; `compile_seconds` of one shape;
        and `training_ratio`, of a whole training that compiles each shape once.
        Where XLA cannot compile the model, its `error`;
      - `shapes`: of the batches of a training; `steps_an_epoch`, `epochs`, `batch_size`, `data`,
        and `steps` in a pass.

    Raises:
      UsageError: an unknown recipe.
      ZooError: the data are unavailable.
    """
    log = log or (lambda line: None)
    recipes = {name: _measure(get_recipe(name), data, steps, rounds, seed, log) for name in names}
    result = {
        "kind": "options",
        "recipes": recipes,
        "rounds": rounds,
        "seed": seed,
        "environment": environment(),
    }
    files.write_json(Path(output), result)
    return result


def compared(passes: Mapping[str, Sequence[float]], steps: int) -> dict[str, dict[str, float]]:
    """Compares variants that took turns.

    Args:
      passes: seconds of each round, by variant, `DEFAULT` among them.
      steps: in a pass.

    Returns:
      `step_seconds` and `ratio` of each variant, medians over the rounds, because other load
      affects all variants of a round.
    """
    return {
        name: {
            "step_seconds": statistics.median(seconds) / steps,
            "ratio": statistics.median(
                one / default for one, default in zip(seconds, passes[DEFAULT], strict=True)
            ),
        }
        for name, seconds in passes.items()
    }


def training_ratio(
    ratio: float, compile_seconds: float, shapes: int, step_seconds: float, steps: int
) -> float:
    """Returns the ratio of a training's time to the default's, if each shape is compiled once.

    Args:
      ratio: of steps that are compiled already.
      compile_seconds: of one shape.
      shapes: that the training meets.
      step_seconds: of a step by default.
      steps: of the training.
    """
    return ratio + shapes * compile_seconds / (steps * step_seconds)


def _measure(
    recipe: Recipe,
    data: str | None,
    steps: int,
    rounds: int,
    seed: int,
    log: Callable[[str], None],
) -> dict[str, Any]:
    config = recipe.config
    splits = recipe.dataset.load(data)
    train = recipe.augment(config, splits.train)
    assets = recipe.prepare(config, train)
    training = recipe.batches(config, assets, train)
    first = training.renewed(seed, 0)
    order = _full_batches(first.order(seed, 0))
    log(f"{recipe.name} on {splits.title}: {training.steps_per_epoch} steps an epoch")

    def make(variant: Variant) -> keras.Model:
        keras.utils.set_random_seed(seed)
        with dtype_policy(variant.precision):
            model = recipe.build(config, assets)
            compile_model(recipe, config, assets, model, training.steps_per_epoch)
        model.steps_per_execution = variant.steps_per_execution
        model.jit_compile = variant.jit_compile
        return model

    models = {name: make(variant) for name, variant in VARIANTS.items()}
    traced = {name: _seconds(model, first, order[:1]) for name, model in models.items()}
    part = [order[step % len(order)] for step in range(steps)]
    part *= _repeats(_seconds(models[DEFAULT], first, part), steps)
    ways: dict[str, dict[str, Any]] = dict(
        compared(_interleaved(models, first, part, rounds), len(part))
    )
    for name, variant in ways.items():
        variant["first_seconds"] = traced[name]
        log(
            f"  {name}: {1e3 * variant['step_seconds']:.2f} ms a step, ratio {variant['ratio']:.2f}"
        )
    shapes = _shapes(training, config.epochs, seed)
    step_seconds, all_steps = (
        ways[DEFAULT]["step_seconds"],
        training.steps_per_epoch * config.epochs,
    )
    del models
    xla = _xla(make, first, order, rounds)
    if "ratio" in xla:
        xla["training_ratio"] = training_ratio(
            xla["ratio"], xla["compile_seconds"], shapes, step_seconds, all_steps
        )
        log(
            f"  jit_compile: ratio {xla['ratio']:.2f}, {xla['compile_seconds']:.1f} s to compile "
            f"each of {shapes} shapes, {xla['training_ratio']:.2f} for a training"
        )
    return {
        "batch_size": config.batch_size,
        "steps": len(part),
        "steps_an_epoch": training.steps_per_epoch,
        "epochs": config.epochs,
        "shapes": shapes,
        "ways": ways,
        "xla": xla,
        "data": splits.describe(),
    }


def _xla(
    make: Callable[[Variant], keras.Model], batches: Batches, order: Order, rounds: int
) -> dict[str, Any]:
    """Times XLA on batches of two shapes, those at a third and at two thirds of all."""
    by_length = sorted(order, key=lambda index: int(batches.lengths[index].max()))
    one, other = (by_length[len(by_length) * third // 3] for third in (1, 2))
    models = {name: make(variant) for name, variant in XLA_VARIANTS.items()}
    seconds = {}
    for name, model in models.items():
        try:
            seconds_of = [_seconds(model, batches, [index]) for index in (one, other, other)]
        except tf.errors.OpError as error:
            return {"error": str(error.message).split("\n")[0]}
        seconds[name] = seconds_of
    new = _shape(batches, one) != _shape(batches, other)
    part = [one, other] * (XLA_STEPS // 2)
    part *= _repeats(_seconds(models[DEFAULT], batches, part), len(part))
    compared_ways: dict[str, Any] = dict(
        compared(_interleaved(models, batches, part, rounds), len(part))
    )
    first, second, third = seconds["jit_compile"]
    # Of a single shape, what it takes longer than by default to begin.
    compiling = second - third if new else first - seconds[DEFAULT][0]
    return {
        **compared_ways["jit_compile"],
        "compile_seconds": max(0.0, compiling),
        "default_step_seconds": compared_ways[DEFAULT]["step_seconds"],
    }


def _interleaved(
    models: Mapping[str, keras.Model], batches: Batches, order: Order, rounds: int
) -> dict[str, list[float]]:
    """Returns the seconds of each round of each model, which take turns."""
    passes: dict[str, list[float]] = {name: [] for name in models}
    for _ in range(rounds):
        for name, model in models.items():
            passes[name].append(_seconds(model, batches, order))
    return passes


def _seconds(model: keras.Model, batches: Batches, order: Order) -> float:
    start = time.perf_counter()
    model.fit(batches.dataset(order), shuffle=False, verbose=0)
    return time.perf_counter() - start


def _repeats(seconds: float, steps: int) -> int:
    """Returns how many repetitions of steps that take `seconds` make a pass."""
    return max(1, min(round(MIN_SECONDS / seconds), MAX_STEPS // steps))


def _full_batches(order: Order) -> Order:
    """Returns the batches with the largest number of rows."""
    largest = max(map(len, order))
    return [index for index in order if len(index) == largest]


def _shapes(training: Batches, epochs: int, seed: int) -> int:
    """Counts the shapes of the batches of a training."""
    shapes = set()
    for epoch in range(epochs):
        fresh = training.renewed(seed, epoch)
        shapes |= {_shape(fresh, index) for index in fresh.order(seed, epoch)}
    return len(shapes)


def _shape(batches: Batches, index: np.ndarray) -> tuple[tuple[int, ...], ...]:
    return tuple(leaf.shape for leaf in tf.nest.flatten(batches.take(index)))
