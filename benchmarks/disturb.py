"""Disturbs a process: kills it at a chosen moment, fills its disk, makes its disk read-only."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import re
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from zoo.errors import ZooError

LIMIT = 900.0  # seconds after which a process counts as hung
POLL = 0.001  # seconds between two listings of the folder: a small file is written within a few
_NUMBERED = re.compile(r"\.\d+\.part|-[0-9a-f]{32}")  # parts of names that differ between processes


@dataclasses.dataclass(frozen=True)
class Event:
    """A file in a folder appears (`exists`) or disappears, `seconds` after the process began."""

    seconds: float
    name: str
    exists: bool


@dataclasses.dataclass(frozen=True)
class Aim:
    """When to send SIGKILL: `delay` seconds after the `nth` file like `pattern` has appeared.

    Files from before the process began do not count. An empty pattern: after the
    process has begun.
    """

    pattern: str
    nth: int
    delay: float


@dataclasses.dataclass(frozen=True)
class Outcome:
    """How a process ended.

    Attributes:
      code: its exit code; negative: the signal that ended it.
      out, err: what it printed.
      seconds: how long it ran.
      killed_at: when it was killed, in seconds after its start; None: it was not.
      events: files that were seen to appear and disappear in the folder.
      remaining: the names in the folder after its end.
    """

    code: int
    out: str
    err: str
    seconds: float
    killed_at: float | None
    events: list[Event]
    remaining: list[str]

    @property
    def killed(self) -> bool:
        return self.code == -signal.SIGKILL

    @property
    def failed_cleanly(self) -> bool:
        """Whether it ended with exit code 1 and one line with the reason."""
        lines = self.err.strip().splitlines()
        return (
            self.code == 1
            and len(lines) == 1
            and lines[0].startswith("Error: ")
            and "should not happen" not in lines[0]
            and "Traceback" not in self.out
        )


def names(folder: Path) -> list[str]:
    """Returns the names in a run folder and its `checkpoint`; temporary files without numbers."""
    result = []
    for part in ("", "checkpoint/"):
        with contextlib.suppress(OSError), os.scandir(folder / part) as entries:
            result += [part + _NUMBERED.sub(".part", entry.name) for entry in entries]
    return sorted(result)


def watch(
    command: Sequence[str],
    folder: Path,
    aim: Aim | None = None,
    on_start: Callable[[subprocess.Popen], None] | None = None,
    kill: Callable[[subprocess.Popen], None] = subprocess.Popen.kill,
) -> Outcome:
    """Runs a process, watches a folder, and kills the process at the moment `aim`.

    Returns when the process has ended.

    Args:
      command: the program and its arguments.
      folder: the run folder, or the target of an export.
      aim: when to kill it; None: let it end by itself.
      on_start: called with the process as soon as it runs.
      kill: called with the process when the moment has come.

    Raises:
      ZooError: it did not end within `LIMIT` seconds.
    """
    pattern = re.compile(aim.pattern) if aim and aim.pattern else None
    before, events, count = set(names(folder)), [], 0
    deadline = aim.delay if aim and not pattern else None
    killed_at = None
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        start = time.monotonic()
        process = subprocess.Popen(command, stdout=out, stderr=err, stdin=subprocess.DEVNULL)
        try:
            if on_start:
                on_start(process)
            while process.poll() is None:
                now = set(names(folder))
                seconds = time.monotonic() - start
                events += [Event(seconds, name, False) for name in sorted(before - now)]
                for name in sorted(now - before):
                    events.append(Event(seconds, name, True))
                    if pattern and pattern.fullmatch(name):
                        count += 1
                        if aim and count == aim.nth:
                            deadline = seconds + aim.delay
                before = now
                if killed_at is None and deadline is not None and seconds >= deadline:
                    kill(process)
                    killed_at = time.monotonic() - start
                elif seconds > LIMIT:
                    raise ZooError(f"`{' '.join(command)}` did not end within {LIMIT:.0f} s.")
                else:
                    time.sleep(POLL)
        finally:
            process.kill()
            process.wait()
        seconds = time.monotonic() - start
        texts = []
        for file in (out, err):
            file.seek(0)
            texts.append(file.read())
    return Outcome(
        process.returncode, texts[0], texts[1], seconds, killed_at, events, names(folder)
    )


def children(process: subprocess.Popen) -> list[int]:
    """Returns the ids of the processes that a process has started, in their order (Linux)."""
    listed = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    try:
        return [int(number) for number in listed.read_text().split()]
    except OSError as error:
        raise ZooError(f"The system does not list the workers ({error}).") from error


def mountable() -> bool:
    """Whether a small disk in memory can be mounted here, which needs the rights of root."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            with small_disk(Path(folder), 64):
                return True
        except ZooError:
            return False


@contextlib.contextmanager
def small_disk(folder: Path, kibibytes: int) -> Iterator[Callable[[str], None]]:
    """Mounts a disk in memory at `folder`; yields a function that mounts it with other options.

    Raises:
      ZooError: it cannot be mounted.
    """

    def mount(*arguments: str) -> None:
        try:
            done = subprocess.run(["mount", *arguments, str(folder)], capture_output=True)
        except OSError as error:
            raise ZooError(f"`mount` cannot be run ({error}).") from error
        if done.returncode:
            reason = done.stderr.decode(errors="replace").strip()
            raise ZooError(f"`mount {' '.join(arguments)}` failed ({reason}).")

    folder.mkdir(parents=True, exist_ok=True)
    mount("-t", "tmpfs", "-o", f"size={kibibytes}k", "tmpfs")
    try:
        yield lambda options: mount("-o", f"remount,{options}")
    finally:
        subprocess.run(["umount", str(folder)], check=True, capture_output=True)


def cut(path: Path) -> None:
    """Removes the second half of a file."""
    os.truncate(path, path.stat().st_size // 2)


def flip(path: Path) -> None:
    """Flips a bit in the middle of a file."""
    with open(path, "r+b") as file:
        file.seek(path.stat().st_size // 2)
        byte = file.read(1)[0]
        file.seek(-1, os.SEEK_CUR)
        file.write(bytes([byte ^ 1]))
