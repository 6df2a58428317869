"""Tests odd batches: same outputs as for single rows, no crash, no unmarked NaN."""

from __future__ import annotations

import collections
import concurrent.futures
import contextlib
import dataclasses
import math
import random
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

import zoo
from benchmarks.answers import PRIME_CHARACTERS, PRIME_FRAMES, SAMPLE_COLUMN
from benchmarks.attack import odd
from zoo import files
from zoo.errors import ZooError
from zoo.serving.inputs import LENGTH, input_specs, scalars_of, tensors
from zoo.serving.rows import PROBLEM, VALID

# At least one model of each family, and their shares: larger for fast models.
MODELS = {
    "adding-lstm": 25,
    "chorales-gru": 2,
    "conll-bilstm": 5,
    "digits-ctc": 2,
    "digits-gru": 5,
    "digits-mlp": 25,
    "folk-gru": 2,
    "imdb-gru": 22,
    "shakespeare-gru": 3,
    "stocks-gru": 7,
    "translate-seq2seq": 2,
}
ODD = 0.55  # share of the values that are odd
ALONE = 0.1  # share of the batches whose rows are asked alone, too
THREADS = 4
SECONDS = 60.0  # that a batch may take
CLOSE = 2e-3  # of numbers that are the same but for rounding, relative and absolute
LONGEST_MESSAGE = 1500

Failures = list[dict[str, Any]]


@dataclasses.dataclass(frozen=True)
class Subject:
    """A model under attack.

    Attributes:
      name: of its recipe.
      predictors: over the packed SavedModel and over a new export.
      module: the new export as TensorFlow loads it.
      good: input name to good values.
      states: widths of the float inputs of `step`.
    """

    name: str
    predictors: tuple[zoo.Predictor, ...]
    module: Any
    good: Mapping[str, Sequence]


@dataclasses.dataclass(frozen=True)
class Batch:
    """Examples for a signature, whose options may be out of their ranges."""

    signature: str
    columns: dict[str, list]
    options: dict[str, Any]
    kinds: tuple[str, ...]
    sound: bool  # whether the options are in their ranges: then there must be answers

    @property
    def rows(self) -> int:
        return len(next(iter(self.columns.values())))


def subject(name: str, folder: Path) -> Subject:
    """Exports a packed model again and loads both."""
    packed = zoo.load(zoo.pretrained(name))
    keras_model = zoo.load(name)
    version = zoo.export(keras_model, folder / name, warmup=0)
    sample = packed.recipe.dataset.sample()
    good: dict[str, Sequence] = {key: list(values) for key, values in sample.items()}
    for key, columns in SAMPLE_COLUMN.items():
        for column in columns:
            if column in sample:
                cut = PRIME_CHARACTERS if isinstance(sample[column][0], str) else PRIME_FRAMES
                good[key] = [value[:cut] for value in sample[column]]
    module = tf.saved_model.load(str(version))
    return Subject(name, (packed, zoo.load(version)), module, good)


def draw_batch(draw: random.Random, one: Subject, function: Any, signature: str) -> Batch:
    """Draws a batch for a signature: good rows and odd ones, none to eight."""
    count = draw.choice([0, 1, 1, 2, 3, 3, 4, 5, 8])
    columns, kinds = {}, []
    for name, spec in input_specs(function).items():
        if spec.shape.rank == 0:
            continue
        known = odd.kinds_of(spec.dtype.name, spec.shape.rank - 1)
        values = []
        for _ in range(count):
            good = _good(draw, one, name, spec)
            if good is None or draw.random() < ODD:
                kind = draw.choice([*known])
                good = _good(draw, one, name, spec, or_else=True)
                values.append(known[kind](draw, good))
                kinds.append(f"{name}: {kind}")
            else:
                values.append(good)
        columns[name] = values
    options, sound = {}, True
    for name in scalars_of(function):
        usual, others = odd.OPTIONS[name]
        if draw.random() < 0.12:
            options[name], sound = draw.choice(others), False
            kinds.append(f"{name}={options[name]}")
        else:
            options[name] = draw.choice(usual)
    return Batch(signature, columns, options, tuple(kinds), sound)


