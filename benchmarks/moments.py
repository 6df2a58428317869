"""At which moments of a run a kill shall come: drawn from a seed, in every phase of it."""

from __future__ import annotations

import dataclasses
import random
import re
from collections.abc import Sequence

from benchmarks.disturb import Aim, Event
from zoo.errors import ZooError

EPOCH_ENDS = r"checkpoint/\d{5}-0{8}\.npz"
PHASES = {  # of a run: the files whose appearance shows that it has come
    "any": "",
    "steps": rf"assets\.json|{EPOCH_ENDS}",
    "checkpoint": r"checkpoint/\.\d{5}-(?!0{8}).*",
    "epoch end": r"\.model-.*|\.history.*|checkpoint/\.\d{5}-0{8}.*",
    "evaluation": r"curves\.png|\.?metrics\.json.*|\.card\.md.*",
    "export": r"\.export.*",
}
LATEST = (
    0.7  # of the checkpoints that were seen: they come by the clock, another run may make fewer
)


@dataclasses.dataclass(frozen=True)
class Kill:
    """A moment of a phase: which of its files (`where`), and when after it; both in [0, 1)."""

    phase: str
    where: float
    when: float


def plan(kills: int, seed: int) -> list[Kill]:
    """Draws moments: each phase in its turn, those in any phase evenly over the whole time."""
    draw = random.Random(seed)
    phases = [[*PHASES][number % len(PHASES)] for number in range(kills)]
    seen = dict.fromkeys(PHASES, 0)
    chosen = []
    for phase in phases:
        where = (seen[phase] + draw.random()) / phases.count(phase)
        chosen.append(Kill(phase, where, draw.random()))
        seen[phase] += 1
    return chosen


def aim(kill: Kill, events: Sequence[Event], end: float) -> Aim:
    """Turns a drawn moment into one that a run like the one that was watched will come to.

    Args:
      kill: the moment.
      events: what was seen of the run that was watched.
      end: how many seconds it lasted.
    """
    pattern = PHASES[kill.phase]
    if not pattern:
        return Aim("", 0, kill.where * end)
    came = [event for event in events if event.there and re.fullmatch(pattern, event.name)]
    if kill.phase == "steps":
        came, following = came[:-1], came[1:]  # no steps come after the last epoch's end
    if not came:
        raise ZooError(f"No {kill.phase} was seen in the undisturbed run. Make it last longer.")
    index = int(kill.where * len(came) * (LATEST if kill.phase == "checkpoint" else 1))
    if kill.phase == "steps":
        until = following[index].seconds
    else:
        until = next(
            (
                event.seconds
                for event in events
                if event.name == came[index].name
                and not event.there
                and event.seconds > came[index].seconds
            ),
            end,
        )
    return Aim(pattern, index + 1, kill.when * (until - came[index].seconds))
