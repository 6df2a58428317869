"""Draws the moments of kills from a seed, in every phase of a run."""

from __future__ import annotations

import dataclasses
import random
import re
from collections.abc import Sequence

from benchmarks.disturb import Aim, Event
from zoo.errors import ZooError

EPOCH_ENDS = r"checkpoint/\d{5}-0{8}\.npz"
PHASES = {  # phases of a run: the files that appear when each begins
    "any": "",
    "steps": rf"assets\.json|{EPOCH_ENDS}",
    "checkpoint": r"checkpoint/\.\d{5}-(?!0{8}).*",
    "epoch end": r"\.model-.*|\.history.*|checkpoint/\.\d{5}-0{8}.*",
    "evaluation": r"curves\.png|figures/.*|\.?metrics\.json.*|\.card\.md.*",
    "export": r"\.export.*",
}
# Fraction of the observed checkpoints: they depend on the clock, and another run may write fewer.
LATEST = 0.7


@dataclasses.dataclass(frozen=True)
class Kill:
    """A moment of a phase: which of its files (`where`), and the time after it; both in [0, 1)."""

    phase: str
    where: float
    when: float


def plan(kills: int, seed: int) -> list[Kill]:
    """Draws moments: the phases in turn; those of "any" evenly over the whole time."""
    generator = random.Random(seed)
    phases = [[*PHASES][number % len(PHASES)] for number in range(kills)]
    counts = dict.fromkeys(PHASES, 0)
    chosen = []
    for phase in phases:
        where = (counts[phase] + generator.random()) / phases.count(phase)
        chosen.append(Kill(phase, where, generator.random()))
        counts[phase] += 1
    return chosen


def aim(kill: Kill, events: Sequence[Event], end: float) -> Aim:
    """Converts a drawn moment to one that a run like the watched one will reach.

    Args:
      kill: the moment.
      events: of the run that was watched.
      end: how many seconds it lasted.
    """
    pattern = PHASES[kill.phase]
    if not pattern:
        return Aim("", 0, kill.where * end)
    appearances = [event for event in events if event.exists and re.fullmatch(pattern, event.name)]
    if kill.phase == "steps":
        # There are no steps after the end of the last epoch.
        appearances, following = appearances[:-1], appearances[1:]
    if not appearances:
        raise ZooError(f"No {kill.phase} was seen in the undisturbed run. Make it last longer.")
    index = int(kill.where * len(appearances) * (LATEST if kill.phase == "checkpoint" else 1))
    if kill.phase == "steps":
        phase_end = following[index].seconds
    else:
        phase_end = next(
            (
                event.seconds
                for event in events
                if event.name == appearances[index].name
                and not event.exists
                and event.seconds > appearances[index].seconds
            ),
            end,
        )
    return Aim(pattern, index + 1, kill.when * (phase_end - appearances[index].seconds))
