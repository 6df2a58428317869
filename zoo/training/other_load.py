"""How many cores other processes use: times are comparable only on an idle machine."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

IDLE = 0.1  # a machine is idle if other processes use fewer cores than this


class OtherLoad:
    """Measures how many cores other processes use, from now on. Known on Linux only."""

    def __init__(self) -> None:
        self._machine, self._own = machine_seconds(), time.process_time()
        self._begun = time.perf_counter()

    def cores(self) -> float | None:
        """Returns the mean number of cores since the start; None if it is unknown."""
        now = machine_seconds()
        if now is None or self._machine is None:
            return None
        others = now - self._machine - (time.process_time() - self._own)
        return max(0.0, others) / max(1e-9, time.perf_counter() - self._begun)


def machine_seconds(stat: Path = Path("/proc/stat")) -> float | None:
    """Returns the CPU time of all processes since this machine has started, in seconds.

    Args:
      stat: see proc_stat(5). Waiting (`idle`, `iowait`) is not counted, and `guest` is part of
        `user`.

    Returns:
      None if the file cannot be read.
    """
    try:
        user, nice, system, _, _, *rest = map(int, stat.read_text().split("\n")[0].split()[1:9])
    except (OSError, ValueError):
        return None
    return (user + nice + system + sum(rest)) / os.sysconf("SC_CLK_TCK")


def described(cores: float | None) -> dict[str, Any]:
    """Returns what is recorded of a number of cores that other processes used.

    Returns:
      `other_cores`, the number, and `idle`, whether it is below `IDLE`; both None if unknown.
    """
    if cores is None:
        return {"other_cores": None, "idle": None}
    return {"other_cores": round(cores, 2), "idle": cores < IDLE}
