"""Configuration of the served models: from the command line, or TF Serving's config files."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from zoo.errors import UsageError, ZooError, first_line, quoted, shortened, suggest
from zoo.server.batching import BatchingOptions
from zoo.serving.find import find, versions_in

NAME = re.compile(r"[^/:\x00-\x20\x7f]{1,200}")


@dataclasses.dataclass(frozen=True)
class ModelConfig:
    """A model to serve.

    Attributes:
      name: its name in requests.
      folder: the folder of its versions, or of one model if `single` is true.
      single: whether the folder is itself the only version, number 1.
      latest: number of newest versions to serve; 0: all; None: those of `specific`.
      specific: numbers of the versions to serve.
      labels: version label to version number.
    """

    name: str
    folder: Path
    single: bool = False
    latest: int | None = 1
    specific: tuple[int, ...] = ()
    labels: Mapping[str, int] = dataclasses.field(default_factory=dict)

    def versions(self) -> dict[int, Path]:
        """Returns the versions to serve that exist now, with their folders."""
        if self.single:
            return {1: self.folder}
        try:
            found = versions_in(self.folder)
        except OSError as error:
            raise ZooError(f"Cannot read {self.folder}: {error.strerror}.") from error
        if self.latest is None:
            return {number: found[number] for number in self.specific if number in found}
        numbers = sorted(found)
        return {number: found[number] for number in numbers[-self.latest or None :]}


def model_of(argument: str, trust: bool) -> ModelConfig:
    """Returns the model of an argument `[NAME=]MODEL_OR_DIR`.

    Args:
      argument: a recipe's name (its packed weights), a run folder, a version directory or the
        directory of such versions, with an optional name for requests. The default is the name of
        the recipe or of the directory.
      trust: whether symbolic links are followed.

    Raises:
      UsageError: there is no such model.
    """
    name, equals, place = argument.partition("=")
    if not equals or "/" in name:
        name, place = "", argument
    folder = Path(place)
    if folder.is_dir() and not (folder / "config.json").exists():
        if (folder / "saved_model.pb").exists():
            whole = folder.resolve()  # `.` has no name
            named = whole.parent if whole.name.isdecimal() else whole
            return _checked(name or named.name, folder, single=True)
        if versions_in(folder):
            return _checked(name or folder.resolve().name, folder)
    found = find(place, trust)
    if not name:  # for `file.py:name`, the last part
        name = folder.resolve().name if folder.is_dir() else place.rpartition(":")[2]
    return _checked(name, found, single=True)


def _checked(name: str, folder: Path, **options: Any) -> ModelConfig:
    if not NAME.fullmatch(name):
        raise UsageError(
            f"{quoted(name)} cannot be a model's name in a path. "
            f"Give NAME={shortened(str(folder))}."
        )
    return ModelConfig(name, folder, **options)


def check_names(models: Iterable[ModelConfig]) -> dict[str, ModelConfig]:
    """Returns models by name.

    Raises:
      UsageError: two models have the same name.
    """
    found: dict[str, ModelConfig] = {}
    for model in models:
        if model.name in found:
            raise UsageError(
                f"Two models have the name {quoted(model.name)}: {found[model.name].folder} and "
                f"{model.folder}. Name one of them: NAME=DIR."
            )
        found[model.name] = model
    return found


def read_model_config(path: Path) -> list[ModelConfig]:
    """Reads a file of `--model_config_file`: the text of a `ModelServerConfig`.

    Raises:
      UsageError: it cannot be read, or is not a valid `ModelServerConfig`.
    """
    from google.protobuf import text_format
    from tensorflow_serving.config import model_server_config_pb2

    text = read_text(path)
    try:
        parsed = text_format.Parse(text, model_server_config_pb2.ModelServerConfig())
    except text_format.ParseError as error:
        raise UsageError(f"{path} is not a model config ({first_line(error)}).") from error
    return models_of(parsed, path.parent, str(path))


def models_of(config: Any, beside: Path, source: str) -> list[ModelConfig]:
    """Returns the models of a `ModelServerConfig`.

    Args:
      config: the protocol buffer.
      beside: the base folder of relative paths.
      source: where it was read from, for messages.

    Raises:
      UsageError: it lists no models, or a model without name or path.
    """
    if config.WhichOneof("config") != "model_config_list":
        raise UsageError(f"{source} has no model_config_list.")
    models = []
    for each in config.model_config_list.config:
        if not each.name or not each.base_path:
            raise UsageError(f"{source}: each config needs a name and a base_path.")
        platform = each.model_platform or "tensorflow"
        if platform != "tensorflow":
            raise UsageError(
                f"{source}: model_platform is {quoted(platform)}; it can only be 'tensorflow'."
            )
        policy = each.model_version_policy
        choice = policy.WhichOneof("policy_choice")
        latest: int | None = policy.latest.num_versions or 1
        if choice == "all":
            latest = 0
        elif choice == "specific":
            latest = None
        models.append(
            dataclasses.replace(
                _checked(each.name, beside / each.base_path),
                latest=latest,
                specific=tuple(policy.specific.versions),
                labels=dict(each.version_labels),
            )
        )
    return list(check_names(models).values())


# Maps names in TF Serving's file to our fields.
_BATCHING = {
    "max_batch_size": "max_batch_size",
    "batch_timeout_micros": "batch_timeout_micros",
    "num_batch_threads": "num_batch_threads",
    "pad_variable_length_inputs": "pad_variable_length_inputs",
    "max_enqueued_batches": "max_enqueued_rows",
}
# Names of TF Serving that are ignored: rows are always split and bucketed.
_IGNORED = ("allowed_batch_sizes", "thread_pool_name", "enable_large_batch_splitting")
_PARAMETER = re.compile(
    r"\s*(?P<name>[a-z_]+)\s*(?::?\s*\{\s*value\s*:\s*(?P<inner>[^\s{}]+)\s*\}"
    r"|:\s*(?P<bare>[^\s{}]+))"
)


def read_batching(path: Path) -> BatchingOptions:
    """Reads a `--batching_parameters_file`, in the format of TF Serving: `name { value: 1 }`.

    Raises:
      UsageError: it cannot be read, or contains an unknown name or invalid value.
    """
    text = re.sub(r"#.*", "", read_text(path)).strip()
    values: dict[str, Any] = {}
    place = 0
    while place < len(text):
        match = _PARAMETER.match(text, place)
        if match is None:
            raise UsageError(
                f"{path}: cannot read {quoted(text[place:], 60)}; expected name {{ value: 1 }}."
            )
        place = match.end()
        name, value = match["name"], match["inner"] or match["bare"]
        if name in _IGNORED:
            continue
        if name not in _BATCHING:
            raise UsageError(f"{path} has an unknown {quoted(name)}.{suggest(name, _BATCHING)}")
        if name == "pad_variable_length_inputs":
            if value not in ("true", "false"):
                raise UsageError(f"{path}: {name} must be true or false; got {quoted(value)}.")
            values[name] = value == "true"
        elif not re.fullmatch(r"[0-9]{1,9}", value) or (not int(value) and "micros" not in name):
            raise UsageError(f"{path}: {name} must be a number above 0; got {quoted(value)}.")
        else:
            values[_BATCHING[name]] = int(value)
    if "max_enqueued_rows" in values:  # TF Serving counts batches, not rows
        size = values.get("max_batch_size", BatchingOptions.max_batch_size)
        values["max_enqueued_rows"] *= size
    return BatchingOptions(**values)


def read_metrics_path(path: Path) -> str:
    """Returns the path of the metrics from a `--monitoring_config_file`, "" for none.

    Raises:
      UsageError: it cannot be read.
    """
    text = re.sub(r"#.*", "", read_text(path))
    if not re.search(r"prometheus_config\s*:?\s*\{", text):
        raise UsageError(f"{path} has no prometheus_config {{ enable: true }}.")
    if not re.search(r"enable\s*:\s*true", text):
        return ""
    named = re.search(r"path\s*:\s*[\"'](/[^\"'\s]*)[\"']", text)
    return named[1] if named else METRICS


METRICS = "/monitoring/prometheus/metrics"


def read_text(path: Path) -> str:
    """Returns the text of a file.

    Raises:
      UsageError: it cannot be read, or is not text.
    """
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not text"
        raise UsageError(f"Cannot read {path}: {reason}.") from error
