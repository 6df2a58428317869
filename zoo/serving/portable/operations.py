"""Conversion of TensorFlow operations to ONNX, opset 18.

Each entry of `OPERATIONS` takes a `Writer` and a `tf.Operation`, adds nodes, and returns the names
of the outputs. They cover networks built from `keras.ops`; more can be added.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from zoo.errors import ZooError
from zoo.serving.portable.writer import Writer

Operation = Callable[[Writer, tf.Operation], "str | list[str]"]

# Operations with the same inputs in ONNX, and one output.
SAME = {
    "Abs": "Abs", "Add": "Add", "AddV2": "Add", "BiasAdd": "Add", "Ceil": "Ceil",
    "Div": "Div", "Equal": "Equal", "Erf": "Erf", "Exp": "Exp", "Floor": "Floor",
    "Greater": "Greater", "GreaterEqual": "GreaterOrEqual", "Identity": "Identity",
    "IsNan": "IsNaN", "Less": "Less", "LessEqual": "LessOrEqual", "Log": "Log",
    "LogicalAnd": "And", "LogicalNot": "Not", "LogicalOr": "Or", "Maximum": "Max",
    "Minimum": "Min", "Mul": "Mul", "Neg": "Neg", "Pow": "Pow", "PreventGradient": "Identity",
    "RealDiv": "Div", "Reciprocal": "Reciprocal", "Relu": "Relu", "Round": "Round",
    "SelectV2": "Where", "Sigmoid": "Sigmoid", "Sign": "Sign", "Softplus": "Softplus",
    "Sqrt": "Sqrt", "StopGradient": "Identity", "Sub": "Sub", "Tanh": "Tanh",
}  # fmt: skip
REDUCTIONS = {
    "Max": "ReduceMax", "Mean": "ReduceMean", "Min": "ReduceMin", "Prod": "ReduceProd",
    "Sum": "ReduceSum",
}  # fmt: skip


def _same(kind: str) -> Operation:
    return lambda writer, op: writer.add(kind, [writer.name_of(t) for t in op.inputs])


def _reduction(kind: str) -> Operation:
    def reduce(writer: Writer, op: tf.Operation) -> str:
        axes = writer.integers(*_integers(op.inputs[1]))
        return writer.add(
            kind, [writer.name_of(op.inputs[0]), axes], keepdims=int(op.get_attr("keep_dims"))
        )

    return reduce


OPERATIONS: dict[str, Operation] = {
    **{name: _same(kind) for name, kind in SAME.items()},
    **{name: _reduction(kind) for name, kind in REDUCTIONS.items()},
}


def _operation(*names: str) -> Callable[[Operation], Operation]:
    def register(function: Operation) -> Operation:
        OPERATIONS.update(dict.fromkeys(names, function))
        return function

    return register


def _static(tensor: tf.Tensor) -> Any:
    """Returns the value of a tensor that does not depend on the input."""
    value = tf.get_static_value(tensor)
    if value is None:
        raise ZooError(f"{tensor.op.name} depends on the input, which ONNX does not allow here.")
    return value


def _integers(tensor: tf.Tensor) -> list[int]:
    return [int(value) for value in np.reshape(_static(tensor), -1)]


def _long(writer: Writer, tensor: tf.Tensor) -> str:
    """Returns the name of an integer tensor as int64, the type of shapes and indices in ONNX."""
    value = tf.get_static_value(tensor)
    if value is not None:
        return writer.constant(np.asarray(value, "int64"))
    return writer.add("Cast", [writer.name_of(tensor)], to=writer.type_of("int64"))


@_operation("ReadVariableOp")
def _read(writer: Writer, op: tf.Operation) -> str:
    return writer.variable(op.inputs[0])


@_operation("ResourceGather")
def _gather_variable(writer: Writer, op: tf.Operation) -> str:
    return writer.add("Gather", [writer.variable(op.inputs[0]), writer.name_of(op.inputs[1])])


@_operation("GatherV2")
def _gather(writer: Writer, op: tf.Operation) -> str:
    values, places, axis = op.inputs
    names = [writer.name_of(values), writer.name_of(places)]
    if batch := op.get_attr("batch_dims"):  # gathers values of each row
        if int(_static(axis)) != batch:
            raise ZooError(f"{op.name} takes values of each row, which is not written yet.")
        at = writer.add("Cast", [names[1]], to=writer.type_of("int64"))
        at = writer.add("Unsqueeze", [at, writer.integers(-1)])
        return writer.add("GatherND", [names[0], at], batch_dims=batch)
    return writer.add("Gather", names, axis=int(_static(axis)))


@_operation("MatMul", "BatchMatMulV2")
def _matmul(writer: Writer, op: tf.Operation) -> str:
    flags = ("transpose_a", "transpose_b") if op.type == "MatMul" else ("adj_x", "adj_y")
    names = []
    for tensor, flag in zip(op.inputs, flags, strict=True):
        name = writer.name_of(tensor)
        if op.get_attr(flag):
            order = [*range(tensor.shape.rank)]
            order[-2:] = reversed(order[-2:])
            name = writer.add("Transpose", [name], perm=order)
        names.append(name)
    return writer.add("MatMul", names)


@_operation("FloorDiv")
def _floor_division(writer: Writer, op: tf.Operation) -> str:
    """Writes a floor division; ONNX rounds integer quotients towards 0."""
    numbers = [writer.name_of(tensor) for tensor in op.inputs]
    if op.inputs[0].dtype.is_integer:
        double = writer.type_of("float64")
        numbers = [writer.add("Cast", [name], to=double) for name in numbers]
    floor = writer.add("Floor", [writer.add("Div", numbers)])
    return writer.add("Cast", [floor], to=writer.type_of(op.outputs[0].dtype))


@_operation("Einsum")
def _einsum(writer: Writer, op: tf.Operation) -> str:
    equation = op.get_attr("equation").decode()
    return writer.add("Einsum", [writer.name_of(t) for t in op.inputs], equation=equation)


@_operation("Conv2D")
def _convolution(writer: Writer, op: tf.Operation) -> str:
    """Writes a convolution of channels-last images; ONNX images are channels-first."""
    if op.get_attr("padding") == b"EXPLICIT" or op.get_attr("data_format") != b"NHWC":
        raise ZooError(f"{op.name}: this kind of convolution is not written yet.")
    image, kernel = (writer.name_of(t) for t in op.inputs)
    result = writer.add(
        "Conv",
        [
            writer.add("Transpose", [image], perm=[0, 3, 1, 2]),
            writer.add("Transpose", [kernel], perm=[3, 2, 0, 1]),
        ],
        auto_pad="SAME_UPPER" if op.get_attr("padding") == b"SAME" else "VALID",
        strides=op.get_attr("strides")[1:3],
        dilations=op.get_attr("dilations")[1:3],
    )
    return writer.add("Transpose", [result], perm=[0, 2, 3, 1])


@_operation("Softmax", "LogSoftmax")
def _softmax(writer: Writer, op: tf.Operation) -> str:
    return writer.add(op.type, [writer.name_of(op.inputs[0])], axis=-1)


@_operation("Rsqrt")
def _rsqrt(writer: Writer, op: tf.Operation) -> str:
    return writer.add("Reciprocal", [writer.add("Sqrt", [writer.name_of(op.inputs[0])])])


@_operation("Square")
def _square(writer: Writer, op: tf.Operation) -> str:
    return writer.add("Mul", [writer.name_of(op.inputs[0])] * 2)


@_operation("SquaredDifference")
def _squared_difference(writer: Writer, op: tf.Operation) -> str:
    difference = writer.add("Sub", [writer.name_of(t) for t in op.inputs])
    return writer.add("Mul", [difference] * 2)


@_operation("Log1p", "Expm1")
def _near_one(writer: Writer, op: tf.Operation) -> str:
    one = writer.constant(np.ones((), op.inputs[0].dtype.as_numpy_dtype))
    name = writer.name_of(op.inputs[0])
    if op.type == "Log1p":
        return writer.add("Log", [writer.add("Add", [name, one])])
    return writer.add("Sub", [writer.add("Exp", [name]), one])


@_operation("FloorMod")
def _floor_mod(writer: Writer, op: tf.Operation) -> str:
    """Writes the remainder with the sign of the divisor; ONNX has it for integers only."""
    if op.inputs[0].dtype.is_floating:
        raise ZooError(f"{op.name}: a remainder of floats is not written yet.")
    return writer.add("Mod", [writer.name_of(t) for t in op.inputs])


@_operation("NotEqual")
def _not_equal(writer: Writer, op: tf.Operation) -> str:
    return writer.add("Not", [writer.add("Equal", [writer.name_of(t) for t in op.inputs])])


@_operation("Any", "All")
def _any(writer: Writer, op: tf.Operation) -> str:
    """Writes the maximum ("Any") or minimum ("All") of zeros and ones."""
    numbers = writer.add("Cast", [writer.name_of(op.inputs[0])], to=writer.type_of("int32"))
    kind = "ReduceMax" if op.type == "Any" else "ReduceMin"
    axes = writer.integers(*_integers(op.inputs[1]))
    found = writer.add(kind, [numbers, axes], keepdims=int(op.get_attr("keep_dims")))
    return writer.add("Cast", [found], to=writer.type_of("bool"))


@_operation("ArgMax", "ArgMin")
def _argmax(writer: Writer, op: tf.Operation) -> str:
    axis = int(_static(op.inputs[1]))
    name = writer.add(op.type, [writer.name_of(op.inputs[0])], axis=axis, keepdims=0)
    return writer.add("Cast", [name], to=writer.type_of(op.outputs[0].dtype))


@_operation("Cast")
def _cast(writer: Writer, op: tf.Operation) -> str:
    to = writer.type_of(op.outputs[0].dtype)
    return writer.add("Cast", [writer.name_of(op.inputs[0])], to=to)


@_operation("Shape")
def _shape(writer: Writer, op: tf.Operation) -> str:
    shape = writer.add("Shape", [writer.name_of(op.inputs[0])])
    return writer.add("Cast", [shape], to=writer.type_of(op.outputs[0].dtype))


@_operation("Reshape")
def _reshape(writer: Writer, op: tf.Operation) -> str:
    return writer.add("Reshape", [writer.name_of(op.inputs[0]), _long(writer, op.inputs[1])])


@_operation("Transpose")
def _transpose(writer: Writer, op: tf.Operation) -> str:
    return writer.add("Transpose", [writer.name_of(op.inputs[0])], perm=_integers(op.inputs[1]))


@_operation("ExpandDims")
def _expand(writer: Writer, op: tf.Operation) -> str:
    axes = writer.integers(*_integers(op.inputs[1]))
    return writer.add("Unsqueeze", [writer.name_of(op.inputs[0]), axes])


@_operation("Squeeze")
def _squeeze(writer: Writer, op: tf.Operation) -> str:
    axes = writer.integers(*op.get_attr("squeeze_dims"))
    return writer.add("Squeeze", [writer.name_of(op.inputs[0]), axes])


@_operation("Pack")
def _pack(writer: Writer, op: tf.Operation) -> str:
    axis = op.get_attr("axis")
    place = writer.integers(axis)
    parts = [writer.add("Unsqueeze", [writer.name_of(t), place]) for t in op.inputs]
    return writer.add("Concat", parts, axis=axis)


@_operation("Unpack")
def _unpack(writer: Writer, op: tf.Operation) -> list[str]:
    name, axis = writer.name_of(op.inputs[0]), op.get_attr("axis")
    places = [writer.constant(np.array(place, "int64")) for place in range(len(op.outputs))]
    return [writer.add("Gather", [name, place], axis=axis) for place in places]


@_operation("ConcatV2")
def _concat(writer: Writer, op: tf.Operation) -> str:
    *parts, axis = op.inputs
    return writer.add("Concat", [writer.name_of(t) for t in parts], axis=int(_static(axis)))


@_operation("Split")
def _split(writer: Writer, op: tf.Operation) -> list[str]:
    axis, values = int(_static(op.inputs[0])), op.inputs[1]
    count = len(op.outputs)
    name = writer.name_of(values)
    return writer.add_several("Split", [name], count, axis=axis, num_outputs=count)


@_operation("SplitV")
def _split_sizes(writer: Writer, op: tf.Operation) -> list[str]:
    values, sizes, axis = op.inputs
    names = [writer.name_of(values), _long(writer, sizes)]
    return writer.add_several("Split", names, len(op.outputs), axis=int(_static(axis)))


@_operation("Tile")
def _tile(writer: Writer, op: tf.Operation) -> str:
    return writer.add("Tile", [writer.name_of(op.inputs[0]), _long(writer, op.inputs[1])])


@_operation("BroadcastTo")
def _broadcast(writer: Writer, op: tf.Operation) -> str:
    return writer.add("Expand", [writer.name_of(op.inputs[0]), _long(writer, op.inputs[1])])


@_operation("Fill")
def _fill(writer: Writer, op: tf.Operation) -> str:
    return writer.add("Expand", [writer.name_of(op.inputs[1]), _long(writer, op.inputs[0])])


@_operation("ZerosLike", "OnesLike")
def _like(writer: Writer, op: tf.Operation) -> str:
    shape = writer.add("Shape", [writer.name_of(op.inputs[0])])
    number = np.full((), op.type == "OnesLike", op.inputs[0].dtype.as_numpy_dtype)
    return writer.add("Expand", [writer.constant(number), shape])


@_operation("Range")
def _range(writer: Writer, op: tf.Operation) -> str:
    return writer.add("Range", [writer.name_of(t) for t in op.inputs])


@_operation("OneHot")
def _one_hot(writer: Writer, op: tf.Operation) -> str:
    places, depth, on, off = op.inputs
    place, size = writer.name_of(places), _long(writer, depth)
    one = writer.integers(1)
    size = writer.add("Reshape", [size, one])
    ends = [writer.add("Reshape", [writer.name_of(t), one]) for t in (off, on)]
    values = writer.add("Concat", ends, axis=0)
    place = writer.add("Cast", [place], to=writer.type_of("int64"))
    return writer.add("OneHot", [place, size, values], axis=op.get_attr("axis"))


@_operation("Cumsum")
def _cumsum(writer: Writer, op: tf.Operation) -> str:
    return writer.add(
        "CumSum",
        [writer.name_of(op.inputs[0]), _long(writer, op.inputs[1])],
        exclusive=int(op.get_attr("exclusive")),
        reverse=int(op.get_attr("reverse")),
    )


@_operation("Pad", "PadV2")
def _pad(writer: Writer, op: tf.Operation) -> str:
    """Writes a padding; ONNX lists the paddings before all axes, then those after all axes."""
    names = [writer.name_of(op.inputs[0])]
    turned = writer.add("Transpose", [_long(writer, op.inputs[1])], perm=[1, 0])
    names.append(writer.add("Reshape", [turned, writer.integers(-1)]))
    if op.type == "PadV2":
        names.append(writer.name_of(op.inputs[2]))
    return writer.add("Pad", names)


@_operation("ReverseV2")
def _reverse(writer: Writer, op: tf.Operation) -> str:
    axes = _integers(op.inputs[1])
    count, lowest = len(axes), np.iinfo("int64").min
    bounds = [writer.integers(*[value] * count) for value in (-1, lowest)]
    backwards = writer.integers(*[-1] * count)
    name = writer.name_of(op.inputs[0])
    return writer.add("Slice", [name, *bounds, writer.integers(*axes), backwards])


@_operation("StridedSlice")
def _slice(writer: Writer, op: tf.Operation) -> str:
    """Writes `x[a:b, ..., i, newaxis]`: slices axes, then removes and adds axes."""
    values, begin, end, strides = op.inputs
    flags = {
        name: op.get_attr(f"{name}_mask")
        for name in ("begin", "end", "ellipsis", "new_axis", "shrink_axis")
    }
    steps = _integers(strides)
    has = {name: [bool(mask >> i & 1) for i in range(len(steps))] for name, mask in flags.items()}
    named = sum(not has["ellipsis"][i] and not has["new_axis"][i] for i in range(len(steps)))
    axes, places, removed, added = [], [], [], []
    axis = out = 0  # index of the axis in the input, and in the output
    for place in range(len(steps)):
        if has["ellipsis"][place]:
            axis += values.shape.rank - named
            out += values.shape.rank - named
        elif has["new_axis"][place]:
            added.append(out)
            out += 1
        else:
            axes.append(axis)
            places.append(place)
            if has["shrink_axis"][place]:
                removed.append(axis)
            else:
                out += 1
            axis += 1
    name = writer.name_of(values)
    far = np.iinfo("int64").max
    low, high, used = [], [], []
    for place, axis in zip(places, axes, strict=True):
        step = steps[place]
        whole = has["begin"][place] and has["end"][place] and step == 1
        if whole and not has["shrink_axis"][place]:
            continue
        used.append((axis, step))
        if has["begin"][place]:
            low.append(writer.integers(0 if step > 0 else -1))
        else:
            low.append(_bound(writer, begin, place))
        if has["shrink_axis"][place]:  # one value: the end is its index plus 1
            begins = _static_or_none(begin, place)
            if begins is None:
                high.append(writer.add("Add", [low[-1], writer.integers(1)]))
            else:
                high.append(writer.integers(begins + 1 if begins != -1 else far))
        elif has["end"][place]:
            high.append(writer.integers(far if step > 0 else -far))
        else:
            high.append(_bound(writer, end, place))
    if used:
        joined = [
            parts[0] if len(parts) == 1 else writer.add("Concat", parts, axis=0)
            for parts in (low, high)
        ]
        of_axes = [writer.integers(*each) for each in zip(*used, strict=True)]
        name = writer.add("Slice", [name, *joined, *of_axes])
    if removed:
        name = writer.add("Squeeze", [name, writer.integers(*removed)])
    if added:
        name = writer.add("Unsqueeze", [name, writer.integers(*added)])
    return name


def _static_or_none(tensor: tf.Tensor, place: int) -> int | None:
    """Returns one value of an integer vector; None if it depends on the input."""
    value = tf.get_static_value(tensor, partial=True)
    return None if value is None or value[place] is None else int(value[place])


def _bound(writer: Writer, tensor: tf.Tensor, place: int) -> str:
    """Returns the name of one value of an integer vector, int64 `(1,)`."""
    value = _static_or_none(tensor, place)
    if value is None:
        return writer.add("Gather", [_long(writer, tensor), writer.integers(place)])
    return writer.integers(value)
