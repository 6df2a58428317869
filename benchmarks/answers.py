"""Stores the outputs of the packed models and compares them byte by byte.

A refactoring must not change them: for every packed model the outputs of all its signatures,
once from the SavedModel and once from the network that is built from the recipe's code; the
scores in `results/`; the packs' checksums. `store` writes their SHA-256 to a JSON file, `compare`
computes them again and returns what differs.

The inputs are a few rows of the recipe's sample, truncated. The options are those of the model's
config. `use_one_thread` makes the order of sums deterministic. Another processor or TensorFlow
version may still round differently: compare on the machine that stored.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

import zoo
from zoo import files
from zoo.manifest import manifest_entry

EXTRA = "assets.extra"
ROWS = 4  # of the sample
N_BEST = 3  # hypotheses of a search
STEPS = 24  # maximum length of generated sequences
LONGEST = {"audio": 24_000}  # values of a row that are used; others are used whole
SAMPLE_COLUMN = {"prime": ("frames", "tune")}  # inputs that are the beginning of a column
PRIME_FRAMES, PRIME_CHARACTERS = 4, 24
STATE_INPUT = "input"  # of `step`: the id that was chosen; its other inputs come from `begin`

Entry = dict[str, Any]
Log = Callable[[str], object]


def use_one_thread() -> None:
    """Restricts TensorFlow to one thread. Must be called before it computes anything."""
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)


def store(
    path: str | Path,
    names: Sequence[str] = (),
    *,
    results: str | Path = "results",
    log: Log = print,
) -> int:
    """Writes checksums of all answers and scores to a JSON file.

    Args:
      path: the file.
      names: of packed models; all if there are none.
      results: folder of measurements.
      log: is called with one line for each model.

    Returns:
      How many output tensors were stored.
    """
    checksums = collect(names, results, log)
    files.write_json(Path(path), checksums)
    return sum(key.startswith("answers/") for key in checksums)


def compare(
    path: str | Path,
    names: Sequence[str] = (),
    *,
    results: str | Path = "results",
    log: Log = print,
) -> list[str]:
    """Recomputes everything and returns one line for each difference from a stored file.

    Args as of `store`; of the stored models, only those of `names` are compared.
    """
    before = files.read_json(Path(path))
    after = collect(names, results, log)
    lines = []
    for key in sorted(before.keys() | after.keys()):
        kind, model, *_ = key.split("/")
        if names and kind != "scores" and model not in names:
            continue
        if key not in after:
            lines.append(f"{key}: missing now")
        elif key not in before:
            lines.append(f"{key}: new")
        elif before[key] != after[key]:
            lines.append(
                f"{key}: {_abbreviated(before[key])} before, {_abbreviated(after[key])} now"
            )
    return lines


def collect(names: Sequence[str], results: str | Path, log: Log) -> dict[str, Any]:
    """Returns the compared values by a path such as `answers/imdb-lstm/saved_model/score`.

    Keys are `pack/<model>`, `inputs/<model>/<signature>/<input>`,
    `answers/<model>/<saved_model or keras>/<signature>/<output>` and `scores/<file>`.
    """
    checksums: dict[str, Any] = {}
    for name in names or [row["name"] for row in zoo.list_models(pretrained=True)]:
        answers = dict(_answers_of(name))
        log(f"{name}: {len(answers)} checksums")
        checksums |= answers
    for path in sorted(Path(results).glob("*.json")):
        content = files.read_json(path)
        scores = content
        if "metrics" in content:  # of a model; other measurements are compared whole
            scores = {key: content[key] for key in ("metric", "metrics", "score", "baseline")}
        canonical = json.dumps(scores, sort_keys=True, separators=(",", ":"))
        checksums[f"scores/{path.name}"] = hashlib.sha256(canonical.encode()).hexdigest()
    return checksums


def _answers_of(name: str) -> Iterator[tuple[str, Any]]:
    recipe = zoo.get_recipe(name)
    entry = manifest_entry(recipe)
    folder = zoo.pretrained(name)  # refuses a model without a pack
    if entry is not None:
        yield f"pack/{name}", files.sha256(recipe.pretrained_folder / entry["file"])
    module = tf.saved_model.load(str(folder))
    specs = {
        signature: dict(function.structured_input_signature[1])
        for signature, function in module.signatures.items()
    }
    config = files.read_json(folder / EXTRA / "config.json")
    predictor = zoo.load(folder)
    sample = predictor.recipe.dataset.sample()
    built = predictor.served()  # must outlive the calls: functions do not keep tables alive
    for form, functions in (("saved_model", module.signatures), ("keras", built.functions)):
        state: Mapping[str, tf.Tensor] = {}
        for signature in sorted(specs, key=lambda each: (each == "step", each)):
            if signature not in functions:
                continue  # a missing key counts as a difference
            inputs = _inputs(specs[signature], sample, config["config"], state)
            if form == "saved_model":
                for key, tensor in inputs.items():
                    yield f"inputs/{name}/{signature}/{key}", fingerprint(tensor.numpy())
            outputs = functions[signature](**inputs)
            if signature == "begin":
                state = outputs
            for key, tensor in sorted(outputs.items()):
                yield f"answers/{name}/{form}/{signature}/{key}", fingerprint(tensor.numpy())
        for signature in sorted(set(functions) - set(specs)):
            yield f"answers/{name}/{form}/{signature}", "a signature that the pack lacks"


def _inputs(
    specs: Mapping[str, tf.TensorSpec],
    sample: Mapping[str, Sequence[Any]],
    config: Mapping[str, Any],
    state: Mapping[str, tf.Tensor],
) -> dict[str, tf.Tensor]:
    """Returns inputs of a signature: from a state, the config's options, or the sample."""
    if STATE_INPUT in specs:
        chosen = tf.argmax(state["logits"], axis=-1, output_type=specs[STATE_INPUT].dtype)
        return {key: chosen if key == STATE_INPUT else state[key] for key in specs}
    rows: dict[str, list[Any]] = {}
    for key, spec in specs.items():
        if spec.shape.rank and key not in ("length", "random_seed"):
            rows[key] = _rows(key, spec, sample)
    inputs = {}
    for key, spec in specs.items():
        if spec.shape.rank == 0:
            inputs[key] = tf.constant(_option(key, config), spec.dtype)
        elif key == "random_seed":
            inputs[key] = tf.range(ROWS, dtype=spec.dtype)
        elif key == "length":
            sequence = next(each for each in rows if specs[each].shape.rank > 1)
            inputs[key] = tf.constant([len(row) for row in rows[sequence]], spec.dtype)
        else:
            inputs[key] = _padded(rows[key], spec)
    return inputs


