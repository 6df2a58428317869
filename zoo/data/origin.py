"""Parses the user's `data` argument: where data come from.

Light: importing this module imports neither TensorFlow nor pandas nor NumPy.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, TypeAlias

from zoo import files
from zoo.data import objects
from zoo.data.splits import SPLITS
from zoo.errors import UsageError, quoted, shortened, suggest

IN_MEMORY = "in memory"  # recorded as the source of data in memory


@dataclasses.dataclass(frozen=True)
class Default:
    """No data given: the first available source, or the data that a model was trained on."""


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
      path: as given by the user, with `~` expanded; it exists.
    """

    path: Path

    @property
    def name(self) -> str:
        return self.path.resolve().name

    @property
    def recorded(self) -> str:
        """The source that a run records."""
        return str(self.path.resolve())


class CustomFile(_CustomPath):
    """A user-provided file: rows without splits."""


class CustomFolder(_CustomPath):
    """A user-provided folder: one file per split, or another format that the dataset reads."""


class CustomArchive(CustomFolder):
    """A user-provided zip of several files, read like a folder."""


@dataclasses.dataclass(frozen=True)
class InMemory:
    """Data in memory: rows without splits.

    Attributes:
      rows: a table, rows, a pair or a stream: see `zoo.data.objects`.
    """

    rows: Any
    name = recorded = IN_MEMORY


@dataclasses.dataclass(frozen=True)
class InMemorySplits:
    """Data in memory, split.

    Attributes:
      splits: maps `"train"`, `"validation"` or `"test"` to rows as in `InMemory`.
    """

    splits: Mapping[str, Any]
    name = recorded = IN_MEMORY


Unsplit: TypeAlias = CustomFile | InMemory
"""Custom data without splits."""

Custom: TypeAlias = CustomFile | CustomFolder | InMemory | InMemorySplits
"""User-provided data, in contrast to a source of the dataset."""

Origin: TypeAlias = Default | Named | Custom

DataLike: TypeAlias = Any
"""The types of a `data` argument: an `Origin`; a key or a path, str; a path, `Path`; an object in
memory that `zoo.data.objects` reads; or None."""


def parse_origin(value: DataLike, keys: Collection[str] = ()) -> Origin:
    """Parses the user's `data` argument.

    A string that equals the key of a source means this source, even if a file has the same
    name. `./sample`, or a `Path`, means the file.

    Args:
      value: None, the key of a source, the path of a file or folder, or data in memory; see
        `zoo.data.objects`. An origin is returned unchanged.
      keys: of the dataset's sources.

    Raises:
      UsageError: an unknown key, a missing file or folder, or an unsupported type.
    """
    if value is None:
        return Default()
    if isinstance(value, Origin):
        return value
    if not isinstance(value, str | os.PathLike):
        return _in_memory(value)
    if isinstance(value, str) and value in keys:
        return Named(value)
    if custom := find_custom(value):
        return custom
    text = str(value)
    if text == IN_MEMORY:
        raise UsageError("The data were in memory: pass the same data again.")
    if not isinstance(value, str) or Path(text).suffix or os.sep in text:
        raise UsageError(f"There is no file or folder {shortened(text)}.")
    raise UsageError(
        f"Unknown source {quoted(text)}; files and folders are sources too.{suggest(text, keys)}"
    )


def find_custom(path: str | os.PathLike[str]) -> CustomFile | CustomFolder | None:
    """Returns the file or folder at a path, None if there is none; `""` is no path."""
    if path == "":  # which `Path` takes for the working folder
        return None
    path = files.expanded(path)
    if not os.path.exists(path):  # unlike `Path.exists`, accepts names that are too long
        return None
    if path.is_dir():
        return CustomFolder(path)
    from zoo.data.contents import zip_members

    return CustomArchive(path) if len(zip_members(path)) > 1 else CustomFile(path)


def recorded(value: DataLike) -> str | None:
    """Returns the `data` argument as recorded by a run: a string, or None if not given."""
    if value is None or isinstance(value, Default):
        return None
    if isinstance(value, Named):
        return value.key
    if isinstance(value, Custom):
        return value.recorded
    return str(value) if isinstance(value, str | os.PathLike) else IN_MEMORY


def _in_memory(value: Any) -> InMemory | InMemorySplits:
    """Distinguishes rows from splits of rows.

    Raises:
      UsageError: it is neither.
    """
    if isinstance(value, Mapping | list | tuple) and not value:
        raise UsageError("The data have no columns and no rows.")
    splits = objects.splits_of(value, SPLITS)
    if splits is not None:
        return InMemorySplits(splits)
    if objects.is_data(value) or objects.is_sequence(value):
        return InMemory(value)
    raise UsageError(
        f"Data are the key of a source, the path of a file or folder, {objects.FORMS}; got "
        f"{type(value).__name__}."
    )