def _good(
    draw: random.Random, one: Subject, name: str, spec: tf.TensorSpec, *, or_else: bool = False
) -> Any:
    """Returns a good value of an input; if there is none, None or something of its shape."""
    if one.good.get(name):
        return draw.choice(one.good[name])
    if name == "random_seed":
        return draw.randint(0, odd.INT32)
    shape = [size or 3 for size in spec.shape[1:]]
    if spec.dtype.is_floating and name not in one.good and len(shape) == 1 and spec.shape[1]:
        generator = np.random.default_rng(draw.getrandbits(32))  # a state
        return np.tanh(generator.standard_normal(shape)).astype(np.float32)
    if not or_else:
        return None
    if spec.dtype == tf.string:
        return [b"a"] * 3 if shape else b""
    return np.zeros(shape, spec.dtype.as_numpy_dtype)


def ask(predictor: zoo.Predictor, batch: Batch, rows: Sequence[int] | None = None) -> list[dict]:
    """Asks a predictor for all rows of a batch, or for some."""
    columns = batch.columns
    if rows is not None:
        columns = {name: [values[row] for row in rows] for name, values in columns.items()}
    return predictor.predict(columns, signature=batch.signature, **batch.options)


def problem_of(predictor: zoo.Predictor, batch: Batch, *, alone: bool) -> str | None:
    """Returns what is wrong with a predictor's response to a batch; None if nothing is."""
    began = time.monotonic()
    try:
        answers = ask(predictor, batch)
    except ZooError as error:
        if wrong := wrong_message(error):
            return wrong
        if batch.sound and not _all_refused(predictor, batch):
            return f"refused as a whole: {error}"
        return None
    if time.monotonic() - began > SECONDS:
        return f"took {time.monotonic() - began:.0f} s"
    if len(answers) != batch.rows:
        return f"{len(answers)} answers to {batch.rows} rows"
    for row, answer in enumerate(answers):
        if not finite(answer) and answer.get(VALID, True) is not False:
            return f"row {row} has a NaN and is not marked: {answer}"
        if answer.get(VALID) is False and not answer.get(PROBLEM):
            return f"row {row} has no answer and no reason"
    if alone:
        for row, answer in enumerate(answers):
            try:
                (by_itself,) = ask(predictor, batch, [row])
            except ZooError as error:
                by_itself = {VALID: False, PROBLEM: str(error)}
            if not same(answer, by_itself):
                return f"row {row} is {answer} among others and {by_itself} alone"
    return None


def wrong_message(error: ZooError) -> str | None:
    """Returns what is wrong with a message, which must be one line with short quotations."""
    text = str(error)
    if "\n" in text or len(text) > LONGEST_MESSAGE:
        return f"a message of {len(text)} characters, {text.count(chr(10))} ends of lines"
    return None


def _all_refused(predictor: zoo.Predictor, batch: Batch) -> bool:
    """Whether each row of a batch is also rejected on its own."""
    for row in range(batch.rows):
        try:
            (answer,) = ask(predictor, batch, [row])
        except ZooError:
            continue
        if answer.get(VALID, True):
            return False
    return True


def finite(value: Any) -> bool:
    """Whether all numbers in an answer are finite."""
    if isinstance(value, dict):
        return all(finite(each) for each in value.values())
    if isinstance(value, list):
        return all(finite(each) for each in value)
    return not isinstance(value, float) or math.isfinite(value)


def same(one: Any, other: Any) -> bool:
    """Whether two answers are equal up to rounding and padding; two rejections are equal."""
    if isinstance(one, dict) and isinstance(other, dict):
        if one.get(VALID, True) is False or other.get(VALID, True) is False:
            return one.get(VALID, True) == other.get(VALID, True)
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        one, other = _trimmed(one), _trimmed(other)
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, float) and isinstance(other, float):
        return math.isclose(one, other, rel_tol=CLOSE, abs_tol=CLOSE)
    return bool(one == other)


def _trimmed(values: list) -> list:
    """Returns a list without the padding at its end: "", 0, and lists of nothing else."""
    end = len(values)
    while end and (not values[end - 1] or _is_padding(values[end - 1])):
        end -= 1
    return values[:end]


