"""Configurations: frozen dataclasses, typed overrides, and the comments beside the defaults."""

from __future__ import annotations

import dataclasses
import math
import typing
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar, Literal, TypeVar

from zoo.errors import UsageError, nearest, quoted, suggest

# Values of options of `train`, `export` and `inspect`; here, so that the command line can list them
# without importing TensorFlow.
STRATEGIES = ("auto", "none", "mirrored", "multiworker")
PRECISIONS = ("float32", "mixed_float16", "mixed_bfloat16")
FORMATS = ("saved_model", "keras", "litert", "onnx")
# Number formats of weights by file format; the first is the default.
FILE_PRECISIONS = {
    "litert": ("float32", "float16", "int8"),
    "onnx": ("float32", "int8"),
}
INSPECTED = ("gradients", "gates", "saliency", "states")
MAX_WARMUP = 1000  # TF Serving rejects more records
MAX_SEED = 2**32 - 1  # of a run: what Keras takes
MAX_INTEGER = 2**31 - 1  # of a setting: graphs compute with int32


@dataclasses.dataclass(frozen=True)
class Config:
    """Settings common to all recipes; a recipe's own `Config` adds those of its network.

    Attributes:
      ALIASES: maps earlier names of settings to current ones. `override` accepts both, so that
        saved runs and existing commands keep working.
      MAY_BE_0: integer settings that may be 0 although their default is higher. All others with a
        positive default must be at least 1; numbers with a default of 0 must be at least 0.

    Raises:
      ValueError: a setting is out of range.
    """

    ALIASES: ClassVar[Mapping[str, str]] = {}
    MAY_BE_0: ClassVar[tuple[str, ...]] = ()

    epochs: int = 4  # passes over the training split, at most
    batch_size: int = 64  # examples in one step, over all replicas together
    learning_rate: float = 1e-3  # Adam's step size at its highest
    warmup: float = 0.05  # fraction of all steps in which the step size rises from 0
    decay_to: float = 0.05  # fraction of the step size left at the end of the cosine decay
    clip_norm: float = 1.0  # gradients are scaled down to this global norm (0: never)
    choose_by: Literal["score", "loss"] = "score"  # validation metric that picks the best epoch
    patience: int = 2  # epochs without a better validation score before training stops (0: never)
    layer_decay: float = 1.0  # step size of a layer, as a fraction of that of the layer above it
    average: float = 0.0  # decay of the exponential moving average of the weights (0: off)
    average_epochs: int = 0  # average the weights of the last N epochs, if that is better (0: off)
    unfreeze: int = 0  # unfreeze one more layer, from the top, every N epochs (0: all at once)

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            value, default = getattr(self, field.name), field.default
            if isinstance(value, bool) or not isinstance(value, int | float):
                continue
            if field.name == "learning_rate":
                fits, meaning = value > 0, "above 0"
            elif field.name in ("average", "label_smoothing") or "dropout" in field.name:
                fits, meaning = 0 <= value < 1, "at least 0, and below 1"
            elif field.name in ("layer_decay", "top_p"):
                fits, meaning = 0 < value <= 1, "above 0, and 1 at most"
            elif field.name in ("warmup", "decay_to"):
                fits, meaning = 0 <= value <= 1, "between 0 and 1"
            elif field.name in ("clip_norm", "temperature") or default == 0:
                fits, meaning = value >= 0, "at least 0"
            elif not isinstance(default, int) or default < 0:
                continue
            else:
                least = 0 if field.name in ("patience", *self.MAY_BE_0) else 1
                fits, meaning = value >= least, f"at least {least}"
            if not fits:
                raise ValueError(f"Setting {field.name!r} must be {meaning}; got {quoted(value)}.")

    @property
    def downloads(self) -> str:
        """What training downloads besides the data, such as `"word vectors"`; "" for nothing."""
        return ""


C = TypeVar("C", bound=Config)


def limits_of(config: Config) -> list[str]:
    """Returns the names of the settings that limit what a served model reads: `max_…`."""
    names = (field.name for field in dataclasses.fields(config))
    return [name for name in names if name.startswith("max_")]


def renamed(settings: Mapping[str, Any], aliases: Mapping[str, str]) -> dict[str, Any]:
    """Returns settings under their current names.

    Args:
      settings: name to value, possibly of an earlier version.
      aliases: earlier name to current name: `Config.ALIASES`.

    Raises:
      UsageError: a setting is given under both names.
    """
    for old, new in aliases.items():
        if old in settings and new in settings:
            raise UsageError(f"{old!r} is the earlier name of the setting {new!r}. Give one.")
    return {aliases.get(key, key): value for key, value in settings.items()}


