"""Overwriting a run: the old one is kept until the new one has its first complete epoch.

Until the new run has an epoch, the files of the old one are in a hidden folder inside the run
folder, under the same relative paths. All moves are renames inside the run folder, so that it may
be a symbolic link or a mounted disk. Files that are not written by a run stay in place. A process
can be killed at any time: `settle`, called by the next training, completes interrupted moves.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from zoo import files
from zoo.errors import ZooError
from zoo.training.run import MOVING, OVERWRITTEN, all_options, delete_own, has_epoch, own_files

_DISCARDED = ".discarded"  # an old run; some of its files may already be deleted


def set_aside(folder: Path) -> None:
    """Moves the files of a run aside; does nothing if there are none."""
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
    """Deletes the old run; does nothing if there is none."""
    if (folder / OVERWRITTEN).is_dir():
        os.replace(folder / OVERWRITTEN, folder / _DISCARDED)
    shutil.rmtree(folder / _DISCARDED, ignore_errors=True)


def settle(folder: Path, resolved: Mapping[str, Any] | None) -> bool:
    """Completes or reverts an overwrite that a killed process has left unfinished.

    Args:
      folder: the run folder; no other process may train in it meanwhile.
      resolved: the `config.json` of the run to resume; None if the old run is wanted.

    Returns:
      Whether the old run was put back. It is if the new one has no complete epoch, unless the new
      one, or neither of them, is the run to resume.
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
    """Whether a `config.json` is that of a given run, of any version."""
    try:
        present = files.read_object(path, run=dict)
    except ZooError:
        return False
    present = {**present, "run": all_options(present["run"])}
    keys = ("recipe", "config", "run")
    return all(present.get(key) == resolved[key] for key in keys)


def _move(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    os.replace(source, target)
