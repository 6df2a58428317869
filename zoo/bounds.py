"""Limits of served functions: large requests, and rows that cannot be answered.

Everything is part of the graph and uses core ops only, so that it works on any server: a text is
truncated before it is split, a large batch is computed in parts, and one bad row does not make the
other rows fail.
"""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any

import tensorflow as tf

ROWS = 256  # maximum rows per part
SIZE = 2**22  # maximum values per part: numbers, or a quarter of a byte of text
BEAM = 4  # hypotheses of a row that count as one row
NOT_FINITE = "Its answer has no finite numbers."

Tensors = Mapping[str, Any]


def named_function(specs: Sequence[tf.TensorSpec]) -> Callable[[Callable[..., Any]], Any]:
    """Returns a decorator to create a `tf.function` whose parameters are named like the specs.

    The function takes their values in order: the inputs depend on the recipe.
    """
    kind = inspect.Parameter.POSITIONAL_OR_KEYWORD

    def wrap(function: Callable[..., Any]) -> Any:
        parameters = [inspect.Parameter(spec.name, kind) for spec in specs]
        function.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        return tf.function(function, input_signature=list(specs), autograph=False)

    return wrap


def parted(
    function: Any,
    check: Callable[[tf.Tensor, Tensors], list[Any]] | None = None,
    tracing: Callable[[], AbstractContextManager] = contextlib.nullcontext,
) -> Any:
    """Wraps a function to compute large batches in parts; an empty batch gives empty outputs.

    A part has at most 256 rows, fewer if they are long: see `ROWS`, `SIZE` and `BEAM`. The result
    for a smaller batch is bit-identical to that of the function itself.

    Args:
      function: a `tf.function` with an `input_signature` of named specs. Scalar inputs are options;
        the first axis of the others is the batch. It returns a dict of tensors with a batch axis.
      check: takes the number of rows and the inputs; returns assertions about the whole batch.
      tracing: returns the context in which the function is traced.

    Returns:
      A `tf.function` with the same inputs and outputs. If parts differ in an axis, such as time,
      they are padded with 0 or "".
    """
    specs = list(function.input_signature)

    @named_function(specs)
    def whole(*values: tf.Tensor) -> dict[str, tf.Tensor]:
        with tracing():
            concrete = function.get_concrete_function()
        outputs = concrete.structured_outputs
        inputs = dict(zip((spec.name for spec in specs), values, strict=True))
        if not isinstance(outputs, Mapping) or not any(value.shape.rank for value in values):
            return function(*values)
        options = {name: value for name, value in inputs.items() if value.shape.rank == 0}
        rows = {name: value for name, value in inputs.items() if name not in options}
        total = tf.shape(next(iter(rows.values())))[0]
        with tf.control_dependencies([] if check is None else check(total, inputs)):
            most = ROWS // tf.clip_by_value(options.get("beam", 1) // BEAM, 1, ROWS)
        return in_parts(lambda part: function(**part, **options), rows, outputs, most)

    return whole


def in_parts(
    function: Callable[[dict[str, tf.Tensor]], Tensors],
    rows: Tensors,
    outputs: Mapping[str, tf.TensorSpec],
    most: int | tf.Tensor = ROWS,
    size: int = SIZE,
) -> dict[str, tf.Tensor]:
    """Applies a function to rows, part by part, within a graph.

    Args:
      function: takes some of the rows; returns a dict of tensors with one row for each.
      rows: tensors `(batch, …)` by name.
      outputs: specs of the function's outputs by name, `(batch, …)` each.
      most: maximum rows per part.
      size: maximum values per part, unless it is a single row.

    Returns:
      The outputs of all rows.
    """
    sizes = tf.add_n([_size(value) for value in rows.values()])
    total = tf.shape(sizes)[0]

    def body(start: tf.Tensor, answers: dict[str, tf.Tensor]) -> tuple[tf.Tensor, Any]:
        fits = tf.cumsum(sizes[start : start + most]) <= size
        end = start + tf.maximum(tf.math.count_nonzero(fits, dtype=tf.int32), 1)
        new = function({name: value[start:end] for name, value in rows.items()})
        return end, {name: _joined(answers[name], new[name]) for name in answers}

    none = {
        name: tf.zeros([0, *(axis or 0 for axis in spec.shape[1:])], spec.dtype)
        for name, spec in outputs.items()
    }
    shapes = {name: tf.TensorShape([None, *spec.shape[1:]]) for name, spec in outputs.items()}
    _, answers = tf.while_loop(
        lambda start, _: start < total,
        body,
        (tf.constant(0), none),
        shape_invariants=(tf.TensorShape([]), shapes),
        parallel_iterations=1,
    )
    return answers