def saved_settings(config: Config, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Completes the settings of a saved model, which may be of an earlier version.

    A setting that did not exist then has the default of its class, not the value of the current
    entry in `RECIPES`. So the default of a new field must preserve the earlier behaviour.

    Args:
      config: current config of the recipe.
      settings: `config` of the saved `config.json`.

    Returns:
      Current name to value, for `override`.

    Raises:
      UsageError: as for `renamed`.
    """
    defaults = {
        field.name: field.default
        for field in dataclasses.fields(config)
        if field.default is not dataclasses.MISSING
    }
    return {**defaults, **renamed(settings, config.ALIASES)}


def check_at_least(config: Config, least: int, *names: str) -> None:
    """Checks settings, for a `__post_init__`.

    Raises:
      ValueError: one of them is less than `least`.
    """
    for name in names:
        if getattr(config, name) < least:
            raise ValueError(
                f"Setting {name!r} must be at least {least}; got {quoted(getattr(config, name))}."
            )


def check_between(config: Config, **ranges: tuple[float, float]) -> None:
    """Checks settings, for a `__post_init__`.

    Args:
      config: holds the settings.
      **ranges: setting to its minimum and its maximum.

    Raises:
      ValueError: one of them is outside its range.
    """
    for name, (low, high) in ranges.items():
        value = getattr(config, name)
        if not low <= value <= high:
            raise ValueError(f"Setting {name!r} must be from {low} to {high}; got {quoted(value)}.")


def check_precision(name: str) -> None:
    """Checks a precision of training.

    Raises:
      UsageError: it is not in `PRECISIONS`.
    """
    if name not in PRECISIONS:
        raise UsageError(f"Unknown precision {quoted(name)}.{suggest(str(name), PRECISIONS)}")


def check_inspected(what: Iterable[str]) -> None:
    """Checks the parts to inspect.

    Raises:
      UsageError: a part is not in `INSPECTED`.
    """
    for part in what:
        if part not in INSPECTED:
            raise UsageError(f"Unknown part {quoted(part)}.{suggest(part, INSPECTED)}")


def override(config: C, changes: Mapping[str, Any]) -> C:
    """Returns `config` with `changes`; strings are converted to the field's type.

    Args:
      config: any frozen dataclass.
      changes: field name, current or earlier, to value, or to text as given on a command line.

    Raises:
      UsageError: an unknown field (with the nearest name), or a value of another type.
    """
    types = typing.get_type_hints(type(config))
    names = [field.name for field in dataclasses.fields(config)]
    values = {}
    for key, value in renamed(changes, getattr(config, "ALIASES", {})).items():
        if key not in names:
            raise UsageError(f"Unknown setting {quoted(key)}.{suggest(key, names)}")
        values[key] = _convert(key, value, types[key])
    try:
        return dataclasses.replace(config, **values)
    except ValueError as error:  # raised by a Config's __post_init__
        raise UsageError(str(error)) from None


def parse_settings(settings: Iterable[str], *, blanks: bool = False) -> dict[str, str]:
    """Parses `["units=32", "cell=gru"]` to a dict.

    Args:
      settings: as given on a command line.
      blanks: whether those around a value belong to it.

    Raises:
      UsageError: a setting without `=`, or given twice.
    """
    parsed: dict[str, str] = {}
    for setting in settings:
        key, equals, value = setting.partition("=")
        key = key.strip()
        if not equals or not key:
            raise UsageError(f"Setting {quoted(setting)} is not of the form key=value.")
        if key in parsed:
            raise UsageError(f"Setting {quoted(key)} is given twice.")
        parsed[key] = value if blanks else value.strip()
    return parsed


def _convert(key: str, value: Any, kind: Any) -> Any:
    """Converts one value to a field's type; `kind` is a type or a `Literal`."""
    options = typing.get_args(kind)
    if typing.get_origin(kind) is typing.Literal:
        if value in options:
            return value
        raise UsageError(
            f"Setting {key!r} must be one of {', '.join(options)}; got {quoted(value)}."
            + (nearest(value, options) if isinstance(value, str) else "")
        )
    wrong = UsageError(
        f"Setting {key!r} takes a value of type {kind.__name__}; got {quoted(value)}."
    )
    if kind is bool:
        words = {"true": True, "false": False, "1": True, "0": False, "yes": True, "no": False}
        if isinstance(value, str) and value.lower() in words:
            return words[value.lower()]
        if isinstance(value, bool):
            return value
        raise wrong
    if isinstance(value, bool) or (kind is str and not isinstance(value, str)):
        raise wrong
    try:
        converted = kind(
            value.replace("_", "") if isinstance(value, str) and kind is int else value
        )
    except (TypeError, ValueError, OverflowError):
        raise wrong from None
    if kind is float and not math.isfinite(converted):
        raise UsageError(f"Setting {key!r} takes a finite number; got {quoted(value)}.")
    if kind is int and isinstance(value, float) and value != converted:
        raise wrong
    if kind is int and abs(converted) > MAX_INTEGER:
        raise UsageError(f"Setting {key!r} must be at most {MAX_INTEGER:,}; got {quoted(value)}.")
    return converted


def describe(config: Config) -> list[tuple[str, Any, str]]:
    """Returns (name, value, comment) for each field, in order.

    The comment is the one beside the field in the source, so that the source and `zoo info` show
    the same text. It is empty if the source cannot be read.
    """
    comments: dict[str, str] = {}
    for cls in reversed(type(config).__mro__):
        if dataclasses.is_dataclass(cls):
            comments |= _field_comments(cls)
    return [
        (field.name, getattr(config, field.name), comments.get(field.name, ""))
        for field in dataclasses.fields(config)
    ]


def _field_comments(cls: type) -> dict[str, str]:
    import inspect
    import io
    import itertools
    import tokenize

    try:
        source = inspect.getsource(cls)
    except OSError:
        return {}
    comments: dict[str, str] = {}
    name = ""
    tokens = list(tokenize.generate_tokens(io.StringIO(source).readline))
    for token, following in itertools.pairwise(tokens):
        if token.type == tokenize.NAME and following.string == ":":
            name = token.string
        elif token.type == tokenize.COMMENT and name:
            comments[name] = token.string.lstrip("# ")
            name = ""
    return comments
