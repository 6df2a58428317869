"""Converts the traced TensorFlow graph of a function to ONNX, operation by operation.

Recurrent layers become native nodes, see `recurrent`; for the other operations, see `operations`.
Batch size and length stay dynamic.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import keras
import onnx
import tensorflow as tf
from onnx import helper

from zoo import quiet
from zoo._version import __version__
from zoo.serving.portable import recurrent
from zoo.serving.portable.carried import refuse_state
from zoo.serving.portable.operations import OPERATIONS
from zoo.serving.portable.writer import Writer

OPSET = 18
IR_VERSION = 9  # of ONNX 1.15, so that runtimes of 2023 and later read the file

Tensors = Mapping[str, tf.Tensor]


def convert(
    function: Callable[..., Tensors],
    inputs: Sequence[tf.TensorSpec],
    model: keras.Model,
    metadata: Mapping[str, str] | None = None,
) -> onnx.ModelProto:
    """Converts a function of tensors to ONNX.

    Args:
      function: takes tensors by the names of `inputs`; returns tensors by name.
      inputs: named specs. Axes of size None are dynamic; the first axis is the batch.
      model: the model whose layers the function calls.
      metadata: metadata to store in the file.

    Returns:
      The model. Inputs and outputs keep their names, but an output with the name of an input gets
      the prefix `next_`.

    Raises:
      ZooError: an operation is not in `OPERATIONS`, or ONNX has no node for a recurrent layer.
    """
    with recurrent.as_placeholders(model) as calls:
        traced = tf.function(lambda **given: function(**given), autograph=False)
        concrete = traced.get_concrete_function(**{spec.name: spec for spec in inputs})
    refuse_state(concrete)
    outputs: Tensors = {
        name: concrete.graph.outputs[place]
        for place, name in enumerate(sorted(concrete.structured_outputs))
    }
    by_output = {tensor.name: call.as_call() for call in calls for tensor in call.outputs}
    writer = Writer(concrete, OPERATIONS, by_output)
    given = [writer.input(spec) for spec in inputs]
    names = {spec.name for spec in inputs}  # in ONNX, an output cannot have an input's name
    named = [
        writer.output(f"next_{name}" if name in names else name, tensor)
        for name, tensor in outputs.items()
    ]
    used = {name for node in writer.nodes for name in node.input}
    constants = [value for name, value in writer.initializers.items() if name in used]
    graph = helper.make_graph(writer.nodes, model.name, given, named, constants)
    proto = helper.make_model(
        graph,
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
        producer_name="rnn-zoo",
        producer_version=__version__,
    )
    helper.set_model_props(proto, dict(metadata or {}))
    onnx.checker.check_model(proto)
    return proto


def quantised(proto: onnx.ModelProto) -> bytes:
    """Returns the file of a model with int8 weights, quantised by ONNX Runtime.

    Matrix products and LSTMs use integer arithmetic; inputs are quantised dynamically.
    """
    from onnxruntime.quantization import QuantType, quantize_dynamic

    with tempfile.TemporaryDirectory() as folder:
        given, made = Path(folder, "float32.onnx"), Path(folder, "int8.onnx")
        onnx.save(proto, given)
        with quiet.no_log_lines():  # it recommends another tool, which changes no weight here
            quantize_dynamic(given, made, weight_type=QuantType.QInt8)
        return made.read_bytes()
