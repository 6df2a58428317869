"""Latency of predictions: SavedModels, ONNX and LiteRT compared with PyTorch, on one thread.

All engines have the same weights and predict the same rows of 200 words, in one process, in turn,
so that other load on the machine affects all of them. Only ratios are reported.
"""

from __future__ import annotations

import functools
import statistics
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from benchmarks.race import load_peer
from benchmarks.twins import TOLERANCE, interleaved
from zoo import files
from zoo.environment import environment
from zoo.errors import ZooError, first_line
from zoo.serving import kernels, load
from zoo.serving.export import export, write_saved_model
from zoo.serving.portable import reader
from zoo.serving.predictor import Predictor
from zoo.serving.signatures import Served

IMDB = ("imdb-simplernn", "imdb-lstm", "imdb-gru", "imdb-bilstm", "imdb-deep-gru")
PEER = "benchmarks.peers.pytorch_imdb"
ROWS = (1, 32, 256)
WORDS = 200
UNTIMED = 2  # rounds in which graphs are traced and compiled

# Recurrent layers alone: units, and rows of a batch. Their inputs have 64 features.
UNITS, LAYER_ROWS, FEATURES = (64, 128, 512), (1, 4, 16, 64, 256), 64
LARGEST = 64 * 512  # rows times units
LAYERS = (keras.layers.SimpleRNN, keras.layers.LSTM, keras.layers.GRU)

Work = Callable[[], Any]


