"""Robustness tests drawn from a seed: odd batches, bad servers, kills.

Each part can be repeated separately; the others are then kept in the output file.
"""

from __future__ import annotations

import resource
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.attack.batches import MODELS, attack_batches
from benchmarks.attack.downloads import KINDS, Behave, attack_downloads
from benchmarks.attack.kills import CONTESTS, attack_kills
from zoo import files
from zoo.environment import environment
from zoo.errors import UsageError, suggest

PARTS = ("batches", "downloads", "kills")


def attack(
    output: str | Path,
    *,
    parts: Sequence[str] = PARTS,
    batches: int = 10_000,
    kills: int = 100,
    seed: int = 0,
    models: Mapping[str, float] = MODELS,
    servers: Mapping[str, Behave] = KINDS,
    contests: Sequence[str] = CONTESTS,
    jobs: int = 2,
    log: Callable[[str], None] = lambda line: None,
) -> dict[str, Any]:
    """Runs the attacks and reports the failures.

    Args:
      output: JSON file to write. Parts of the same seed that it has and that are not repeated
        are kept.
      parts: of `PARTS`, those to do.
      batches: how many, of all models together, about.
      kills: how many.
      seed: of all that is drawn.
      models: names of packed models, to their shares of the batches.
      servers: kinds of them.
      contests: kinds of several commands in one folder.
      jobs: processes at a time.
      log: called with a line for each model and part.

    Returns:
      What it writes: the parts with their counts, seconds and failures; and all failures' number.

    Raises:
      UsageError: an unknown part.
      ZooError: an undisturbed command fails.
    """
    for part in parts:
        if part not in PARTS:
            raise UsageError(f"Unknown part {part!r}.{suggest(part, PARTS)}")
    path = Path(output)
    with files.temporary_folder() as folder:
        ways: dict[str, Callable[[], dict[str, Any]]] = {
            "kills": lambda: attack_kills(
                kills, seed, folder / "kills", log, contests=contests, jobs=jobs
            ),
            "downloads": lambda: attack_downloads(seed, folder / "downloads", log, servers),
            "batches": lambda: attack_batches(
                models, batches, seed, folder / "batches", log, jobs=jobs
            ),
        }
        for part, way in ways.items():
            if part in parts:
                began, used = time.monotonic(), _processor_seconds()
                found = {
                    **way(),
                    "seconds": round(time.monotonic() - began),
                    "processor_seconds": round(_processor_seconds() - used),
                }
                result = _with_part(path, seed, part, found)
                files.write_json(path, result)
    return result


def _with_part(path: Path, seed: int, part: str, found: dict[str, Any]) -> dict[str, Any]:
    """Returns a file's results of a seed, with one part replaced."""
    before = files.read_object(path) if path.exists() else {}
    kept = before.get("parts", {}) if before.get("seed") == seed else {}
    parts = {**kept, part: found}
    return {
        "kind": "attack",
        "seed": seed,
        "failures": sum(len(each["failures"]) for each in parts.values()),
        "parts": {name: parts[name] for name in PARTS if name in parts},
        "environment": environment(),
    }


def _processor_seconds() -> float:
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)
