"""Deployment files for an export: configs, manifests, and short clients."""

from __future__ import annotations

import json
import os
import re
import string
from importlib import resources
from pathlib import Path
from typing import Any

from zoo import files
from zoo._version import __version__
from zoo.errors import UsageError, quoted
from zoo.serving.find import EXTRA, WARMUP
from zoo.utf8 import decoded

NAMES = (
    *("models.config", "batching_parameters.txt", "monitoring.config", "Dockerfile"),
    *("compose.yaml", "kubernetes.yaml", "kserve.yaml", "client_rest.py", "client_grpc.py"),
)
REQUEST = "request.json"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")


def write_deployment(version: Path, folder: str | Path) -> list[Path]:
    """Writes the files to serve a version with `zoo serve` or TF Serving.

    Args:
      version: the directory returned by `zoo.export`, with warm-up requests.
      folder: where to write the files; existing files of the same names are replaced.

    Returns:
      The files: configs of both servers, `compose.yaml` and `Dockerfile`, manifests for
      Kubernetes and KServe, clients for REST and gRPC, and `request.json`, which they send.

    Raises:
      UsageError: as `check_deployment`.
    """
    folder = Path(folder)
    base = check_deployment(version.parent, folder)
    request, types = _example(version / EXTRA / WARMUP)
    models = os.path.relpath(base, folder)
    values = {
        "name": base.name,
        "dns_name": _dns_name(base.name),
        "version": version.name,
        "zoo_version": __version__,
        # YAML: a quoted path may contain any character. Compose reads $$ as $.
        "models": json.dumps(models if models.startswith(".") else f"./{models}")[1:-1].replace(
            "$", "$$"
        ),
        "types": json.dumps(types),
    }
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name in NAMES:
        template = resources.files("zoo.serving") / "templates" / f"{name}.in"
        text = string.Template(template.read_text(encoding="utf-8")).substitute(values)
        files.write_text(folder / name, text)
        written.append(folder / name)
    files.write_text(folder / REQUEST, json.dumps(request, ensure_ascii=False) + "\n")
    return [*written, folder / REQUEST]


def _dns_name(name: str) -> str:
    """Returns a name of a Kubernetes service (RFC 1035): it begins with a letter."""
    label = re.sub(r"[^a-z0-9-]+", "-", name.lower()).strip("-")
    return (label if label[0].isalpha() else f"model-{label}")[:63].rstrip("-")


def check_deployment(directory: str | Path, folder: str | Path) -> Path:
    """Checks where `write_deployment` would write, before there is a version to serve.

    Args:
      directory: the directory of the versions; it need not exist.
      folder: as for `write_deployment`.

    Returns:
      The absolute path of the directory of the versions. Its name is the model's name.

    Raises:
      UsageError: the folder is a file, or the name of the directory is not a valid model name.
    """
    if Path(folder).exists() and not Path(folder).is_dir():
        raise UsageError(f"{folder} is a file. Name a folder.")
    base = Path(os.path.abspath(directory))
    if not _NAME.fullmatch(base.name):
        raise UsageError(
            f"{quoted(base.name)}, the directory of the versions, cannot be a model's name: "
            "letters, digits, '.', '_' and '-', 63 at most. Export to another directory."
        )
    return base


def _example(warmup: Path) -> tuple[dict[str, Any], dict[str, str]]:
    """Returns the first warm-up request as JSON of TF Serving's REST API, and its input types."""
    import tensorflow as tf
    from tensorflow_serving.apis import prediction_log_pb2

    if not warmup.exists():
        raise UsageError("The files to serve with need an example: --warmup 1, or more.")
    record = next(iter(tf.data.TFRecordDataset(str(warmup)).take(1)))
    inputs = prediction_log_pb2.PredictionLog.FromString(record.numpy()).predict_log.request.inputs
    arrays = {name: tf.make_ndarray(inputs[name]) for name in sorted(inputs)}
    types = {name: tf.as_dtype(inputs[name].dtype).name for name in arrays}
    rows = [
        {name: decoded(value) for name, value in zip(arrays, values, strict=True)}
        for values in zip(*(array.tolist() for array in arrays.values()), strict=True)
    ]
    return {"instances": [next(iter(r.values())) if len(r) == 1 else r for r in rows]}, types
