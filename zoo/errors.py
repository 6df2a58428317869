"""Errors that say in one line what went wrong, why, and what to do."""

from __future__ import annotations

from collections.abc import Iterable


class ZooError(Exception):
    """Something failed. The command line prints its message and exits with 1."""


class UsageError(ZooError, ValueError):
    """The request itself is wrong (name, option, value). The command line exits with 2."""


class WorkersLost(ZooError):
    """Other workers are lost; the same command on all goes on. The command line exits with 203.

    So that whoever starts workers can tell what to try again from what fails again: 128 or more,
    as for a process that a signal has ended, and 75, EX_TEMPFAIL.
    """


class Interrupted(KeyboardInterrupt):
    """Training was asked to stop (Ctrl-C, SIGTERM) and has left a run that can be resumed.

    Attributes:
      epoch: epoch it stopped in, from 1; 0 if training had not begun.
      step: steps of that epoch that are done.
      signum: the signal that asked for it.
      place: where it stopped, for people.
    """

    def __init__(self, epoch: int, step: int, signum: int, place: str = "") -> None:
        self.place = place or f"in epoch {epoch} after step {step}"
        super().__init__(f"stopped {self.place}")
        self.epoch, self.step, self.signum = epoch, step, signum


WORKERS_LOST = 128 + 75


def exit_code(error: BaseException) -> int:
    """Returns what the command line exits with after an error of ours or of another's."""
    if isinstance(error, Interrupted):
        return 128 + error.signum
    if isinstance(error, WorkersLost):
        return WORKERS_LOST
    return 2 if isinstance(error, UsageError) else getattr(error, "exit_code", 1)


def suggest(name: str, known: Iterable[str]) -> str:
    """Returns `" Did you mean 'x'?"`, or lists what there is when nothing comes near."""
    import difflib

    known = sorted(known)
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    if near:
        return f" Did you mean {near[0]!r}?"
    return f" There is: {', '.join(known)}." if known else ""
