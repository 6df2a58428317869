"""Overwriting a run: the old one is kept until the new one has its first complete epoch.

While the new run has no epoch, the files of the old one lie in a hidden folder inside the run
folder, under their own paths. All moves are renames inside the run folder, so that it may be a
symbolic link or a mounted disk, and files that no run writes stay where they are. A process can be
killed at any moment: `settle`, called by the next training, finishes what was begun.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from zoo import files
from zoo.errors import ZooError
from zoo.training.run import MOVING, OVERWRITTEN, delete_own, has_epoch, own_files

_DISCARDED = ".discarded"  # an old run of which some files may be deleted already


def set_aside(folder: Path) -> None:
    """Moves the files of a run aside; nothing happens where there are none."""
    own = own_files(folder)
    if not own:
        return
    for path in own:
        _move(path, folder / MOVING / path.relative_to(folder))
    os.replace(folder / MOVING, folder / OVERWRITTEN)


def put_back(folder: Path) -> bool:
    """Deletes the new run and moves the old one back; returns whether there was an old one."""
    moving = folder / MOVING
    if (folder / OVERWRITTEN).is_dir():
        delete_own(folder)
        os.replace(folder / OVERWRITTEN, moving)
    if not moving.is_dir():
        return False
    for path in own_files(moving):
        _move(path, folder / path.relative_to(moving))
    shutil.rmtree(moving)
    return True


def discard(folder: Path) -> None:
    """Deletes the old run; nothing happens where there is none."""
    if (folder / OVERWRITTEN).is_dir():
        os.replace(folder / OVERWRITTEN, folder / _DISCARDED)
    shutil.rmtree(folder / _DISCARDED, ignore_errors=True)


def settle(folder: Path, resolved: Mapping[str, Any] | None) -> bool:
    """Finishes what a killed process has left of an overwriting.

    Args:
      folder: the run folder, which no other process may train in meanwhile.
      resolved: the `config.json` of the run that is to go on; None if the old one is wanted.

    Returns:
      Whether the old run was put back. It is if the new one has no complete epoch, unless that is
      the one to go on, or neither is.
    """
    if has_epoch(folder):
        discard(folder)
    shutil.rmtree(folder / _DISCARDED, ignore_errors=True)
    if (folder / OVERWRITTEN).is_dir() and resolved is not None:
        is_new = _is_of(folder / "config.json", resolved)
        if is_new or not _is_of(folder / OVERWRITTEN / "config.json", resolved):
            return False
    return put_back(folder)


def _is_of(path: Path, resolved: Mapping[str, Any]) -> bool:
    """Whether a `config.json` is that of a run, of whatever version."""
    try:
        present = files.read_object(path)
    except ZooError:
        return False
    keys = ("recipe", "config", "run")
    return all(present.get(key) == resolved[key] for key in keys)


def _move(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    os.replace(source, target)
