"""Folders of music files as training data."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from recipes.music.read import ABC, MIDI, MUSICXML
from zoo.data import Examples
from zoo.errors import UsageError, ZooError

SUFFIXES = (*MIDI, *MUSICXML, *ABC)
SPLITS = ("train", "validation", "test")


def read_folder(
    path: Path, read: Callable[[Sequence[Path]], tuple[Examples, list[tuple[Path, str]]]]
) -> tuple[dict[str, Examples], list[str]]:
    """Reads all music files of a folder and its subfolders.

    Subfolders `train` and, optionally, `validation` and `test` are the splits. Files whose name
    begins with a dot are ignored.

    Args:
      path: the folder.
      read: function from files to their rows, and to the omitted files with the reasons.

    Returns:
      The splits, at least `train`, and notes on the omitted files.

    Raises:
      UsageError: there is no music file.
      ZooError: no file of a split can be read.
    """
    folders = {name: path / name for name in SPLITS if (path / name).is_dir()}
    if "train" not in folders:
        folders = {"train": path}
    parts, notes = {}, []
    for name, folder in folders.items():
        files = music_files(folder)
        if not files:
            raise UsageError(
                f"{folder} has no music file; MIDI ({', '.join(MIDI)}), MusicXML "
                f"({', '.join(MUSICXML)}) and ABC ({', '.join(ABC)}) are read."
            )
        rows, failed = read(files)
        reason = f"{failed[0][0].name}: {failed[0][1]}" if failed else ""
        if not any(rows.values()):
            raise ZooError(f"No file of {folder} can be read, such as {reason}")
        if failed:
            what = f"{len(failed):,} of {len(files):,} files" if len(failed) > 1 else "1 file"
            notes.append(f"{what} of {name} omitted, such as {reason}")
        parts[name] = rows
    return parts, notes


def music_files(folder: Path) -> list[Path]:
    """Returns the music files in a folder and below it, sorted by path, without hidden ones."""
    return sorted(
        file
        for file in folder.rglob("*")
        if file.suffix.lower() in SUFFIXES
        and not any(part.startswith(".") for part in file.relative_to(folder).parts)
        and file.is_file()
    )
