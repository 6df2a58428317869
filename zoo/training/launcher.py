"""Starts the workers of one training on this machine, and ends them together.

Several machines need no launcher: their scheduler starts the workers and tells each where it
stands (`docs/scaling.md`).
"""

from __future__ import annotations

import json
import os
import shlex
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from typing import IO, Any

from zoo.errors import UsageError
from zoo.processes import module_command

GRACE = 10.0  # seconds that workers have to end by themselves when one has failed
COMMAND = "ZOO_COMMAND"  # tells workers what to print for going on


def launch(arguments: Sequence[str], workers: int) -> int:
    """Runs `zoo train` in several processes that train one model, each on a port of its own.

    The chief's output is shown. When one fails, the others are ended, and its error is the first
    that is shown. SIGINT, SIGTERM and SIGHUP are passed on: workers stop after the same step.

    Args:
      arguments: of `zoo`, the first is `train`; `--strategy multiworker` is added.
      workers: how many processes.

    Returns:
      The exit code: that of the first that failed, or 0.

    Raises:
      UsageError: arguments that workers cannot train with.
    """
    arguments = list(arguments)
    if not arguments or arguments[0] != "train":
        raise UsageError("Workers can only train: zoo launch --workers 2 -- train NAME …")
    given = _given("--strategy", arguments)
    if given not in (None, "multiworker"):
        raise UsageError("Workers need --strategy multiworker, which need not be given.")
    command = module_command("zoo", *arguments)
    command += [] if given else ["--strategy", "multiworker"]
    cores = os.cpu_count() or 1
    with ExitStack() as stack:
        errors: list[IO[str]] = []
        processes: list[subprocess.Popen] = []
        stack.callback(_end, processes)
        _forward(processes, stack)
        for index, config in enumerate(configurations(workers)):
            error = stack.enter_context(tempfile.TemporaryFile("w+", errors="replace"))
            errors.append(error)
            environment = {
                "TF_NUM_INTRAOP_THREADS": str(max(1, cores // workers)),
                COMMAND: f"launch --workers {workers} -- {shlex.join(arguments)}",
                **os.environ,
                "TF_CONFIG": config,
            }
            processes.append(
                subprocess.Popen(
                    command,
                    env=environment,
                    stdin=subprocess.DEVNULL,
                    stdout=None if index == 0 else subprocess.DEVNULL,
                    stderr=error,
                    start_new_session=True,  # a terminal's Ctrl-C comes from here alone
                    preexec_fn=_die_with_parent,
                )
            )
        failed = _wait(processes)
        if failed is None:
            return 0
        return _tell(failed, processes, errors)


def _given(option: str, arguments: Sequence[str]) -> str | None:
    """Returns the value of an option among arguments, as `--x value` or `--x=value`."""
    for place, part in enumerate(arguments):
        name, equals, value = part.partition("=")
        if name == option:
            return value if equals else "".join(arguments[place + 1 : place + 2])
    return None


def _wait(processes: list[subprocess.Popen]) -> int | None:
    """Waits until all have ended, or one has failed; returns which, or None."""
    while True:
        codes = [process.poll() for process in processes]
        wrong = [index for index, code in enumerate(codes) if code]
        if wrong:
            _end(processes)
            return wrong[0]
        if all(code == 0 for code in codes):
            return None
        time.sleep(0.1)


def _end(processes: list[subprocess.Popen]) -> None:
    """Ends what still runs: politely, then by force."""
    for process in processes:
        if process.poll() is None:
            process.terminate()
    until = time.monotonic() + GRACE
    for process in processes:
        try:
            process.wait(max(0.0, until - time.monotonic()))
        except subprocess.TimeoutExpired:
            process.kill()  # it waits in TensorFlow for one that is gone
            process.wait()


def _tell(failed: int, processes: list[subprocess.Popen], errors: list[IO[str]]) -> int:
    """Prints what the workers say, the one that failed first; returns the exit code."""
    told: set[str] = set()  # what all of them say is said once
    for index in sorted(range(len(processes)), key=lambda index: index != failed):
        errors[index].seek(0)
        said = [line for line in errors[index].read().splitlines() if _ours(line)]
        code = processes[index].returncode
        if index == failed and code < 0:
            said.append(f"Error: it was ended by {signal.Signals(-code).name}.")
        for line in said:
            if line not in told:
                print(f"worker {index}: {line}", file=sys.stderr)
        told.update(said)
    code = processes[failed].returncode
    return code if code > 0 else 1


def _ours(line: str) -> bool:
    return bool(os.environ.get("ZOO_DEBUG")) or line.startswith("Error: ")


def _forward(processes: list[subprocess.Popen], stack: ExitStack) -> None:
    """Passes SIGINT, SIGTERM and SIGHUP on to the workers."""

    def forward(number: int, _: Any) -> None:
        for process in processes:
            if process.poll() is None:
                process.send_signal(number)

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is signal.SIG_IGN:  # such as by nohup
            continue
        stack.callback(signal.signal, number, signal.signal(number, forward))


def _die_with_parent() -> None:
    """Has Linux send a worker SIGTERM when its launcher is killed."""
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(1, signal.SIGTERM)  # PR_SET_PDEATHSIG


def configurations(workers: int) -> list[str]:
    """Returns the `TF_CONFIG` of each of some workers on this machine, the chief's first."""
    cluster = {"worker": free_addresses(workers)}
    return [
        json.dumps({"cluster": cluster, "task": {"type": "worker", "index": index}})
        for index in range(workers)
    ]


def free_addresses(number: int) -> list[str]:
    """Returns addresses on this machine that nobody listens at yet, `127.0.0.1:port`."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(number)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [f"127.0.0.1:{each.getsockname()[1]}" for each in sockets]
