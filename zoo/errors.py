"""Errors that say in one line what went wrong, why, and what to do."""

from __future__ import annotations

import errno
import math
import numbers
import os
import re
import signal
from collections.abc import Iterable, Mapping, Set
from typing import Any

# C0 and C1, line separators, and characters that change the direction of text.
CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")

QUOTED = 200  # maximum characters of a quoted value in a message
LONGEST = 2000  # maximum characters of a line
WORKERS_LOST = 128 + 75
# Signals that stop training so that it can be resumed.
STOPPING = (signal.SIGINT, signal.SIGTERM, *([signal.SIGHUP] if hasattr(signal, "SIGHUP") else []))


class ZooError(Exception):
    """An operation failed. The command line prints the message and exits with 1."""


class UsageError(ZooError, ValueError):
    """The request itself is wrong (name, option, value). The command line exits with 2."""


class WorkersLost(ZooError):
    """Other workers are lost; the same command on all resumes. The command line exits with 203.

    The code tells a program that starts workers to retry: it is 128, as for a process that was
    terminated by a signal, plus 75, EX_TEMPFAIL.
    """


class Interrupted(KeyboardInterrupt):
    """Training was stopped by a signal (Ctrl-C, SIGTERM, SIGHUP); the run can be resumed.

    Attributes:
      epoch: epoch in which it stopped, from 1; 0 if training had not started.
      step: number of completed steps of that epoch.
      signum: the signal that was received.
      place: readable description of where it stopped.
    """

    def __init__(self, epoch: int, step: int, signum: int, place: str = "") -> None:
        self.place = place or f"in epoch {epoch} after step {step}"
        super().__init__(f"stopped {self.place}")
        self.epoch, self.step, self.signum = epoch, step, signum


def exit_code(error: BaseException) -> int:
    """Returns the exit code of the command line for any exception."""
    if isinstance(error, Interrupted):
        return 128 + error.signum
    if isinstance(error, WorkersLost):
        return WORKERS_LOST
    return 2 if isinstance(error, UsageError) else getattr(error, "exit_code", 1)


def check_integer(
    name: str, value: object, least: int | None = None, most: int | None = None
) -> None:
    """Checks an argument.

    Args:
      name: of the argument.
      value: given for it.
      least, most: its range; `most` needs `least`.

    Raises:
      UsageError: it is not an integer, or out of range.
    """
    if isinstance(value, bool) or not isinstance(value, numbers.Integral):
        raise UsageError(f"{name} must be an integer; got {quoted(value)}.")
    number = int(value)
    if least is not None and (number < least or (most is not None and number > most)):
        meaning = f"at least {least}" if most is None else f"from {least} to {most}"
        raise UsageError(f"{name} must be {meaning}; got {value}.")


def check_number(name: str, value: object, least: float = -math.inf) -> None:
    """Checks an argument.

    Raises:
      UsageError: it is not a finite number, or below `least`.
    """
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        raise UsageError(f"{name} must be a number; got {quoted(value)}.")
    if not math.isfinite(value):
        raise UsageError(f"{name} must be a finite number; got {float(value)}.")
    if value < least:
        raise UsageError(f"{name} must be at least {least:g}; got {float(value):g}.")


def check_flag(name: str, value: object) -> None:
    """Checks an argument; a NumPy bool is one, too.

    Raises:
      UsageError: it is neither True nor False.
    """
    if type(value).__name__ not in ("bool", "bool_"):
        raise UsageError(f"{name} must be True or False; got {quoted(value)}.")


def check_text(name: str, value: object) -> None:
    """Checks an argument.

    Raises:
      UsageError: it is not a str.
    """
    if not isinstance(value, str):
        raise UsageError(f"{name} must be a str; got {quoted(value)}.")


def check_path(name: str, value: object) -> None:
    """Checks an argument that names a file or folder, which need not exist.

    Raises:
      UsageError: it is neither a str nor a path, or not a valid file name.
    """
    text = os.fspath(value) if isinstance(value, os.PathLike) else value
    if not isinstance(text, str):
        raise UsageError(f"{name} must be a str or a Path; got {quoted(value)}.")
    try:
        os.lstat(text)
    except FileNotFoundError:
        pass
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        if isinstance(error, ValueError) or error.errno == errno.ENAMETOOLONG:
            raise UsageError(f"{name} is {quoted(text)}, which is not a path ({reason}).") from None


def check_mapping(name: str, value: object) -> None:
    """Checks an argument that may be None.

    Raises:
      UsageError: it is not a dict, or a key is not a str.
    """
    if value is None:
        return
    if not isinstance(value, Mapping):
        raise UsageError(f"{name} must be a dict; got {quoted(value)}.")
    for key in value:
        check_text(f"A name in {name}", key)


def check_items(name: str, value: object) -> Iterable[Any]:
    """Returns an argument that must be a list, a tuple, or another ordered iterable of items.

    Raises:
      UsageError: it is one text, a dict, a set, or not iterable.
    """
    wrong = isinstance(value, str | bytes | Mapping | Set)
    if wrong or not isinstance(value, Iterable):
        raise UsageError(f"{name} must be a list; got {quoted(value)}.")
    return value


def check_list(name: str, value: object) -> list[Any]:
    """Returns the items of an argument; raises the errors of `check_items`."""
    return list(check_items(name, value))


def shortened(text: str, limit: int = QUOTED) -> str:
    """Returns a text for a message: one line of at most `limit` characters.

    A longer text is truncated; control characters, which a terminal may execute, become spaces.
    """
    cut = text if len(text) <= limit else text[: limit - 1] + "…"
    return CONTROL.sub(" ", cut)


def quoted(value: object, limit: int = QUOTED) -> str:
    """Returns `repr(value)` for a message: at most `limit` characters between the quotes.

    >>> quoted("x" * 1000, limit=5)
    "'xxxx…'"
    """
    cut = value[: limit + 1] if isinstance(value, (str, bytes)) else value  # it may be huge
    try:
        shown = repr(cut)
    except ValueError:  # an integer with more digits than Python prints
        shown = f"an object of type {type(value).__name__}"
    if isinstance(value, (str, bytes)):
        head = shown.index(shown[-1]) + 1
        return shown[:head] + shortened(shown[head:-1], limit) + shown[-1]
    return shortened(shown, limit)


def first_line(error: Exception) -> str:
    """Returns the first line of a library's error, without TensorFlow's `{{node …}}`."""
    text = re.sub(r"\{\{.*?\}\}", "", str(error)).strip() or type(error).__name__
    return text.splitlines()[0].rstrip(".")


def suggest(name: object, known: Iterable[str]) -> str:
    """Returns `" Did you mean 'x'?"`, or a list of the known names if none is similar."""
    known = sorted(shortened(each) for each in known)
    listed = f" There is: {', '.join(known)}." if known else ""
    return nearest(name, known) or listed


def nearest(name: object, known: Iterable[str]) -> str:
    """Returns `" Did you mean 'x'?"` if a known name is similar, else `""`.

    For messages that list the known names themselves.
    """
    import difflib

    known = sorted(shortened(each) for each in known)
    near = difflib.get_close_matches(shortened(str(name)), known, n=1, cutoff=0.5)
    return f" Did you mean {near[0]!r}?" if near else ""
