"""Where data come from: the user's `data` argument, parsed once.

Light: importing this module imports neither TensorFlow nor pandas nor NumPy.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

from zoo.data.splits import SPLITS
from zoo.errors import UsageError, quoted, shortened, suggest

IN_MEMORY = "in memory"  # the recorded source of such data


@dataclasses.dataclass(frozen=True)
class Default:
    """No data were named: the first available source, or the data that a model was trained on."""


@dataclasses.dataclass(frozen=True)
class Named:
    """A source of the dataset, or its sample.

    Attributes:
      key: of the source (`"tfds"`, `"wheel"`, …), or `"sample"`.
    """

    key: str


@dataclasses.dataclass(frozen=True)
class _CustomPath:
    """User-provided data on disk.

    Attributes:
      path: as the user gave it, `~` expanded; it exists.
    """

    path: Path

    @property
    def name(self) -> str:
        return self.path.resolve().name

    @property
    def recorded(self) -> str:
        """What a run records as its source."""
        return str(self.path.resolve())


class CustomFile(_CustomPath):
    """A user-provided file: rows without splits."""


class CustomFolder(_CustomPath):
    """A user-provided folder: one file per split, or another format that the dataset reads."""


@dataclasses.dataclass(frozen=True)
class InMemory:
    """Columns in memory: rows without splits.

    Attributes:
      columns: name to a sequence, all of one length.
    """

    columns: Mapping[str, Sequence]
    name = recorded = IN_MEMORY


@dataclasses.dataclass(frozen=True)
class InMemorySplits:
    """Columns in memory, split.

    Attributes:
      splits: `"train"`, `"validation"` or `"test"` to its columns.
    """

    splits: Mapping[str, Mapping[str, Sequence]]
    name = recorded = IN_MEMORY


Unsplit: TypeAlias = CustomFile | InMemory
"""Custom data without splits."""

Custom: TypeAlias = CustomFile | CustomFolder | InMemory | InMemorySplits
"""User-provided data, in contrast to a source of the dataset."""

Origin: TypeAlias = Default | Named | Custom

DataLike: TypeAlias = Origin | str | Path | Mapping[str, Any] | None
"""The types of a `data` argument: an origin; a key or a path; a path; columns, or splits of
columns, by name; or None."""


def parse_origin(value: DataLike, keys: Collection[str] = ()) -> Origin:
    """Parses the user's `data` argument.

    A string that equals the key of a source means this source, even where a file has the same
    name. `./sample`, or a `Path`, means the file.

    Args:
      value: None, the key of a source, the path of a file or folder, a dict of columns, or a dict
        of splits of columns. An origin is returned as it is.
      keys: of the dataset's sources.

    Raises:
      UsageError: an unknown key, a missing file or folder, or another type.
    """
    if value is None:
        return Default()
    if isinstance(value, Origin):
        return value
    if isinstance(value, Mapping):
        return _in_memory(value)
    if not isinstance(value, str | os.PathLike):
        raise UsageError(
            "Data are the key of a source, the path of a file or folder, a dict of columns, or a "
            f"dict of splits; got {type(value).__name__}."
        )
    if isinstance(value, str) and value in keys:
        return Named(value)
    if custom := find_custom(value):
        return custom
    text = str(value)
    if text == IN_MEMORY:
        raise UsageError("The data were in memory: pass the same columns as data again.")
    if not isinstance(value, str) or Path(text).suffix or os.sep in text:
        raise UsageError(f"There is no file or folder {shortened(text)}.")
    raise UsageError(
        f"Unknown source {quoted(text)}; files and folders are sources too.{suggest(text, keys)}"
    )


def find_custom(path: str | os.PathLike[str]) -> CustomFile | CustomFolder | None:
    """Returns the file or folder at a path, None if there is none."""
    path = Path(path).expanduser()
    if not os.path.exists(path):  # unlike `Path.exists`, accepts names that are too long
        return None
    return CustomFolder(path) if path.is_dir() else CustomFile(path)


def recorded(value: DataLike) -> str | None:
    """Returns the `data` argument as a run records it: a string, None if there was none."""
    if value is None or isinstance(value, Default):
        return None
    if isinstance(value, Named):
        return value.key
    if isinstance(value, Custom):
        return value.recorded
    return IN_MEMORY if isinstance(value, Mapping) else str(value)


def _in_memory(value: Mapping[str, Any]) -> InMemory | InMemorySplits:
    """Distinguishes columns from splits of columns.

    Raises:
      UsageError: it is neither.
    """
    if not value:
        raise UsageError("The data have no columns: give a dict of column name to values.")
    nested = [name for name, part in value.items() if isinstance(part, Mapping)]
    if not nested:
        return InMemory(value)
    for name in value:
        if name not in SPLITS:
            raise UsageError(f"Unknown split {quoted(name)}.{suggest(str(name), SPLITS)}")
        if name not in nested:
            raise UsageError(f"The split {quoted(name)} must be a dict of column name to values.")
    return InMemorySplits(value)
