"""Compares models as ONNX and LiteRT with Keras: size, time per row, and the metric."""

from __future__ import annotations

import functools
import statistics
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from benchmarks.formats_table import VARIANTS
from benchmarks.twins import interleaved
from zoo import files
from zoo.data.splits import count, take
from zoo.environment import environment
from zoo.errors import ZooError, first_line
from zoo.serving import evaluation, load
from zoo.serving.export import export
from zoo.serving.portable import bundle, reader
from zoo.serving.predictor import Predictor

UNTIMED, REPEATS = 3, 20  # the first ones trace graphs and fill caches


def measure(
    models: Sequence[str],
    output: str | Path,
    *,
    rows: int = 500,
    data: str | None = None,
    log: Callable[[str], None] = lambda line: None,
) -> dict[str, Any]:
    """Measures models in every format and precision, and compares them with Keras.

    Args:
      models: as for `zoo.load`.
      output: JSON file; its entries of other models are kept.
      rows: of the test split that are scored, at most, drawn by a fixed seed.
      data: where custom data are that the models were trained on; None for a source of the dataset.
      log: takes a line for each variant.

    Returns:
      What it writes: for each model `metric`, `rows`, `keras` (`metric`, `milliseconds`), whether
      readers turn `text` into its input, and for each `format` and `precision` either `problem`,
      or `kilobytes`, `milliseconds` of one row of the sample and `metric`. The metric is null where
      what is scored is not in the file, such as a beam search.
    """
    path = Path(output)
    stored = files.read_json(path)["models"] if path.exists() else {}
    machine = environment()
    for name in models:
        predictor = load(name)
        stored[predictor.name] = _measure(predictor, rows, data, log)
        result = {
            "kind": "formats",
            "models": dict(sorted(stored.items())),
            "environment": machine,
        }
        files.write_json(path, result)
    return result


def _measure(
    predictor: Predictor, rows: int, data: str | None, log: Callable[[str], None]
) -> dict[str, Any]:
    test = evaluation.splits_of(predictor, data).test
    chosen = np.random.default_rng(0).permutation(count(test))[:rows]
    examples = take(test, sorted(chosen.tolist()))
    network = bundle.network(predictor)
    row = _row(predictor, network)
    compiled = tf.function(network.call)
    tensors = {name: tf.constant(value) for name, value in row.items()}
    measured: dict[str, Any] = {
        "metric": predictor.recipe.metric.name,
        "better": predictor.recipe.metric.better,
        "rows": count(examples),
        "text": bundle.text_rules_of(predictor) is not None,
        "keras": {"metric": _score(predictor, examples)},
    }
    times = []
    for form, precision in VARIANTS:
        variant: dict[str, Any] = {}
        with tempfile.TemporaryDirectory() as folder:
            try:
                version = export(predictor, folder, format=form, precision=precision)
                model = reader.load(version)
                variant["kilobytes"] = round(
                    (version / f"model.{bundle.SUFFIXES[form]}").stat().st_size / 1000
                )
                raced = _race(
                    mine=functools.partial(model.run, **row),
                    keras=functools.partial(compiled, **tensors),
                )
                variant["milliseconds"] = raced["mine"]
                times.append(raced["keras"])
                variant["metric"] = _score(_with(predictor, model), examples)
            except ZooError as error:
                variant = {"problem": first_line(error)}
        measured[f"{form} {precision}"] = variant
        log(f"{predictor.name} {form} {precision}: {variant}")
    if times:
        measured["keras"]["milliseconds"] = statistics.median(times)
    return measured


def _row(predictor: Predictor, network: bundle.Function) -> dict[str, np.ndarray]:
    """Returns the longest row of the sample, as the network reads it."""
    sample = predictor.recipe.dataset.sample()
    batches = predictor.recipe.batches(predictor.config, predictor.assets, sample)
    x, _ = batches.take(np.arange(batches.rows))
    inputs = x if isinstance(x, dict) else {network.inputs[0].name: x}
    return {
        spec.name: np.asarray(inputs[spec.name][-1:], spec.dtype.as_numpy_dtype)
        for spec in network.inputs
    }


def _race(**works: Callable[[], Any]) -> dict[str, float]:
    """Returns the median milliseconds of each function; they are called in turn."""
    seconds = interleaved(works, [()] * (UNTIMED + REPEATS))
    return {name: 1000 * statistics.median(each[UNTIMED:]) for name, each in seconds.items()}


def _score(predictor: Predictor, examples: Any) -> float | None:
    network = predictor.model
    recipe = predictor.recipe
    scores = recipe.evaluate(predictor.config, predictor.assets, predictor, examples)
    if isinstance(network, _StandIn) and not network.calls:
        return None
    return float(scores[recipe.metric.name])


class _StandIn:
    """Behaves like a Keras model, but computes with the network of an export."""

    def __init__(self, model: Any, network: reader.Model) -> None:
        self._model = model
        self._network = network
        self.calls = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._model, name)

    def __call__(self, inputs: Any, training: bool = False) -> tf.Tensor:
        names = self._network.about["inputs"]
        given = inputs if isinstance(inputs, dict) else {names[0]: inputs}

        def run(*values: np.ndarray) -> np.ndarray:
            self.calls += 1
            return self._network.run(**dict(zip(names, values, strict=True)))["output"]

        output = tf.numpy_function(run, [given[name] for name in names], tf.float32)
        output.set_shape([None, *self._model.output.shape[1:]])
        return output


def _with(predictor: Predictor, network: reader.Model) -> Predictor:
    """Returns a copy of a predictor that uses the network of an export."""
    other = load(predictor.folder, trust=predictor.trust)
    vars(other)["_network"] = _StandIn(predictor.model, network)
    # Signatures of this network, not of the saved graph.
    other._kept = other.served()
    vars(other)["signatures"] = other._kept.functions
    return other