def _is_padding(value: Any) -> bool:
    return isinstance(value, list) and not _trimmed(value)


def draw_wrong(draw: random.Random, one: Subject) -> tuple[str, Callable[[zoo.Predictor], Any]]:
    """Draws a call of `predict` that is wrong: its kind, and the call."""
    signature = draw.choice([*one.predictors[0].signatures])
    options = {name: odd.OPTIONS[name][0][0] for name in scalars_of(_function(one, signature))}
    kind = draw.choice([*odd.WRONG, "a wrong batch size", "an unknown signature", "wrong options"])
    if kind in odd.WRONG:
        value = odd.WRONG[kind](draw, None)
        names = [name for name in input_specs(_function(one, signature)) if name not in options]
        if draw.random() < 0.5 and kind not in ("no inputs", "an unknown input"):
            value = dict.fromkeys(names, value)
        return kind, lambda p: p.predict(value, signature=signature, **options)
    batch = draw_batch(draw, one, _function(one, signature), signature)
    changed: dict[str, Any] = {"signature": signature, **options}
    if kind == "a wrong batch size":
        changed["batch_size"] = draw.choice([0, -1, 2.5, "3", None, True])
    elif kind == "an unknown signature":
        changed["signature"] = draw.choice(["x" * 9999, "", None, 5])
    else:
        changed[draw.choice([*options, "beem"])] = draw.choice(["5", None, [1], 2**40, object()])
    return kind, lambda p: p.predict(batch.columns, **changed)


def problem_of_wrong(call: Callable[[zoo.Predictor], Any], predictor: zoo.Predictor) -> str | None:
    """Returns what is wrong with the response to a wrong call; answers and our errors are fine."""
    try:
        answers = call(predictor)
    except ZooError as error:
        return wrong_message(error)
    unmarked = [each for each in answers if not finite(each) and each.get(VALID, True)]
    return f"a NaN that is not marked: {unmarked[0]}" if unmarked else None


def _function(one: Subject, signature: str) -> Any:
    return one.predictors[0].signatures[signature]


# Raw signatures, as a client of a server calls them.

RAW_ERRORS = (tf.errors.InvalidArgumentError, TypeError, ValueError)


def problem_of_raw(
    draw: random.Random, one: Subject, signature: str, *, alone: bool
) -> tuple[str, str | None]:
    """Calls a signature of the SavedModel itself.

    Returns:
      The kind of the batch, and what is wrong with the response.
    """
    function = one.module.signatures[signature]
    batch = draw_batch(draw, one, function, signature)
    specs = {k: s for k, s in input_specs(function).items() if s.shape.rank}
    inputs = _rectangular(draw, batch, specs)
    options = {name: tf.constant(value, input_specs(function)[name].dtype)
               for name, value in batch.options.items()}  # fmt: skip
    if draw.random() < 0.08:
        kind, changed = _mistyped(draw, {**inputs, **options})
        with contextlib.suppress(*RAW_ERRORS):
            function(**changed)
        return kind, None
    sound = batch.sound and signature != "step"  # whose ids and states come from others
    kind = "raw" if sound else "raw, odd options or states"
    try:
        outputs = {k: v.numpy() for k, v in function(**inputs, **options).items()}
    except tf.errors.InvalidArgumentError as error:
        if sound:
            return kind, f"refused as a whole: {error.message[:300]}"
        known = signature == "step" or "assertion failed" in error.message
        return kind, None if known else error.message[:300]
    if signature == "step":
        return kind, None
    valid = outputs.get(VALID, np.ones([batch.rows], bool))
    for name, value in outputs.items():
        if len(value) != batch.rows:
            return kind, f"{name} has {len(value)} rows, not {batch.rows}"
        if value.dtype.kind == "f":
            unmarked = ~_row(np.isfinite(value)) & _row(valid)
            if unmarked.any():
                return kind, f"{name} of row {unmarked.argmax()} is not finite and not marked"
    if alone:
        for row in range(batch.rows):
            found = function(**{k: v[row : row + 1] for k, v in inputs.items()}, **options)
            for name, value in found.items():
                if _row(valid)[row] and not _near(value.numpy()[0], outputs[name][row]):
                    return kind, f"{name} of row {row} is another one alone"
    return kind, None