def measure(
    output: str | Path,
    names: Sequence[str] = IMDB,
    *,
    rows: Sequence[int] = ROWS,
    units: Sequence[int] = UNITS,
    rounds: int = 40,
    peer: str = PEER,
    log: Callable[[str], None] = lambda line: None,
) -> dict[str, Any]:
    """Times predictions of models, and recurrent layers with the kernels of `zoo.serving.kernels`.

    Args:
      output: JSON file to write.
      names: of packed models that the peer knows.
      rows: of the batches that are answered.
      units: of the layers that are timed alone.
      rounds: in which a single row is answered; of larger batches fewer, at least 10.
      peer: module with `setup` and `Twin`, see `benchmarks.twins`.
      log: takes a line for each measurement.

    Returns:
      What it writes. `networks`: by name and rows, for each engine the median `milliseconds`, the
      `fastest`, and the `ratio` of the median to that of PyTorch; `ratio_of_fastest` is what other
      load on the machine changes least. Engines: `pytorch`,
      `pytorch_compiled` (`torch.compile`), `keras` (a graph of Keras' own loops), `saved_model`
      (from ids) and `saved_model_text` (the export, from text), and of one row also `onnx`,
      `onnx_text`, `litert`, `litert_text`. `layers`: milliseconds of layers by kernel.
      `problems`: engines that are not available, and why.

    Raises:
      ZooError: an engine's output differs from PyTorch's, or the peer's package is missing.
    """
    peer_module = load_peer(peer)
    theirs = peer_module.setup(1, 0)
    problems: dict[str, str] = {}
    networks: dict[str, Any] = {}
    for name in names:
        predictor = load(name)
        networks[name] = {}
        with tempfile.TemporaryDirectory() as folder:
            engines = _Engines(predictor, peer_module, Path(folder), problems)
            for count in rows:
                texts, ids = _requests(predictor, count)
                works = engines.works(texts, ids)
                _check(works, name)
                measured = _raced(works, rounds if count == 1 else max(10, rounds // 4))
                networks[name][str(count)] = measured
                log(f"{name}, {count} rows: " + _line(measured))
    result = {
        "kind": "latency",
        "words": WORDS,
        "peer": {"name": peer, **theirs},
        "networks": networks,
        "layers": list(_layers(units, rounds, log)),
        "kernels": {"few": kernels.FEW, "steps": kernels.STEPS},
        "problems": problems,
        "threads": tf.config.threading.get_intra_op_parallelism_threads(),
        "environment": environment(),
    }
    files.write_json(Path(output), result)
    return result


def _requests(predictor: Predictor, count: int) -> tuple[list[str], np.ndarray]:
    """Returns texts of `WORDS` words from the model's vocabulary, and their ids."""
    words = [word for word in predictor.assets["vocabulary"] if word.isalpha()]
    generator = np.random.default_rng(count)
    texts = [" ".join(generator.choice(words, WORDS)) for _ in range(count)]
    rows = predictor.assets.encoder.rows(texts)
    ids = rows.padded(np.arange(count)).astype("int32")
    if ids.shape != (count, WORDS) or not ids.all():
        raise ZooError(f"{predictor.name} does not read {WORDS} words as so many ids.")
    return texts, ids


class _Engines:
    """A model in every engine: `works` of a request."""

    def __init__(
        self, predictor: Predictor, peer: Any, folder: Path, problems: dict[str, str]
    ) -> None:
        self.problems = problems
        self.twin = peer.Twin(predictor.config, predictor.model)
        self.compiled = self.twin.compiled()
        model = predictor.model
        spec = tf.TensorSpec([None, None], tf.int32, name="ids")
        self.keras = tf.function(lambda ids: model(ids, training=False), input_signature=[spec])

        @tf.function(input_signature=[spec])
        def answer(ids: tf.Tensor) -> dict[str, tf.Tensor]:
            return {"probabilities": model(ids, training=False)}

        (folder / "ids").mkdir()
        write_saved_model(Served(parts=[model], answer=answer).in_parts(), folder / "ids")
        self.ids = tf.saved_model.load(str(folder / "ids"))
        self.text = tf.saved_model.load(str(export(predictor, folder / "text", warmup=0)))
        self.portable = {}
        for form in ("onnx", "litert"):
            try:
                self.portable[form] = reader.load(export(predictor, folder / form, format=form))
            except (ZooError, ModuleNotFoundError) as error:
                problems[form] = first_line(error)
        self.labels = predictor.labels

    def works(self, texts: list[str], ids: np.ndarray) -> dict[str, Work]:
        """Returns functions that predict a request: probabilities, float32 `(rows, classes)`."""
        from_ids = self.ids.signatures["serving_default"]
        from_text = self.text.signatures["serving_default"]
        works: dict[str, Work] = {
            "pytorch": lambda: self.twin.predict(ids, "padded"),
            "keras": lambda: self.keras(tf.constant(ids)).numpy(),
            "saved_model": lambda: from_ids(ids=tf.constant(ids))["probabilities"].numpy(),
            "saved_model_text": lambda: from_text(text=tf.constant(texts))["probabilities"].numpy(),
        }
        if "pytorch_compiled" not in self.problems:
            compiled = functools.partial(self.compiled, ids)
            try:
                compiled()
                works["pytorch_compiled"] = compiled
            except Exception as error:  # of the compiler
                self.problems["pytorch_compiled"] = first_line(error)
        if len(texts) == 1:
            for form, model in self.portable.items():
                works[form] = functools.partial(_of_ids, model, ids)
                works[f"{form}_text"] = functools.partial(_of_texts, model, texts, self.labels)
        return works


def _of_ids(model: reader.Model, ids: np.ndarray) -> np.ndarray:
    return model.run(ids=ids)["output"]


def _of_texts(model: reader.Model, texts: list[str], labels: list[str]) -> np.ndarray:
    answers = model.predict(texts)
    return np.array([[answer["probabilities"][label] for label in labels] for answer in answers])


def _check(works: Mapping[str, Work], name: str) -> None:
    due = works["pytorch"]()
    for engine, work in works.items():
        difference = float(np.abs(work() - due).max())
        if not difference <= TOLERANCE:
            raise ZooError(f"{name}: {engine} differs from PyTorch by {difference:.1g}.")


def _raced(works: Mapping[str, Work], rounds: int) -> dict[str, dict[str, float]]:
    """Returns the times of functions that are called in turn, and their ratios to `pytorch`."""
    seconds = interleaved(works, [()] * (UNTIMED + rounds))
    medians = {name: statistics.median(each[UNTIMED:]) for name, each in seconds.items()}
    measured = {
        name: {
            "milliseconds": round(1000 * medians[name], 3),
            "fastest": round(1000 * min(each[UNTIMED:]), 3),
        }
        for name, each in seconds.items()
    }
    if "pytorch" in measured:
        fastest = measured["pytorch"]["fastest"]
        for name, each in measured.items():
            each["ratio"] = round(medians[name] / medians["pytorch"], 3)
            each["ratio_of_fastest"] = round(each["fastest"] / fastest, 3)
    return measured


def _layers(
    units: Sequence[int], rounds: int, log: Callable[[str], None]
) -> Iterator[dict[str, Any]]:
    """Yields the times of layers, over `WORDS` steps, by kernel."""
    spec = tf.TensorSpec([None, None, FEATURES])
    for kind in LAYERS:
        for size in units:
            layer = kind(size, return_sequences=True)
            layer.build((None, None, FEATURES))
            functions = {}
            for kernel in (kernels.KERAS, kernels.LOOP, kernels.BLOCK):
                if kernel == kernels.BLOCK and kind is not keras.layers.LSTM:
                    continue
                function = tf.function(
                    functools.partial(_layer, layer, kernel), input_signature=[spec]
                )
                functions[kernel.partition(" ")[0]] = function
            for count in LAYER_ROWS:
                if count * size > LARGEST:
                    continue
                x = np.random.default_rng(0).normal(size=(count, WORDS, FEATURES))
                given = tf.constant(x, tf.float32)
                works = {
                    name: functools.partial(function, given) for name, function in functions.items()
                }
                measured = _raced(works, rounds if count == 1 else max(10, rounds // 4))
                log(f"{kind.__name__} of {size}, {count} rows: " + _line(measured))
                yield {"layer": kind.__name__, "units": size, "rows": count, "kernels": measured}


def _layer(layer: Any, kernel: str, x: tf.Tensor) -> tf.Tensor:
    if kernel == kernels.KERAS:
        return layer(x, training=False)
    states = tuple(layer.get_initial_state(tf.shape(x)[0]))
    few = 0 if kernel == kernels.LOOP else tf.int32.max  # rows of which the op computes all or none
    return kernels.run(layer, x, states, None, few=few)[1]


def _line(measured: Mapping[str, Mapping[str, float]]) -> str:
    return ", ".join(f"{name} {each['milliseconds']:.2f} ms" for name, each in measured.items())
