"""Converts networks to LiteRT (formerly TensorFlow Lite): any length, one row, built-in ops only.

For recurrent networks, `keras.Model.export(format="litert")` requires TensorFlow's own operations
("Flex"), which mobile runtimes lack. Two settings avoid them: variables are frozen into the file,
and lists of tensors are lowered to tensors.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import tensorflow as tf

from zoo.errors import ZooError, first_line
from zoo.quiet import silent_stderr
from zoo.serving.portable.carried import refuse_state


def convert(
    function: Callable[..., Mapping[str, tf.Tensor]],
    inputs: Sequence[tf.TensorSpec],
    precision: str = "float32",
) -> bytes:
    """Converts a function of tensors.

    Args:
      function: takes tensors by the names of `inputs`; returns tensors by name.
      inputs: named specs. The first axis is the batch, which becomes 1; other axes keep their size.
      precision: `"float32"`; `"float16"`: weights of half the size; `"int8"`: weights of a quarter
        of the size, and integer products if the runtime supports them.

    Returns:
      The content of the file. Inputs are in the order of `inputs`, outputs are sorted by name.

    Raises:
      ZooError: the network needs an operation that LiteRT does not support.
    """
    specs = [tf.TensorSpec([1, *spec.shape[1:]], spec.dtype, name=spec.name) for spec in inputs]
    names = [spec.name for spec in specs]

    @tf.function(input_signature=specs, autograph=False)
    def one_row(*values: tf.Tensor) -> list[tf.Tensor]:
        outputs = function(**dict(zip(names, values, strict=True)))
        return [outputs[name] for name in sorted(outputs)]

    concrete = one_row.get_concrete_function()
    refuse_state(concrete)
    # The model is not passed as the second argument: its variables would stay variables, and
    # reading one within a loop fails at run time.
    converter = tf.lite.TFLiteConverter.from_concrete_functions([concrete], one_row)
    converter.experimental_enable_resource_variables = False
    converter._experimental_lower_tensor_list_ops = True
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
    if precision != "float32":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if precision == "float16":
        converter.target_spec.supported_types = [tf.float16]
    try:
        with silent_stderr():  # the converter of TensorFlow 2.20 logs at any log level
            return bytes(converter.convert())
    except Exception as error:  # a private type of TensorFlow
        unknown = re.search(r"'tf\.(\w+)' op is neither a custom op", str(error))
        if unknown:
            why = f"The network has the operation {unknown[1]}, which LiteRT does not know."
        else:
            why = f"LiteRT cannot hold this network: {first_line(error)}"
        raise ZooError(f"{why} Use another format.") from error


def with_metadata(file: bytes, name: str, text: str) -> bytes:
    """Adds a text to a file, as metadata with a name."""
    from tensorflow.lite.python import schema_py_generated as schema
    from tensorflow.lite.tools import flatbuffer_utils

    model = flatbuffer_utils.convert_bytearray_to_object(bytearray(file))
    buffer = schema.BufferT()
    buffer.data = np.frombuffer(text.encode("utf-8"), "uint8")
    model.buffers.append(buffer)
    entry = schema.MetadataT()
    entry.name, entry.buffer = name, len(model.buffers) - 1
    model.metadata = [*(model.metadata or []), entry]
    return bytes(flatbuffer_utils.convert_object_to_bytearray(model))
