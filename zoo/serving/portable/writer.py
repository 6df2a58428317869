"""Builds the ONNX graph that computes given tensors of a traced function."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import onnx
import tensorflow as tf
from onnx import TensorProto, helper, numpy_helper

from zoo.errors import ZooError


class Call(NamedTuple):
    """A computation of some tensors of a function that is written as a whole.

    Attributes:
      inputs: its input tensors.
      write: takes the writer, adds nodes, and registers the names of the outputs.
    """

    inputs: tuple[tf.Tensor, ...]
    write: Callable[[Writer], None]


class Writer:
    """Collects the nodes that compute given tensors of a traced function.

    Args:
      concrete: the function.
      operations: TensorFlow operation name to the function that writes it: see `operations`.
      calls: name of each tensor that is computed by a `Call` to that call.

    Attributes:
      nodes: ONNX nodes in topological order.
      initializers: constants by name.
    """

    def __init__(
        self, concrete: Any, operations: Mapping[str, Callable[..., Any]], calls: Mapping[str, Call]
    ) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.initializers: dict[str, onnx.TensorProto] = {}
        self._names: dict[str, str] = {}
        self._constants: dict[Any, str] = {}
        self._operations = operations
        self._calls = calls
        self._variables = {id(variable.handle): variable for variable in concrete.variables}
        self._captured = {inner.name: outer for outer, inner in concrete.graph.captures}
        self._inputs = {
            tensor.op.get_attr("_user_specified_name").decode(): tensor
            for tensor in concrete.graph.inputs
            if tensor.name not in self._captured
        }

    def input(self, spec: tf.TensorSpec) -> onnx.ValueInfoProto:
        """Declares an input, with names for its dynamic axes."""
        if spec.name in self._inputs:
            self._names[self._inputs[spec.name].name] = spec.name
        return helper.make_tensor_value_info(spec.name, *_type_and_shape(spec, spec.name))

    def output(self, name: str, tensor: tf.Tensor) -> onnx.ValueInfoProto:
        """Writes the nodes that compute a tensor, and declares it an output."""
        self.nodes.append(helper.make_node("Identity", [self.name_of(tensor)], [name], name=name))
        return helper.make_tensor_value_info(name, *_type_and_shape(tensor, name))

    def name_of(self, tensor: tf.Tensor) -> str:
        """Returns the name of a tensor of the function; writes the nodes that compute it, once."""
        # An explicit stack: a chain of operations may exceed Python's recursion limit.
        pending = [tensor]
        while pending:
            current = pending[-1]
            needed = [t for t in self._needs(current) if t.name not in self._names]
            if current.name not in self._names and needed:
                pending += needed
                continue
            pending.pop()
            if current.name not in self._names:
                self._write(current)
        return self._names[tensor.name]

    def is_called(self, tensor: tf.Tensor, name: str) -> None:
        """Registers the name of a tensor."""
        self._names[tensor.name] = name

    def _needs(self, tensor: tf.Tensor) -> Iterator[tf.Tensor]:
        if tensor.name in self._calls:
            yield from self._calls[tensor.name].inputs
        elif tf.get_static_value(tensor) is None:
            yield from (t for t in tensor.op.inputs if t.dtype != tf.resource)

    def _write(self, tensor: tf.Tensor) -> None:
        op = tensor.op
        if tensor.name in self._calls:
            self._calls[tensor.name].write(self)
            return
        value = tf.get_static_value(tensor)
        if value is None and tensor.name in self._captured:
            value = self._captured[tensor.name].numpy()
        if value is not None:
            self.is_called(tensor, self.constant(np.asarray(value)))
            return
        if op.type not in self._operations:
            raise ZooError(
                f"The network has the operation {op.type} ({op.name}), which the ONNX writer does "
                "not know. Use another format, or add it to zoo/serving/portable/operations.py."
            )
        names = self._operations[op.type](self, op)
        for output, name in zip(
            op.outputs, [names] if isinstance(names, str) else names, strict=True
        ):
            self.is_called(output, name)

    def variable(self, handle: tf.Tensor) -> str:
        """Returns the name of the value of the variable with the given handle."""
        variable = self._variables[id(self._captured[handle.name])]
        key = ("variable", id(variable))
        if key not in self._constants:
            self._constants[key] = self._initializer(variable.numpy(), variable.name)
        return self._constants[key]

    def constant(self, value: np.ndarray) -> str:
        """Returns the name of a constant; equal ones are stored once."""
        key = (value.dtype.str, value.shape, value.tobytes())
        if key not in self._constants:
            self._constants[key] = self._initializer(value, "constant")
        return self._constants[key]

    def integers(self, *values: int) -> str:
        """Returns the name of a constant int64 `(values,)`."""
        return self.constant(np.array(values, "int64"))

    def _initializer(self, value: np.ndarray, name: str) -> str:
        name = f"{name.split(':')[0]}_{len(self.initializers)}"
        value = np.ascontiguousarray(value).reshape(value.shape)
        self.initializers[name] = numpy_helper.from_array(value, name)
        return name

    def add(self, kind: str, inputs: Sequence[str], **attributes: Any) -> str:
        """Adds a node with one output, and returns the output's name."""
        (name,) = self.add_several(kind, inputs, 1, **attributes)
        return name

    def add_several(
        self, kind: str, inputs: Sequence[str], outputs: int, **attributes: Any
    ) -> list[str]:
        """Adds a node, and returns the names of its outputs."""
        number = len(self.nodes)
        names = [f"{kind}_{number}_{output}" for output in range(outputs)]
        node = helper.make_node(kind, inputs, names, name=f"{kind}_{number}", **attributes)
        self.nodes.append(node)
        return names

    def type_of(self, dtype: Any) -> int:
        """Returns the ONNX number of a dtype."""
        return _type(tf.as_dtype(dtype))


def _type(dtype: tf.DType) -> int:
    if dtype == tf.string:
        return int(TensorProto.STRING)
    return int(helper.np_dtype_to_tensor_dtype(np.dtype(dtype.as_numpy_dtype)))


def _type_and_shape(tensor: Any, name: str) -> tuple[int, list[int | str]]:
    """Returns the type and shape of a tensor or spec; dynamic axes have names."""
    shape: list[int | str] = [
        size if size is not None else "batch" if axis == 0 else f"{name}_axis_{axis}"
        for axis, size in enumerate(tensor.shape)
    ]
    return _type(tensor.dtype), shape