def _option(name: str, config: Mapping[str, Any]) -> Any:
    if name == "n_best":
        return min(N_BEST, config["beam"])
    return min(STEPS, config["steps"]) if name == "steps" else config[name]


def _rows(name: str, spec: tf.TensorSpec, sample: Mapping[str, Sequence[Any]]) -> list[Any]:
    if name in sample:
        return [
            row if isinstance(row, (str, bytes, int, float)) else row[: LONGEST.get(name)]
            for row in list(sample[name])[:ROWS]
        ]
    source = next((each for each in SAMPLE_COLUMN.get(name, ()) if each in sample), None)
    if source is None:
        nothing: Any = 0 if spec.shape.rank == 1 else []  # such as of a state that begins
        return ["" if spec.dtype == tf.string else nothing] * ROWS
    rows = list(sample[source])[:ROWS]
    if spec.dtype == tf.string:
        return [row[:PRIME_CHARACTERS].rpartition(" ")[0] for row in rows]
    return [row[:PRIME_FRAMES] for row in rows]


def _padded(rows: Sequence[Any], spec: tf.TensorSpec) -> tf.Tensor:
    """Returns rows as one tensor, padded on the right with 0 or the empty text."""
    rank = spec.shape.rank
    shape = [len(rows), *(0,) * (rank - 1)]

    def measure(value: Any, axis: int) -> None:
        if axis < rank:
            shape[axis] = max(shape[axis], len(value))
            for part in value:
                measure(part, axis + 1)

    for row in rows:
        measure(row, 1)
    text = spec.dtype == tf.string
    array = np.full(shape, b"" if text else 0, object if text else spec.dtype.as_numpy_dtype)

    def fill(position: tuple[int, ...], value: Any) -> None:
        if len(position) < rank:
            for index, part in enumerate(value):
                fill((*position, index), part)
        else:
            array[position] = value.encode() if isinstance(value, str) else value

    for index, row in enumerate(rows):
        fill((index,), row)
    return tf.constant(array, spec.dtype, shape)


def fingerprint(array: np.ndarray) -> Entry:
    """Returns dtype, shape and SHA-256 of an array's bytes; for texts, with their lengths."""
    array = np.asarray(array)
    digest = hashlib.sha256()
    if array.dtype == object:
        for text in array.ravel():
            digest.update(len(text).to_bytes(8, "little") + text)
    else:
        digest.update(np.ascontiguousarray(array).tobytes())
    dtype = "string" if array.dtype == object else array.dtype.name
    return {"dtype": dtype, "shape": list(array.shape), "sha256": digest.hexdigest()}


def _abbreviated(value: Any) -> str:
    if isinstance(value, dict):
        return f"{value['dtype']}{value['shape']} {value['sha256'][:12]}"
    return str(value)[:40]
