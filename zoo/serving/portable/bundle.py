"""Writes a folder for inference without TensorFlow: network, `model.json`, and readers for both.

| file | content |
|---|---|
| `model.onnx`, `model.tflite` | the network: ids or features to its output |
| `step.onnx`, `step.tflite` | for generators: an id and a state to logits and the next state |
| other files of these types | further networks of a recipe: its `networks`, see `zoo.recipe` |
| `model.json` | names, labels, vocabulary, preprocessing rules; also in the network file |
| `reader.py`, `reader.js`, `reader.h` | text to ids in Python, JavaScript and C++ |
| other readers | for recipes with other text preprocessing: see `zoo.recipe` |
"""

from __future__ import annotations

import importlib.util
import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import tensorflow as tf

from zoo import files
from zoo.config import FILE_PRECISIONS
from zoo.environment import install_extra
from zoo.errors import UsageError, quoted, suggest
from zoo.recipe import Recipe
from zoo.serving.capabilities import ANSWER, STEP
from zoo.serving.inputs import input_specs
from zoo.serving.predictor import Predictor
from zoo.text.novelty import FURTHER

READERS = ("reader.py", "reader.js", "reader.h")
SUFFIXES = {"onnx": "onnx", "litert": "tflite"}
NEEDED = {"onnx": ("onnx", "onnxruntime"), "litert": ()}  # packages required for an export
PACKED = "rnn-zoo"  # the key of model.json in the metadata of a network file
OUTPUT = "output"  # the name of the network's output


class Function(NamedTuple):
    """A function that is written as one file.

    Attributes:
      call: takes tensors by the names of `inputs`; returns tensors by name.
      inputs: named specs; the first axis is the batch.
    """

    call: Callable[..., Mapping[str, tf.Tensor]]
    inputs: Sequence[tf.TensorSpec]


def check(format: str, precision: str) -> None:
    """Checks that a format can be written with a precision.

    Raises:
      UsageError: the extra is not installed, or the format does not support the precision.
    """
    known = FILE_PRECISIONS[format]
    if not isinstance(precision, str) or precision not in known:
        raise UsageError(
            f"The format {format} has no precision {quoted(precision)}.{suggest(precision, known)}"
        )
    for package in NEEDED[format]:
        if importlib.util.find_spec(package) is None:
            raise UsageError(
                f"The format {format} needs the package {package}: {install_extra(format)}."
            )


def network(predictor: Predictor) -> Function:
    """Returns the network: inputs of the Keras model to `output`."""
    model = predictor.model
    single = not isinstance(model.input, Mapping)
    specs = [tf.TensorSpec(each.shape, each.dtype, name=each.name) for each in model.inputs]

    def call(**inputs: tf.Tensor) -> dict[str, tf.Tensor]:
        given = next(iter(inputs.values())) if single else inputs
        return {OUTPUT: model(given, training=False)}

    return Function(call, specs)


def step(predictor: Predictor) -> Function | None:
    """Returns the step of a generator: `input` and the state to `logits` and the next state.

    None if the model does not generate.
    """
    function = predictor.served().functions.get(STEP)
    if function is None:
        return None
    specs = list(function.input_signature)

    def call(**inputs: tf.Tensor) -> dict[str, tf.Tensor]:
        outputs = function.python_function(*(inputs[spec.name] for spec in specs))
        return {name: outputs[name] for name in sorted(outputs)}

    return Function(call, specs)


def functions(predictor: Predictor) -> dict[str, Function]:
    """Returns the functions that are written as files, by file name.

    These are `model`, `step` for generators, and the networks that the recipe adds.
    """
    parts = {"model": network(predictor), "step": step(predictor)}
    given = predictor.recipe.networks(predictor.config, predictor.assets, predictor.model)
    return {
        **{name: function for name, function in parts.items() if function is not None},
        **{name: Function(*each) for name, each in given.items()},
    }


def describe(predictor: Predictor, parts: Mapping[str, Function]) -> dict[str, Any]:
    """Returns the content of `model.json` for a model and its `functions`.

    `inputs` and `outputs` are names; `labels` are the class names, or null; `tokenizer` holds the
    rules that readers use to convert text to the input, or null if they cannot read its input;
    `reads` holds the names of the raw inputs of the SavedModel, or null if `tokenizer` is null;
    `novelty` holds the rule by which `reader.py` marks unusual texts, or null: see
    `zoo.text.novelty`.
    """
    names = {
        part: {
            "inputs": [spec.name for spec in function.inputs],
            "outputs": [OUTPUT] if part == "model" else _outputs(function),
        }
        for part, function in parts.items()
    }
    portable = text_rules_of(predictor)
    tokenizer = portable() if portable else None
    measures = predictor.recipe.novelty
    novelty = None
    if tokenizer and [each.output for each in measures] == ["novelty"]:
        limit = measures[0].limit_of(predictor.assets.limits)
        novelty = {"further": tokenizer.get("further", FURTHER), "limit": limit}
    return {
        "format": 1,
        "name": predictor.name,
        "task": predictor.recipe.task,
        **names.pop("model"),
        **names,
        "labels": predictor.labels or None,
        "tokenizer": tokenizer,
        "reads": _raw_inputs(predictor) if tokenizer else None,
        "novelty": novelty,
    }


def _raw_inputs(predictor: Predictor) -> list[str]:
    function = predictor.served().functions.get(ANSWER)
    return list(input_specs(function)) if function is not None else []


def text_rules_of(predictor: Predictor) -> Callable[[], dict[str, Any]] | None:
    """Returns a function that returns the `tokenizer` of `describe`; None if there is none."""
    return predictor.recipe.portable(predictor.config, predictor.assets)


def readers_of(recipe: Recipe) -> list[Path]:
    """Returns the reader files: the common ones, and those of the recipe."""
    found = [Path(__file__).with_name(name) for name in READERS]
    spec = importlib.util.find_spec(recipe.reader) if recipe.reader else None
    if spec is not None and spec.origin:
        own = [Path(spec.origin).with_suffix(Path(name).suffix) for name in READERS]
        found += [path for path in own if path.exists()]
    return found


def _outputs(function: Function) -> list[str]:
    named = {spec.name: spec for spec in function.inputs}
    concrete = tf.function(function.call, autograph=False).get_concrete_function(**named)
    return sorted(concrete.structured_outputs)


def write(predictor: Predictor, folder: Path, format: str, precision: str = "float32") -> None:
    """Writes the files of a model, see the module docstring.

    Args:
      predictor: the predictor of a model with weights.
      folder: an existing folder.
      format: `"onnx"` or `"litert"`.
      precision: one of `zoo.config.FILE_PRECISIONS` for the format.

    Raises:
      ZooError: the network has an operation that the format does not support.
    """
    parts = functions(predictor)
    about = describe(predictor, parts)
    stored = json.dumps(about, ensure_ascii=False, separators=(",", ":"))
    files.write_text(folder / "model.json", stored)
    for name, function in parts.items():
        path = folder / f"{name}.{SUFFIXES[format]}"
        path.write_bytes(_file(predictor, function, format, precision, stored))
    for source in readers_of(predictor.recipe):
        shutil.copy(source, folder / source.name)


def _file(
    predictor: Predictor, function: Function, format: str, precision: str, stored: str
) -> bytes:
    if format == "litert":
        from zoo.serving.portable import litert

        return litert.with_metadata(litert.convert(*function, precision), PACKED, stored)
    from zoo.serving.portable import onnx_graph

    proto = onnx_graph.convert(*function, predictor.model, {PACKED: stored})
    return onnx_graph.quantised(proto) if precision == "int8" else proto.SerializeToString()
