"""The parts of a run folder that serving reads: whether it is one, and its metrics.

Light: importing this module imports neither TensorFlow nor NumPy.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from zoo import files
from zoo.errors import ZooError

OVERWRITTEN = ".overwritten"  # the previous run, complete
MOVING = ".moving"  # its files while they are being moved there or back


def read_metrics(path: Path) -> dict[str, Any]:
    """Reads a `metrics.json`.

    Raises:
      ZooError: it is missing or damaged.
    """
    try:
        return files.read_object(path, metric=str, test=dict, baseline=dict)
    except ZooError as error:
        said = str(error).removesuffix(" Restore or delete it.")
        raise ZooError(f"{said} The `zoo train` of its run tests the weights again.") from error


def is_run(folder: Path) -> bool:
    """Whether a folder is a run folder: its `config.json` has recipe, config and run.

    Also True while its run is being overwritten.
    """
    for place in (folder, folder / OVERWRITTEN, folder / MOVING):
        try:
            files.read_object(place / "config.json", recipe=str, config=dict, run=dict)
            return True
        except ZooError:
            pass
    return False
