"""Reports epochs and checkpoints to Ray Train or Ray Tune, if one of them runs the training.

Ray is an extra (`[ray]`). It is never imported here: a process that runs under it has imported it.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def report(row: Mapping[str, float], folder: Path | None) -> None:
    """Reports an epoch to Ray. Does nothing outside of a function that Ray Train or Tune runs.

    Ray Train waits until all workers have reported, so each of them must call this.

    Args:
      row: measured numbers by name.
      folder: the run folder, which Ray copies as a checkpoint; None for workers that are not the
        chief.
    """
    session = _session()
    if session is None:
        return
    checkpoint = session.Checkpoint.from_directory(str(folder)) if folder else None
    session.report({name: float(value) for name, value in row.items()}, checkpoint=checkpoint)


def _session() -> Any:
    """Returns `ray.train` or `ray.tune`, whichever runs this process' function; None if none."""
    train = sys.modules.get("ray.train")
    if train is None:
        return None
    try:
        return train if train.get_context().get_world_size() else None
    except DeprecationWarning:  # Ray raises it as an error in a function of Tune
        return sys.modules["ray.tune"]
    except RuntimeError:  # this function is not run by a worker
        return None