def _row(values: np.ndarray) -> np.ndarray:
    """Returns which rows are True everywhere, bool `(rows,)`."""
    return np.asarray(values.all(axis=tuple(range(1, values.ndim))))


def _near(one: np.ndarray, other: np.ndarray) -> bool:
    """Whether outputs of a row are equal up to rounding and padding."""
    one, other = np.asarray(one), np.asarray(other)
    inside = tuple(slice(min(sizes)) for sizes in zip(one.shape, other.shape, strict=True))
    if one.dtype.kind == "f":
        return np.allclose(one[inside], other[inside], rtol=CLOSE, atol=CLOSE, equal_nan=True)
    return bool(np.all(one[inside] == other[inside]))


def _rectangular(
    draw: random.Random, batch: Batch, specs: Mapping[str, tf.TensorSpec]
) -> dict[str, tf.Tensor]:
    """Returns a batch as tensors; series and their lengths need not fit together."""
    series = [n for n, s in specs.items() if s.shape.rank == 2 and s.dtype.is_floating]
    columns = {name: list(values) for name, values in batch.columns.items()}
    for name in series:
        if specs[name].shape[1]:  # a state
            size = specs[name].shape[1]
            columns[name] = [_fitted(value, size) for value in columns[name]]
    if LENGTH in specs and series and draw.random() < 0.7:
        columns.pop(LENGTH)
    if not batch.rows:
        return {
            name: tf.zeros(
                [0, *(size or draw.choice([0, 5]) for size in spec.shape[1:])], spec.dtype
            )
            for name, spec in specs.items()
        }
    with np.errstate(over="ignore", under="ignore"):
        found = tensors(columns, specs)
    variable = [name for name in series if not specs[name].shape[1]]
    if len(variable) > 1:  # of one series: their axis is one
        longest = max(found[name].shape[1] for name in variable)
        for name in variable:
            found[name] = tf.pad(found[name], [[0, 0], [0, longest - found[name].shape[1]]])
    return found


def _fitted(value: Any, size: int) -> np.ndarray:
    with np.errstate(over="ignore"):
        array = np.asarray(value, np.float32)
    array = np.nan_to_num(array.reshape(-1)[:size], posinf=1, neginf=-1)
    return np.clip(np.pad(array, (0, size - len(array))), -1, 1)


def _mistyped(draw: random.Random, inputs: dict[str, tf.Tensor]) -> tuple[str, dict[str, Any]]:
    """Makes inputs of wrong types, ranks or names."""
    name = draw.choice([*inputs])
    value = inputs[name]
    ways: dict[str, Any] = {
        "a wrong type": tf.zeros(
            tf.shape(value), tf.float64 if value.dtype != tf.float64 else tf.int8
        ),
        "too few axes": tf.zeros([], value.dtype),
        "too many axes": value[None],
        "other rows": tf.concat([value, value[:1]], 0) if value.shape.rank else value,
    }
    kind = draw.choice([*ways, "a missing input", "an unknown input"])
    if kind in ways:
        return f"raw, {kind}", {**inputs, name: ways[kind]}
    if kind == "a missing input":
        return f"raw, {kind}", {k: v for k, v in inputs.items() if k != name}
    return f"raw, {kind}", {**inputs, "nonsense": tf.zeros([1])}


