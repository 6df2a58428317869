"""Converts JSON to arrays and back, in the formats of TF Serving's REST API.

A request has `instances`, a list of rows, or `inputs`, columns; its answer has `predictions` or
`outputs`. The behaviour follows `util/json_tensor.cc` of TF Serving.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Any

import numpy as np

from zoo.errors import quoted, shortened
from zoo.server.status import invalid
from zoo.server.tensors import TensorInfo

MAX_AXES = 8
MAX_LISTS, MAX_VALUES = 2**18, 2**22  # per body
B64 = "b64"
_EXACT = {"float16": 2**11, "bfloat16": 2**8, "float32": 2**24, "float64": 2**53}


def parse(body: bytes) -> dict[str, Any]:
    """Returns the JSON object in a body; NaN, Infinity and -Infinity are accepted as numbers.

    Raises:
      Refused: the body is not a JSON object.
    """
    if not body.strip():
        raise invalid("JSON Parse error: the body is empty. Send a JSON object.")
    # Nested lists need ten times more memory than their text.
    if (
        body.count(b"[") > MAX_LISTS
        or body.count(b",") > MAX_VALUES
        or body.count(b"{") > MAX_LISTS
    ):
        raise invalid(f"The body has more than {MAX_LISTS:,} lists or {MAX_VALUES:,} values.")
    try:
        value = json.loads(body)
    except (ValueError, RecursionError) as error:  # also invalid UTF-8 and huge integers
        reason = "it is nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise invalid(f"JSON Parse error: {shortened(reason)}.") from None
    if not isinstance(value, dict):
        raise invalid(f"The body must be a JSON object; it is of type {kind(value)}.")
    return value


def kind(value: Any) -> str:
    """Returns the JSON name of the type of a value."""
    names = {bool: "Boolean", str: "String", list: "Array", dict: "Object", type(None): "Null"}
    return names.get(type(value), "Number")


def signature_of(request: Mapping[str, Any]) -> str:
    """Returns the `signature_name` of a request, empty if it has none."""
    name = request.get("signature_name", "")
    if not isinstance(name, str):
        raise invalid("'signature_name' must be a string value.")
    return name


def read_request(
    request: Mapping[str, Any], inputs: Mapping[str, TensorInfo]
) -> tuple[dict[str, np.ndarray], bool]:
    """Reads the tensors of a request.

    Args:
      request: the JSON object.
      inputs: the inputs of the signature, by name.

    Returns:
      The tensors by name, and whether the request has the row format (`instances`).

    Raises:
      Refused: it has neither or both of `instances` and `inputs`, or they do not match.
    """
    by_row, by_column = "instances" in request, "inputs" in request
    if by_row == by_column:
        if by_row:
            raise invalid("Not formatted correctly: give 'instances' or 'inputs', not both.")
        raise invalid("Missing 'inputs' or 'instances' key")
    if by_row:
        return _rows(request["instances"], inputs), True
    value = request["inputs"]
    if isinstance(value, dict) and not is_b64(value):
        if value.keys() != inputs.keys():
            raise _keys("'inputs'", value, inputs)
        columns = value
    elif len(inputs) == 1:
        columns = {next(iter(inputs)): value}
    else:
        raise invalid(
            f"'inputs' must be an object with the keys {', '.join(inputs)}; it is of type "
            f"{kind(value)}."
        )
    return {name: array_of(columns[name], name, info) for name, info in inputs.items()}, False


def _rows(rows: Any, inputs: Mapping[str, TensorInfo]) -> dict[str, np.ndarray]:
    if not isinstance(rows, list):
        raise invalid(f"'instances' must be a list of rows; it is of type {kind(rows)}.")
    if not rows:
        raise invalid("'instances' is an empty list. Give at least one row.")
    if not _is_object(rows[0]):
        if len(inputs) != 1:
            raise invalid(
                f"'instances' is a plain list, but the inputs are {', '.join(inputs)}: each row "
                "must be an object with these keys."
            )
        if any(map(_is_object, rows)):
            place = next(place for place, row in enumerate(rows) if _is_object(row))
            raise invalid(f"Expecting value/list but got object at row {place} of 'instances'.")
        (name, info) = next(iter(inputs.items()))
        return {name: _rows_of(rows, name, info)}
    for place, row in enumerate(rows):
        if not _is_object(row):
            raise invalid(
                f"Expecting object but got {'list' if isinstance(row, list) else 'value'} at row "
                f"{place} of 'instances'."
            )
        if row.keys() != inputs.keys():
            raise _keys(f"Row {place} of 'instances'", row, inputs)
    return {
        name: _rows_of([row[name] for row in rows], name, info) for name, info in inputs.items()
    }


def _rows_of(values: list, name: str, info: TensorInfo) -> np.ndarray:
    """Reads one input of all rows; an input without axes must be the same in all rows."""
    if info.rank != 0:
        return array_of(values, name, info)
    arrays = [array_of(value, name, info) for value in values]
    if any(not np.array_equal(arrays[0], other) for other in arrays):
        raise invalid(f"{quoted(name)} is an option: it must be the same in all rows.")
    return arrays[0]


def _keys(where: str, row: Mapping[str, Any], inputs: Mapping[str, TensorInfo]) -> Exception:
    return invalid(
        f"{where} must have the keys {', '.join(sorted(inputs))}; it has "
        f"{shortened(', '.join(sorted(row))) or 'none'}."
    )


def _is_object(value: Any) -> bool:
    return isinstance(value, dict) and not is_b64(value)


def is_b64(value: Any) -> bool:
    """Whether a JSON value represents bytes: `{"b64": "…"}`."""
    return isinstance(value, dict) and len(value) == 1 and B64 in value


def array_of(value: Any, name: str, info: TensorInfo) -> np.ndarray:
    """Converts nested lists to an array.

    Args:
      value: the JSON value.
      name: name of the input, for messages.
      info: its type.

    Raises:
      Refused: lists of unequal length or depth, or a value of another type.
    """
    shape: list[int] = []
    level = [value]
    while (types := set(map(type, level))) and list in types:
        if types != {list}:
            wrong = next(each for each in level if not isinstance(each, list))
            raise invalid(
                f"Input {quoted(name)}: Expecting shape with {len(shape) + 1} axes at least, got "
                f"a value of type {kind(wrong)} beside lists."
            )
        sizes = list(map(len, level))
        if len(set(sizes)) > 1:
            wrong_size = next(size for size in sizes if size != sizes[0])
            raise invalid(
                f"Encountered list at unexpected size: {wrong_size} at level: {len(shape)} "
                f"expected size: {sizes[0]} (input {quoted(name)}; Expecting tensor size to be "
                "the same in all rows)."
            )
        shape.append(sizes[0])
        if len(shape) > MAX_AXES:
            raise invalid(f"Input {quoted(name)} has more than {MAX_AXES} axes.")
        level = list(chain.from_iterable(level))
    return _flat(level, types, name, info).reshape(shape)


def _flat(values: list, types: set[type], name: str, info: TensorInfo) -> np.ndarray:
    dtype = info.dtype
    if dtype == "string":
        if types <= {str}:
            flat = [_encoded(each) for each in values]
        else:
            flat = [_bytes_of(each, dtype) for each in values]
        array = np.empty(len(flat), object)
        array[:] = flat
        return array
    if dtype == "bool":
        allowed: set[type] = {bool}
    elif dtype.startswith(("int", "uint")):
        allowed = {int}
    elif dtype in _EXACT:
        allowed = {int, float}
    else:
        raise invalid(f"Input {quoted(name)} is of type {dtype}, which JSON cannot represent.")
    if types - allowed:
        raise _wrong_type(next(each for each in values if type(each) not in allowed), dtype)
    numpy = info.numpy
    try:
        if dtype in _EXACT:
            if int in types and any(
                type(each) is int and abs(each) > _EXACT[dtype] for each in values
            ):
                raise invalid(f"Input {quoted(name)}: loss of precision of a value as {dtype}.")
            doubles = np.array(values, np.float64)
            with np.errstate(over="ignore"):
                array = doubles.astype(numpy)
            if np.any(np.isinf(array) & ~np.isinf(doubles)):
                raise invalid(f"Input {quoted(name)}: loss of precision of a value as {dtype}.")
            return array
        if dtype != "bool" and values:
            bounds = np.iinfo(numpy)  # NumPy 1.26 would wrap other values around
            if min(values) < bounds.min or max(values) > bounds.max:
                raise OverflowError
        return np.array(values, numpy)
    except OverflowError:
        raise invalid(f"Input {quoted(name)}: a value is out of the range of {dtype}.") from None


def _wrong_type(value: Any, dtype: str) -> Exception:
    try:
        shown = json.dumps(value)
    except ValueError:  # an integer with more digits than Python prints
        shown = "…"
    return invalid(
        f"JSON Value: {shortened(shown)} Type: {kind(value)} is not of expected type: {dtype}"
    )


def _encoded(text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError:
        raise invalid("A text has half of a surrogate pair. Send whole characters.") from None


def _bytes_of(value: Any, dtype: str) -> bytes:
    if isinstance(value, str):
        return _encoded(value)
    if not is_b64(value):
        raise _wrong_type(value, dtype)
    text = value[B64]
    if not isinstance(text, str):
        raise _wrong_type(text, dtype)
    try:  # padding may be missing; both alphabets are accepted
        text = text.replace("-", "+").replace("_", "/")
        return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError):
        raise invalid(f"{quoted(text)} is not base64.") from None


def write_answer(outputs: Mapping[str, np.ndarray], by_row: bool) -> bytes:
    """Returns the JSON of an answer.

    Args:
      outputs: tensors by name.
      by_row: whether the request has the row format; the first axis of each tensor is then the row.

    Raises:
      Refused: the outputs differ in their number of rows.
    """
    tokens = {name: _nested(name, np.asarray(outputs[name])) for name in sorted(outputs)}
    if not by_row:
        if len(tokens) == 1:
            return f'{{"outputs": {_joined(*tokens.values())}}}'.encode()
        columns = ", ".join(f"{json.dumps(name)}: {_joined(t)}" for name, t in tokens.items())
        return f'{{"outputs": {{{columns}}}}}'.encode()
    sizes = {name: len(rows) if isinstance(rows, list) else None for name, rows in tokens.items()}
    if None in sizes.values() or len(set(sizes.values())) != 1:
        raise invalid(
            f"The outputs have not one value a row ({', '.join(map(str, sizes))}): ask with "
            "'inputs', by columns."
        )
    if len(tokens) == 1:
        return f'{{"predictions": {_joined(*tokens.values())}}}'.encode()
    keys = [json.dumps(name) for name in tokens]
    rows = [
        "{"
        + ", ".join(f"{key}: {_joined(part)}" for key, part in zip(keys, row, strict=True))
        + "}"
        for row in zip(*tokens.values(), strict=True)
    ]
    return f'{{"predictions": [{", ".join(rows)}]}}'.encode()


def _nested(name: str, array: np.ndarray) -> Any:
    """Returns nested lists of values in JSON notation; one text for an array without axes."""
    flat = texts_of(array.ravel(), name.endswith("_bytes"))
    level: list = flat
    for axis in reversed(array.shape[1:]):
        level = [level[i : i + axis] for i in range(0, len(level), axis)] if axis else []
    if 0 in array.shape[1:]:
        return _empty(array.shape)
    return level if array.ndim else flat[0]


def _empty(shape: Sequence[int]) -> list:
    return [_empty(shape[1:]) if len(shape) > 1 else "" for _ in range(shape[0])]


def _joined(value: Any) -> str:
    if isinstance(value, str):
        return value
    return "[" + ", ".join(map(_joined, value)) + "]"


def texts_of(flat: np.ndarray, as_bytes: bool = False) -> list[str]:
    """Returns the JSON notation of each value of a 1-D array."""
    if flat.dtype.kind == "f":
        return [_float_text(text) for text in flat.astype(str).tolist()]
    if flat.dtype.kind == "b":
        return ["true" if value else "false" for value in flat.tolist()]
    if flat.dtype.kind in "iu":
        return list(map(str, flat.tolist()))
    if flat.dtype.kind not in "OSU":
        raise invalid(f"An output is of type {flat.dtype}, which JSON cannot represent.")
    if as_bytes:
        encoded = (base64.b64encode(value).decode() for value in flat.tolist())
        return [f'{{"{B64}": "{text}"}}' for text in encoded]
    texts = (v.decode(errors="replace") if isinstance(v, bytes) else v for v in flat.tolist())
    return [json.dumps(text, ensure_ascii=False) for text in texts]


_SPECIAL = {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}


def _float_text(text: str) -> str:
    return _SPECIAL.get(text, text)
