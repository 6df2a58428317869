"""Runs commands as forks of one process that has imported everything and computed nothing.

Importing TensorFlow takes longer than most of these commands. A fork need not import it again.
"""

from __future__ import annotations

import os
import signal
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO

from zoo.errors import STOPPING

LIMIT = 600.0  # seconds after which a process counts as hung


def warm() -> None:
    """Imports the packages that the commands need."""
    import keras  # noqa: F401
    import matplotlib.pyplot  # noqa: F401
    import pandas  # noqa: F401
    import scipy.stats  # noqa: F401
    import sklearn  # noqa: F401
    import tensorflow  # noqa: F401

    import zoo.training.fit  # noqa: F401


def start(action: Callable[[], object], log: Path | IO[str]) -> int:
    """Calls a function in a forked process without standard input; returns the process id.

    Args:
      action: may raise SystemExit.
      log: receives the output; a path is overwritten.
    """
    child = os.fork()
    if child:
        return child
    code = 99
    for signum in STOPPING:  # of a parent that ignores them, such as one under nohup
        signal.signal(signum, signal.SIG_DFL)
    try:
        if isinstance(log, Path):
            said = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        else:
            said = log.fileno()
        for number, target in ((0, os.open(os.devnull, os.O_RDWR)), (1, said), (2, said)):
            os.dup2(target, number)
        action()
        code = 0
    except SystemExit as stop:
        code = stop.code if isinstance(stop.code, int) else int(stop.code is not None)
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def command(arguments: Sequence[str]) -> Callable[[], object]:
    """Returns a function that runs `zoo ARGUMENTS`, or `python -m benchmarks pack …`."""

    def run() -> None:
        from benchmarks.cli import benchmarks
        from zoo.cli import main
        from zoo.cli import run as run_command

        sys.argv = ["zoo", *arguments]
        if arguments[0] == "pack":
            run_command(benchmarks, "python -m benchmarks")
        main()

    return run


def poll(process: int) -> int | None:
    """Returns the exit code of a process, None if it is running: as `subprocess.Popen.poll`."""
    found, status = os.waitpid(process, os.WNOHANG)
    return os.waitstatus_to_exitcode(status) if found else None


def wait(process: int) -> int:
    """Waits for a process; a process that hangs is killed, and has the exit code -9."""
    began = time.monotonic()
    while (code := poll(process)) is None:
        if time.monotonic() - began > LIMIT:
            os.kill(process, 9)
        time.sleep(0.005)
    return code


def call(action: Callable[[], object], log: Path) -> int:
    return wait(start(action, log))
