"""A folder that answers without TensorFlow: the network, `model.json`, and readers of both.

| file | what |
|---|---|
| `model.onnx`, `model.tflite` | the network: ids or features to its output |
| `step.onnx`, `step.tflite` | of a generator: an id and a state to logits and the next state |
| others of these kinds | further networks of a recipe: its `networks`, see `zoo.recipe` |
| `model.json` | names, labels, vocabulary and the rules of the preprocessing; in the file too |
| `reader.py`, `reader.js`, `reader.h` | text to ids in Python, JavaScript and C++ |
| others beside them | of a recipe whose texts are read in another way: see `zoo.recipe` |
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
NEEDED = {"onnx": ("onnx", "onnxruntime"), "litert": ()}  # packages that an export imports
PACKED = "rnn-zoo"  # the key of model.json in the metadata of a file
OUTPUT = "output"  # the name of the network's output


class Function(NamedTuple):
    """What is written as one file.

    Attributes:
      call: takes tensors by the names of `inputs`; returns tensors by name.
      inputs: named specs, the first axis the batch.
    """

    call: Callable[..., Mapping[str, tf.Tensor]]
    inputs: Sequence[tf.TensorSpec]


def check(format: str, precision: str) -> None:
    """Makes sure that a format can be written here, in a precision.

    Raises:
      UsageError: the extra is not installed, or the format has no such precision.
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

    None where the model does not generate.
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
    """Returns what is written as files, by their names.

    These are `model`, `step` of a generator, and those that the recipe adds.
    """
    parts = {"model": network(predictor), "step": step(predictor)}
    given = predictor.recipe.networks(predictor.config, predictor.assets, predictor.model)
    return {
        **{name: function for name, function in parts.items() if function is not None},
        **{name: Function(*each) for name, each in given.items()},
    }


def describe(predictor: Predictor, parts: Mapping[str, Function]) -> dict[str, Any]:
    """Returns what `model.json` holds, of a model and its `functions`.

    `inputs` and `outputs` are names; `labels` those of the classes, or null; `tokenizer` what the
    readers need to turn text into the input, or null where the model does not read text by them;
    `reads` the names of the raw inputs that a SavedModel answers, or null as `tokenizer`;
    `novelty` by what `reader.py` marks unusual texts, or null: see `zoo.text.novelty`.
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
    """Returns what makes the `tokenizer` of `describe`; None where readers do not read text."""
    return predictor.recipe.portable(predictor.config, predictor.assets)


def readers_of(recipe: Recipe) -> list[Path]:
    """Returns the files that read texts: the engine's, and those of the recipe."""
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
    """Writes the files of a model, see the module.

    Args:
      predictor: of a model that has weights.
      folder: that exists.
      format: `"onnx"` or `"litert"`.
      precision: one of `zoo.config.FILE_PRECISIONS` for the format.

    Raises:
      ZooError: the network has an operation that the format does not have.
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