def attack_batches(
    shares: Mapping[str, float],
    count: int,
    seed: int,
    folder: Path,
    log: Callable[[str], None],
    *,
    jobs: int = 1,
) -> dict[str, Any]:
    """Sends odd batches to models, each in a separate process.

    Args:
      shares: names of packed models, to their shares of the batches.
      count: batches, of all models together, about.
      seed: of what is drawn.
      folder: to work in.
      log: called with a line a model.
      jobs: processes at a time.

    Returns:
      Counts by model and kind, and the failures; a process that ends is one.
    """

    def ask_one(item: tuple[str, float]) -> dict[str, Any]:
        name, part = item
        share = math.ceil(count * part / sum(shares.values()))
        place = folder / name
        place.mkdir(parents=True)
        code = (__name__, name, str(share), str(seed), str(place))
        done = subprocess.run([sys.executable, "-m", *code], capture_output=True, text=True)
        if done.returncode:
            problem = f"ended with {done.returncode}: {done.stderr.strip()[-500:]}"
            found = {"failures": [{"model": name, "kind": "crash", "problem": problem}]}
            result: dict[str, Any] = {"kinds": {}, **found}
        else:
            result = files.read_json(place / "result.json")
        log(f"{name}: {share} batches, {len(result['failures'])} failures")
        return {"model": name, "batches": share, **result}

    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        results = [*pool.map(ask_one, shares.items())]
    kinds: collections.Counter[str] = collections.Counter()
    for result in results:
        kinds.update(result["kinds"])
    return {
        "models": {
            result["model"]: {"batches": result["batches"], "failures": len(result["failures"])}
            for result in results
        },
        "batches": sum(result["batches"] for result in results),
        "kinds": dict(sorted(kinds.items())),
        "failures": [failure for result in results for failure in result["failures"]],
    }


def main(name: str, count: int, seed: int, place: Path) -> None:
    """Attacks one model; writes `result.json` in a folder."""
    failures, kinds = _attack(name, count, random.Random(f"{seed} {name}"), place)
    files.write_json(place / "result.json", {"failures": failures, "kinds": dict(kinds)})


def _attack(
    name: str, count: int, draw: random.Random, folder: Path
) -> tuple[Failures, collections.Counter[str]]:
    one = subject(name, folder)
    kinds: collections.Counter[str] = collections.Counter()
    failures: Failures = []
    kept: list[tuple[zoo.Predictor, Batch]] = []
    signatures = sorted(one.module.signatures)
    predicted = [each for each in signatures if each in one.predictors[0].signatures]
    for number in range(count):
        alone = draw.random() < ALONE
        way = draw.random()
        predictor = draw.choice(one.predictors)
        try:
            if way < 0.4:
                signature = draw.choice(signatures)
                kind, problem = problem_of_raw(draw, one, signature, alone=alone)
                what: Any = signature
            elif way < 0.5:
                kind, call = draw_wrong(draw, one)
                what, kind = kind, "predict, a wrong call"
                problem = problem_of_wrong(call, predictor)
            else:
                signature = draw.choice([each for each in predicted if each != "step"])
                batch = draw_batch(draw, one, predictor.signatures[signature], signature)
                kind, what = "predict" if batch.sound else "predict, odd options", batch.kinds
                problem = problem_of(predictor, batch, alone=alone)
                if batch.sound and len(kept) < 40:
                    kept.append((predictor, batch))
        except Exception as error:
            kind, what = "crash", f"{way:.2f}"
            problem = f"{type(error).__name__}: {str(error)[:500]}"
        kinds[kind] += 1
        if alone:
            kinds["also row by row"] += 1
        if problem:
            failures.append({"model": name, "number": number, "kind": kind, "of": str(what)[:500],
                             "problem": problem[:800]})  # fmt: skip
    failures += _threads(name, kept)
    kinds["in threads, as in turn"] += len(kept)
    return failures, kinds


def _threads(name: str, kept: Sequence[tuple[zoo.Predictor, Batch]]) -> Failures:
    """Sends batches sequentially, and concurrently in threads."""

    def answers(each: tuple[zoo.Predictor, Batch]) -> Any:
        try:
            return ask(*each)
        except ZooError as error:
            return str(error)

    serial = [answers(each) for each in kept]
    with concurrent.futures.ThreadPoolExecutor(THREADS) as pool:
        parallel = [*pool.map(answers, kept)]
    return [
        {"model": name, "number": number, "kind": "threads", "of": str(kept[number][1].kinds)[:500],
         "problem": "another answer in a thread"}
        for number, (one, other) in enumerate(zip(serial, parallel, strict=True))
        if not same(one, other)
    ]  # fmt: skip


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), Path(sys.argv[4]))
