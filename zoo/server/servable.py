"""A loaded version of a model: its signatures, their tensors and its warm-up requests."""

from __future__ import annotations

import functools
import time
import weakref
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from zoo.errors import ZooError, first_line, shortened
from zoo.server.status import Refused, invalid
from zoo.server.tensors import SignatureInfo, TensorInfo
from zoo.serving import rows
from zoo.serving.capabilities import ANSWER
from zoo.serving.find import EXTRA, WARMUP, about, refuse_links
from zoo.serving.inputs import input_specs, output_specs
from zoo.serving.predictor import Predictor, load_saved_model

MAX_WARMUP = 1000  # maximum number of records, as in TF Serving
SAMPLE = 8  # warm-up requests of a model that is not a SavedModel

Arrays = Mapping[str, np.ndarray]


class Servable:
    """A loaded version.

    Attributes:
      folder: the folder it was loaded from.
      signatures: signatures by name.
      predictor: the predictor of a model of this package; None for other SavedModels.
      example: signature and inputs of a warm-up request; None if there was none.
    """

    example: tuple[str, Arrays] | None = None

    def __init__(self, folder: Path, *, trust: bool = False) -> None:
        """Loads a version.

        Args:
          folder: a SavedModel, or the folder of a run or of packed weights.
          trust: as for `zoo.load`.

        Raises:
          ZooError: it is damaged, or needs trust.
        """
        self.folder = folder
        self.predictor: Predictor | None = None
        refuse_links(folder, trust)
        if (about(folder) / "config.json").exists():
            self.predictor = Predictor(folder, trust=trust)
            self._functions = dict(self.predictor.signatures)
        else:
            if not (folder / "saved_model.pb").exists():
                raise ZooError(f"{folder} holds no saved_model.pb. Export it again.")
            self._kept = load_saved_model(folder, trust)
            self._functions = dict(self._kept.signatures)
        self.signatures = {name: _info(f) for name, f in self._functions.items()}
        if (folder / "saved_model.pb").exists():
            weakref.finalize(self, _destroy, _tables(self._functions)).atexit = False

    @property
    def labels(self) -> list[str]:
        """Class names in the order of `probabilities`, if known."""
        return self.predictor.labels if self.predictor else []

    def signature(self, name: str) -> tuple[str, SignatureInfo]:
        """Returns the name and tensors of a signature; for an empty name, of the default signature.

        Raises:
          Refused: there is no such signature.
        """
        name = name or ANSWER
        if name not in self.signatures:
            raise invalid(
                f'Serving signature name: "{shortened(name)}" not found in signature def. '
                f"There is: {', '.join(sorted(self.signatures))}."
            )
        return name, self.signatures[name]

    def run(self, signature: str, inputs: Arrays) -> dict[str, np.ndarray]:
        """Computes a signature.

        Args:
          signature: an existing name.
          inputs: arrays by name, for all inputs of the signature, of its types.

        Raises:
          Refused: the graph rejects them, or fails.
        """
        infos = self.signatures[signature].inputs
        try:
            given = {name: tf.constant(array, infos[name].dtype) for name, array in inputs.items()}
            outputs = self._functions[signature](**given)
            return {name: value.numpy() for name, value in outputs.items()}
        except (*rows.REFUSALS, ValueError, TypeError) as error:
            raise invalid(rows.refusal(error)) from error
        except tf.errors.ResourceExhaustedError as error:
            raise Refused("RESOURCE_EXHAUSTED", f"{first_line(error)}.") from error
        except (tf.errors.OpError, RuntimeError) as error:
            raise Refused("INTERNAL", f"{first_line(error)}.") from error

    def warm_up(self) -> int:
        """Computes the warm-up requests of a SavedModel, or samples of a recipe.

        Returns:
          Their total time in microseconds.

        Raises:
          ZooError: a request fails, or the file is damaged.
        """
        start = time.perf_counter()
        for signature, inputs in self._warmup_requests():
            self.example = self.example or (signature, inputs)
            try:
                self.run(signature, inputs)
            except Refused as error:
                raise ZooError(
                    f"{self.folder}: a warm-up request fails ({error.message}). Export it again."
                ) from error
        return int((time.perf_counter() - start) * 1e6)

    def _warmup_requests(self) -> Iterator[tuple[str, Arrays]]:
        path = self.folder / EXTRA / WARMUP
        if (self.folder / "saved_model.pb").exists():
            if path.exists():
                yield from self._recorded(path)
        elif self.predictor is not None:
            from zoo.serving.export import sample_requests

            specs = input_specs(self._functions[ANSWER])
            for inputs in sample_requests(self.predictor, specs, SAMPLE):
                yield ANSWER, {name: value.numpy() for name, value in inputs.items()}

    def _recorded(self, path: Path) -> Iterator[tuple[str, Arrays]]:
        from tensorflow_serving.apis import prediction_log_pb2

        from zoo.server.protos import array_of

        try:
            for record in tf.data.TFRecordDataset(str(path)).take(MAX_WARMUP):
                log = prediction_log_pb2.PredictionLog.FromString(record.numpy())
                if log.WhichOneof("log_type") != "predict_log":
                    continue
                request = log.predict_log.request
                name, info = self.signature(request.model_spec.signature_name)
                yield (
                    name,
                    {
                        key: array_of(request.inputs[key], key, info.inputs[key])
                        for key in info.inputs
                    },
                )
        except Refused as error:
            raise ZooError(f"{path}: {error.message}") from error
        except Exception as error:  # from TensorFlow or protocol buffers
            raise ZooError(f"{path} is damaged ({first_line(error)}). Export it again.") from error

    @functools.cached_property
    def signature_defs(self) -> Any:
        """The signatures as a `SignatureDefMap` of TF Serving."""
        from tensorflow.core.protobuf import saved_model_pb2
        from tensorflow_serving.apis import get_model_metadata_pb2

        found = get_model_metadata_pb2.SignatureDefMap()
        if (self.folder / "saved_model.pb").exists():
            model = saved_model_pb2.SavedModel()
            model.ParseFromString((self.folder / "saved_model.pb").read_bytes())
            for name, signature in model.meta_graphs[0].signature_def.items():
                found.signature_def[name].CopyFrom(signature)
            return found
        for name, info in self.signatures.items():
            signature = found.signature_def[name]
            signature.method_name = "tensorflow/serving/predict"
            for field, infos in (("inputs", info.inputs), ("outputs", info.outputs)):
                for key, tensor in infos.items():
                    place = getattr(signature, field)[key]
                    place.name = f"{name}_{key}:0"
                    place.dtype = tf.as_dtype(tensor.dtype).as_datatype_enum
                    place.tensor_shape.CopyFrom(tf.TensorShape(tensor.shape).as_proto())
        return found


def _tables(functions: Mapping[str, Any]) -> list[tf.Tensor]:
    """Returns the handles of the lookup tables that functions of a SavedModel use.

    TensorFlow frees unreferenced variables of a SavedModel, but not its tables: the vocabulary of
    every loaded version would stay in memory.
    """
    handles = {}
    for function in functions.values():
        variables = {id(variable.handle) for variable in function.graph.variables}
        for captured, _ in function.graph.captures:
            if captured.dtype == tf.resource and id(captured) not in variables:
                handles[id(captured)] = captured
    return list(handles.values())


def _destroy(handles: Sequence[tf.Tensor]) -> None:
    for handle in handles:
        tf.raw_ops.DestroyResourceOp(resource=handle, ignore_lookup_error=True)


def _info(function: Any) -> SignatureInfo:
    return SignatureInfo(_tensors(input_specs(function)), _tensors(output_specs(function)))


def _tensors(specs: Mapping[str, tf.TensorSpec]) -> dict[str, TensorInfo]:
    return {
        name: TensorInfo(
            spec.dtype.name, None if spec.shape.rank is None else tuple(spec.shape.as_list())
        )
        for name, spec in sorted(specs.items())
    }
