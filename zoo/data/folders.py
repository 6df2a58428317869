"""Reads folders of custom data: one file per split, one folder per class, or saved `datasets`.

Light: importing this module imports neither TensorFlow nor pandas nor NumPy.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from zoo import files
from zoo.data.contents import PACKED, is_data
from zoo.data.reading import Reading
from zoo.data.sources import Parts
from zoo.data.split_names import NAMES, split_of
from zoo.data.splits import SPLITS
from zoo.errors import UsageError, ZooError, shortened

SHARD = re.compile(r"[-_.]\d+[-_.]of[-_.]\d+")
UNLABELLED = ("unsup", "unlabeled", "unlabelled")
MAX_SHOWN = 5  # names in a note before "and N more"


@dataclasses.dataclass(frozen=True)
class Layout:
    """The files of a folder by split.

    Attributes:
      splits: split to its files, one or several parts; `"train"` first.
      unread: names of other files.
    """

    splits: dict[str, list[Path]]
    unread: list[str]

    def note(self) -> list[str]:
        """Returns a note on the files that are not read, or nothing."""
        if not self.unread:
            return []
        shown = ", ".join(shortened(name, 60) for name in self.unread[:MAX_SHOWN])
        more = len(self.unread) - MAX_SHOWN
        return [f"not read: {shown}{f' and {more:,} more' if more > 0 else ''}"]


@dataclasses.dataclass(frozen=True)
class ClassFile:
    """A file whose folder names its class.

    Attributes:
      path: of the file.
      label: name of the folder.
      split: `""` if the folder names give none.
    """

    path: Path
    label: str
    split: str


def split_files(folder: Path, suffixes: Collection[str], *, below: bool = False) -> Layout:
    """Finds the files of each split in a folder.

    Args:
      folder: to look into.
      suffixes: of the files that can be read; files may be compressed.
      below: also search subfolders, whose names may give the split.

    Raises:
      UsageError: a split has two files that are not parts of one file.
    """
    if saved := _saved(folder):
        return saved
    every = _data_files(folder)
    top = [path for path in every if path.parent == folder]
    deeper = [path for path in every if path.parent != folder]
    found = _by_split(folder, top, suffixes)
    if "train" not in found and below:
        found = _by_split(folder, [*top, *deeper], suffixes)
    chosen = {path for paths in found.values() for path in paths}
    unread = [str(path.relative_to(folder)) for path in [*top, *deeper] if path not in chosen]
    splits = {name: found[name] for name in SPLITS if name in found}
    return Layout(splits, sorted(unread))


def _by_split(
    folder: Path, paths: Sequence[Path], suffixes: Collection[str]
) -> dict[str, list[Path]]:
    found: dict[str, list[Path]] = {}
    for path in paths:
        stem = _stem(path, suffixes)
        if stem is None:
            continue
        split = split_of(stem)
        if not split and path.parent != folder:
            split = split_of(path.parent.name)
        if split:
            found.setdefault(split, []).append(path)
    for several in found.values():
        kinds = {SHARD.sub("", path.name) for path in several}
        parts = all(SHARD.search(path.name) for path in several)
        if len(several) > 1 and not (parts and len(kinds) == 1):
            first, second = (path.relative_to(folder) for path in several[:2])
            raise UsageError(f"{folder} has both {first} and {second}. Name one of them.")
    return found


def _stem(path: Path, suffixes: Collection[str]) -> str | None:
    """Returns the name of a readable file without its suffix; None for other files."""
    name = path.name.lower()
    for packed in PACKED:
        name = name.removesuffix(packed)
    for suffix in sorted(suffixes, key=len, reverse=True):
        if name.endswith(suffix):
            return name.removesuffix(suffix)
    last = path.suffix.lower().removeprefix(".")
    if last in NAMES:  # eng.train, eng.testa
        return name
    # A zip may contain a table of any name.
    return name if path.suffix.lower() == ".zip" else None


def _data_files(folder: Path) -> list[Path]:
    """Returns the files of a folder and its subfolders, without system files."""
    found = [path for path in sorted(folder.glob("*")) if path.is_file()]
    found += [path for path in sorted(folder.glob("*/*")) if path.is_file()]
    return [path for path in found if is_data(path.relative_to(folder).as_posix())]


def _saved(folder: Path) -> Layout | None:
    """Finds the files of a folder saved by Hugging Face `datasets`; None for other folders."""
    if (folder / "dataset_dict.json").is_file():
        names = files.read_object(folder / "dataset_dict.json", splits=list)["splits"]
        splits: dict[str, list[Path]] = {}
        unread = []
        for name in names:
            split = split_of(str(name))
            if split and split not in splits:
                splits[split] = _arrow_files(folder / str(name))
            else:
                unread.append(str(name))
        return Layout({name: splits[name] for name in SPLITS if name in splits}, unread)
    if (folder / "state.json").is_file() and (folder / "dataset_info.json").is_file():
        return Layout({"train": _arrow_files(folder)}, [])
    return None


def _arrow_files(folder: Path) -> list[Path]:
    """Returns the files that `state.json` lists.

    Raises:
      ZooError: it is missing or damaged.
    """
    path = folder / "state.json"
    listed = files.read_object(path, _data_files=list)["_data_files"]
    if not all(isinstance(each, dict) and isinstance(each.get("filename"), str) for each in listed):
        raise ZooError(f"{path} is damaged: a file has no 'filename'. Restore or delete it.")
    return [folder / each["filename"] for each in listed]


def parts_by_class(
    folder: Path,
    suffixes: Collection[str],
    read: Callable[[ClassFile], Mapping[str, Any]],
    reading: Reading,
) -> tuple[Parts, list[str]]:
    """Reads a folder with one subfolder per class.

    Args:
      folder: to look into.
      suffixes: of the files that can be read.
      read: converts a file to a row: a mapping of column to value.
      reading: whether to drop files that cannot be read.

    Returns:
      Splits and notes; no splits if the folder is not of this kind.

    Raises:
      UsageError: there are splits, but no training files.
      UsageError, ZooError: as `read`.
    """
    found, unread = class_files(folder, suffixes)
    parts: Parts = {}
    for each in found:
        try:
            row = read(each)
        except ZooError as error:
            if not reading.options.drop_bad:
                raise
            reading.note(f"omitted: {str(error).rstrip('.')}")
            continue
        for name, value in row.items():
            parts.setdefault(each.split or "train", {}).setdefault(name, []).append(value)
    if parts and "train" not in parts:
        raise UsageError(f"{folder} has no training files: name one of its folders 'train'.")
    return {name: parts[name] for name in SPLITS if name in parts}, Layout({}, unread).note()


def class_files(folder: Path, suffixes: Collection[str]) -> tuple[list[ClassFile], list[str]]:
    """Finds the files of a folder with one subfolder per class, possibly inside folders of splits.

    Args:
      folder: to look into.
      suffixes: of the files that can be read; `""` for names without a suffix.

    Returns:
      The files, empty if there are fewer than two classes; and the names of files and folders that
      are not read.
    """
    below = sorted(path for path in folder.iterdir() if path.is_dir() and is_data(path.name))
    splits = {path: split_of(path.name) for path in below}
    nested = any(splits.values()) and any(
        each.is_dir() for path in below if splits[path] for each in path.iterdir()
    )
    found: list[ClassFile] = []
    unread = [path.name for path in _data_files(folder) if path.parent == folder]
    for path in below:
        if nested and not splits[path]:
            unread.append(f"{path.name}/")
            continue
        classes = sorted(each for each in path.iterdir() if each.is_dir()) if nested else [path]
        if nested:
            loose = [each for each in sorted(path.iterdir()) if each.is_file()]
            unread += [f"{path.name}/{each.name}" for each in loose]
        for each in classes:
            if each.name.lower() in UNLABELLED:
                unread.append(f"{each.relative_to(folder)}/")
                continue
            for file in sorted(each.rglob("*")):
                if not file.is_file() or not is_data(file.relative_to(folder).as_posix()):
                    continue
                if file.suffix.lower() in suffixes:
                    found.append(ClassFile(file, each.name, splits[path] if nested else ""))
                else:
                    unread.append(str(file.relative_to(folder)))
    return (found, unread) if len({each.label for each in found}) > 1 else ([], unread)
