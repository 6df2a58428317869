"""`zoo.export`: writes version directories for TF Serving."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

from zoo import files
from zoo.config import FILE_PRECISIONS, FORMATS, MAX_WARMUP
from zoo.data import Examples
from zoo.errors import (
    UsageError,
    ZooError,
    check_integer,
    check_list,
    check_mapping,
    check_path,
    first_line,
    quoted,
    suggest,
)
from zoo.manifest import USE
from zoo.report import card
from zoo.serving import capabilities, kernels
from zoo.serving.capabilities import ANSWER
from zoo.serving.ensemble import check_members, describe, serve_together
from zoo.serving.find import ABOUT, EXTRA, WARMUP, WEIGHTS, is_pattern
from zoo.serving.inputs import tensors
from zoo.serving.portable import bundle
from zoo.serving.predictor import Predictor, load
from zoo.serving.signatures import Served

KERNELS = "kernels.json"  # in `assets.extra`: the kernels of each model's recurrent layers
_SCRATCH = ".export-"


def export(
    model: str | Path | Predictor,
    directory: str | Path,
    *,
    format: str = "saved_model",
    precision: str = "float32",
    warmup: int = 8,
    limits: Mapping[str, Any] | None = None,
    ensemble: Sequence[str | Path | Predictor] = (),
    trust: bool = False,
) -> Path:
    """Exports a model to `directory/<next integer version>/`, atomically.

    Args:
      model: as for `zoo.load`, or a predictor.
      directory: the directory for TF Serving's `--model_base_path`.
      format: `"saved_model"` for serving (raw input, named outputs); `"keras"` for further training
        (`model.keras` with its config and assets); `"onnx"` or `"litert"` for inference without
        TensorFlow: see `zoo.serving.portable.bundle`.
      precision: precision of the weights in an ONNX or LiteRT file: `"float32"`, `"int8"`, or, for
        LiteRT, `"float16"`.
      warmup: number of requests, made from the recipe's sample, that TF Serving runs before the
        version goes live.
      limits: new values for the `max_…` settings of the recipe's config, which limit the input of a
        request, such as `{"max_bytes": 10_000}`.
      ensemble: further models with the same classes, to be combined with `model` in one SavedModel.
      trust: as for `zoo.load`.

    Returns:
      The version's directory.

    Raises:
      UsageError: an unknown format, precision or limit, a format whose extra is not installed,
        `warmup` out of range, models that cannot be combined, an invalid directory or one from
        which TensorFlow could not read a SavedModel, or as for `zoo.load`.
      ZooError: the model cannot be read, its signatures do not match `zoo.serving.capabilities`, or
        the directory cannot be written.
    """
    if not isinstance(format, str) or format not in FORMATS:
        raise UsageError(f"Unknown format {quoted(format)}.{suggest(format, FORMATS)}")
    if format in FILE_PRECISIONS:
        bundle.check(format, precision)
    elif precision != "float32":
        raise UsageError(f"precision is for the formats {' and '.join(FILE_PRECISIONS)}.")
    check_integer("warmup", warmup)
    check_path("directory", directory)
    check_mapping("limits", limits)
    ensemble = check_list("ensemble", ensemble)
    if not 0 <= warmup <= MAX_WARMUP:
        raise UsageError(f"warmup must be between 0 and {MAX_WARMUP}; got {warmup}.")
    members = [
        (each if isinstance(each, Predictor) else load(each, trust=trust)).with_limits(limits or {})
        for each in (model, *ensemble)
    ]
    predictor = members[0]
    together = len(members) > 1
    if together:
        check_members(members)
        if format != "saved_model":
            raise UsageError("An ensemble is exported to serve: --format saved_model.")
    directory = Path(directory)
    if directory.exists() and not directory.is_dir():
        raise UsageError(f"{directory} is a file. Name a directory.")
    if directory.is_symlink() and not directory.exists():
        raise UsageError(
            f"{directory} is a symbolic link to {os.readlink(directory)}, which does not exist. "
            "Name another directory."
        )
    if any((directory / name).exists() for name in (*WEIGHTS, "saved_model.pb", "config.json")):
        raise UsageError(
            f"{directory} is a model itself; versions of another one in it would hide it. Name "
            "another directory."
        )
    if format == "saved_model" and is_pattern(directory):
        raise UsageError(
            f"{directory}: TensorFlow takes square brackets in the path of a SavedModel for a "
            "pattern, and could not read it. Name a directory without them."
        )
    trained, *_ = [member.model for member in members]  # before anything is written
    try:
        directory.mkdir(parents=True, exist_ok=True)
        # TF Serving only looks for integer names, so it ignores this folder.
        with files.scratch_folder(directory, _SCRATCH) as scratch:
            extra = scratch
            if format == "keras":
                trained.save(scratch / "model.keras")
            elif format in FILE_PRECISIONS:
                bundle.write(predictor, scratch, format, precision)
            else:
                served = serve_together(members) if together else predictor.served()
                capabilities.check(served, predictor.name)
                write_saved_model(served, scratch)
                extra = scratch / EXTRA
                extra.mkdir(exist_ok=True)
                layers = [kernels.kernels_of(member.model) for member in members]
                files.write_json(extra / KERNELS, {"recurrent_layers": layers})
                if warmup:
                    _write_warmup(predictor, served, extra / WARMUP, warmup)
            for name in ABOUT[:-2] if together else ABOUT:  # metrics and card of an ensemble differ
                source = predictor.about / name
                if source.exists():
                    shutil.copy(source, extra / name)
            if predictor.use and not (extra / USE).exists():  # a pack's may be in another folder
                files.write_json(extra / USE, predictor.use)
            if together:
                named = [str(member.folder) for member in members]
                files.write_json(extra / "config.json", {**predictor.resolved, "ensemble": named})
                files.write_text(extra / "card.md", describe(members))
            elif limits:
                files.write_json(extra / "config.json", predictor.resolved)
                if (extra / "card.md").exists():
                    card.write(extra, predictor.recipe)
            elif (extra / "card.md").exists():  # of a pack, in the words of this version
                files.write_text(extra / "card.md", predictor.card)
            return _publish(scratch, directory)
    except OSError as error:
        raise _cannot_write(directory, error.strerror or str(error)) from error
    except tf.errors.OpError as error:  # TensorFlow's error for a full disk and the like
        raise _cannot_write(directory, first_line(error)) from error


def _cannot_write(directory: Path, reason: str) -> ZooError:
    return ZooError(
        f"Cannot write to {directory}: {reason}. Free some space or choose another directory."
    )


def _publish(scratch: Path, directory: Path) -> Path:
    """Renames a complete folder to the next version; safe with concurrent exports."""
    files.flush(scratch)
    while True:
        versions = [int(path.name) for path in directory.iterdir() if path.name.isdecimal()]
        target = directory / str(max(versions, default=0) + 1)
        try:
            os.rename(scratch, target)
            return target
        except OSError:
            if not target.exists():
                raise


def write_saved_model(served: Served, folder: Path) -> None:
    """Writes served functions as a SavedModel, each variable once.

    Raises:
      ZooError: its graph needs a GPU.
    """
    # Saves TensorFlow's variables, not the Keras model that holds them: Keras 3 saves a copy of
    # each, and the C++ loader restores the copy, while the signatures read the original.
    # keras.export.ExportArchive avoids this by writing every variable twice.
    # Uses the functions traced by `capabilities.check`: `save` would trace them again.
    signatures = {name: f.get_concrete_function() for name, f in served.functions.items()}
    module = tf.Module()
    variables = [v for function in signatures.values() for v in function.variables]
    module.weights = list({id(variable): variable for variable in variables}.values())
    module.resources = [
        resource
        for part in served.parts
        for resource in tf.train.TrackableView(part).descendants()
        if isinstance(resource, tf.saved_model.experimental.TrackableResource)
    ]
    tf.saved_model.save(module, str(folder), signatures=signatures)
    alien = sorted(op for op in ops_of(folder) if "cudnn" in op.lower())
    if alien:
        raise ZooError(
            f"The graph holds {', '.join(alien)}, which no CPU server can load. "
            "Export with the GPUs hidden (CUDA_VISIBLE_DEVICES=-1)."
        )


def ops_of(folder: Path) -> set[str]:
    """Returns the names of all ops in a SavedModel, including those in its functions."""
    model = saved_model_pb2.SavedModel()
    model.ParseFromString((folder / "saved_model.pb").read_bytes())
    return {
        node.op
        for graph in model.meta_graphs
        for nodes in (graph.graph_def.node, *(f.node_def for f in graph.graph_def.library.function))
        for node in nodes
    }


def _write_warmup(predictor: Predictor, served: Served, path: Path, records: int) -> None:
    """Writes a TFRecord of `PredictionLog`s: single requests and batches, short and long.

    The first request to a cold model is many times slower; the server runs these requests first.
    """
    from tensorflow_serving.apis import predict_pb2, prediction_log_pb2

    specs = {s.name: s for s in served.functions[ANSWER].input_signature}
    with tf.io.TFRecordWriter(str(path)) as writer:
        for inputs in sample_requests(predictor, specs, records):
            request = predict_pb2.PredictRequest()
            request.model_spec.name = predictor.name
            request.model_spec.signature_name = ANSWER
            for name, values in inputs.items():
                request.inputs[name].CopyFrom(tf.make_tensor_proto(values))
            log = prediction_log_pb2.PredictionLog(
                predict_log=prediction_log_pb2.PredictLog(request=request)
            )
            writer.write(log.SerializeToString())


def sample_requests(
    predictor: Predictor, specs: Mapping[str, tf.TensorSpec], count: int
) -> Iterator[dict[str, tf.Tensor]]:
    """Yields inputs of `serving_default` from the recipe's sample: single rows and batches."""
    sample: Examples = predictor.recipe.data(predictor.config).sample()
    rows = len(next(iter(sample.values())))
    for number in range(count):
        index = [(number + i) % rows for i in range(1 if number % 2 == 0 else rows)]
        examples = {name: [values[i] for i in index] for name, values in sample.items()}
        yield tensors(examples, specs)