def _size(value: tf.Tensor) -> tf.Tensor:
    """Returns the number of values of each row, int64 `(batch,)`."""
    shape = tf.shape(value, tf.int64)
    count = tf.reduce_prod(shape[1:])
    if value.dtype != tf.string:
        return tf.fill(shape[:1], count)
    bytes_of = tf.cast(tf.strings.length(value), tf.int64)
    return 4 * (tf.reduce_sum(bytes_of, axis=list(range(1, value.shape.rank))) + count)


def _joined(one: tf.Tensor, other: tf.Tensor) -> tf.Tensor:
    """Concatenates rows, and pads the shorter ones."""
    if tf.executing_eagerly():  # all axes are static there, even without rows
        one = one if one.shape[0] else tf.zeros([0, *other.shape[1:]], other.dtype)
    elif one.shape[1:].is_fully_defined():
        return tf.concat([one, other], axis=0)
    sizes = [tf.shape(part)[1:] for part in (one, other)]
    filled = [
        tf.pad(part, tf.pad(tf.maximum(*sizes) - size, [[1, 0]])[:, tf.newaxis] * [[0, 1]])
        for part, size in zip((one, other), sizes, strict=True)
    ]
    joined = tf.concat(filled, axis=0)
    if tf.executing_eagerly():
        return joined
    return tf.ensure_shape(joined, [None, *one.shape[1:]])


def first_bytes(text: tf.Tensor, limit: int) -> tf.Tensor:
    """Truncates texts to `limit` bytes, never within a character.

    Args:
      text: string of any shape.
      limit: less than 4 counts as 4.
    """
    limit = max(limit, 4)
    over = tf.strings.length(text) > limit
    around = tf.where(over, text, "0000")
    place = tf.where(over, limit - 3, 0)
    four = tf.strings.substr(around, place, tf.fill(tf.shape(place), 4))
    codes = tf.io.decode_raw(four, tf.uint8)  # (…, 4)
    inner = tf.cast(codes & 0xC0 == 0x80, tf.int32)  # a continuation byte
    back = tf.reduce_sum(tf.math.cumprod(inner, axis=-1, reverse=True), axis=-1)
    kept = limit - tf.where(back < 4, back, 0)
    return tf.strings.substr(text, tf.zeros_like(kept), kept)


def last_bytes(text: tf.Tensor, limit: int) -> tf.Tensor:
    """Returns the last `limit` bytes of texts; the first byte may be within a character."""
    skipped = tf.maximum(tf.strings.length(text) - limit, 0)
    return tf.strings.substr(text, skipped, tf.fill(tf.shape(skipped), limit))


def beyond(values: tf.Tensor, limit: float) -> tf.Tensor:
    """Returns which numbers are not from `-limit` to `limit`, including NaN, bool."""
    # TensorFlow rewrites `not (a <= b)` as `a > b`, which is False for NaN.
    return tf.math.is_nan(values) | (tf.abs(values) > limit)


def problems(*checks: tuple[tf.Tensor, Any]) -> tf.Tensor:
    """Returns the first problem of each row, string, "" for rows without one.

    Args:
      *checks: pairs: which rows have a problem, bool `(batch,)`, and its description: a sentence
        without its full stop, which is added; one for all rows, or one per row.
    """
    problem = tf.fill(tf.shape(checks[0][0]), "")
    for wrong, text in reversed(checks):
        problem = tf.where(wrong, tf.strings.join([text, "."]), problem)
    return problem


def marked(outputs: Tensors, problem: tf.Tensor) -> dict[str, tf.Tensor]:
    """Returns outputs that mark which rows have an answer.

    A row with non-finite numbers, such as prices beyond float32, has no answer either.

    Args:
      outputs: tensors by name; the first axes of each are those of `problem`.
      problem: of `problems`, string `(batch,)`; or `(batch, answers)` if a row has several answers.

    Returns:
      The outputs, replaced by NaN, "", 0 or False where there is a problem; and `valid`, bool, and
      `problem`, both of the shape of the argument `problem`.
    """
    finite = tf.ones_like(problem, tf.bool)
    for value in outputs.values():
        if value.dtype.is_floating:
            axes = list(range(problem.shape.rank, value.shape.rank))
            finite &= tf.reduce_all(tf.math.is_finite(value), axis=axes)
    problem = tf.where(finite | tf.not_equal(problem, ""), problem, NOT_FINITE)
    valid = tf.equal(problem, "")

    def blank(value: tf.Tensor) -> tf.Tensor:
        axes = value.shape.rank - problem.shape.rank
        shape = tf.concat([tf.shape(valid), tf.ones([axes], tf.int32)], axis=0)
        nothing = tf.constant(float("nan"), value.dtype) if value.dtype.is_floating else None
        nothing = tf.zeros([], value.dtype) if nothing is None else nothing
        return tf.where(tf.reshape(valid, shape), value, nothing)

    return {
        **{name: blank(value) for name, value in outputs.items()},
        "valid": valid,
        "problem": problem,
    }
