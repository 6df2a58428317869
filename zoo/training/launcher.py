"""Starts the workers of one training on this machine, and terminates them together.

Several machines need no launcher: their scheduler starts the workers and gives each its index and
the addresses (`docs/scaling.md`).
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
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from zoo import files
from zoo.cluster import HOSTS, INDEX, PORT
from zoo.data.origin import Custom, Named, parse_origin
from zoo.errors import STOPPING, WORKERS_LOST, UsageError
from zoo.processes import module_command

if TYPE_CHECKING:
    from zoo.config import Config
    from zoo.data.dataset import Dataset
    from zoo.data.origin import DataLike
    from zoo.recipe import Recipe

GRACE = 10.0  # seconds for workers to exit by themselves after one has failed
COMMAND = "ZOO_COMMAND"  # tells workers which command to print for resuming


def launch(arguments: Sequence[str], workers: int) -> int:
    """Runs `zoo train` in several processes that train one model, each on its own port.

    The chief's output is shown. When one worker fails, the others are terminated, and its error is
    shown first. SIGINT, SIGTERM and SIGHUP are forwarded: workers stop after the same step.

    Args:
      arguments: arguments of `zoo`, the first is `train`; `--strategy multiworker` is added.
      workers: number of processes.

    Returns:
      The exit code: 0, that of a worker that failed, or 203 if one was killed.

    Raises:
      UsageError: arguments that workers cannot train with.
    """
    arguments = list(arguments)
    if not arguments or arguments[0] != "train":
        raise UsageError("Workers can only train: zoo launch --workers 2 -- train NAME …")
    strategy = option_of("--strategy", arguments)
    if strategy not in (None, "multiworker"):
        raise UsageError(
            "Workers are trained with --strategy multiworker, which is the default here. "
            "Omit --strategy."
        )
    if option_of("--hosts", arguments) is not None:
        raise UsageError("`zoo launch` gives its workers their addresses; omit --hosts.")
    command = module_command("zoo", *arguments)
    command += [] if strategy else ["--strategy", "multiworker"]
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
            for name in (HOSTS, INDEX, PORT):  # which would take precedence
                environment.pop(name, None)
            processes.append(
                subprocess.Popen(
                    command,
                    env=environment,
                    stdin=subprocess.DEVNULL,
                    stdout=None if index == 0 else subprocess.DEVNULL,
                    stderr=error,
                    start_new_session=True,  # only this process receives Ctrl-C of a terminal
                    preexec_fn=_die_with_parent,
                )
            )
        failed = _wait(processes)
        if failed is None:
            return 0
        return _tell(failed, processes, errors)


def isolate(missing: str = "", *, demanded: bool = False) -> str:
    """Moves this process, and those that it will start, into an isolated network.

    TensorFlow listens on all interfaces and executes requests without authentication. In a Linux
    network namespace, the workers can only reach each other, and nothing else can reach them.
    They cannot download data either.

    Args:
      missing: what has to be downloaded, as `to_fetch` returns it; "" if nothing.
      demanded: isolate it even so, and fail if it is not possible.

    Returns:
      "", or a line on why this process was not isolated.

    Raises:
      UsageError: isolation is demanded and not possible.
    """
    missing = "" if demanded else missing
    if not missing and _try(_enter_network):
        _enter_network()
        return ""
    reason = missing or "this system allows no network namespace"
    if demanded:
        raise UsageError(
            f"Workers cannot be isolated: {reason}. Omit --isolate, and use a firewall."
        )
    return (
        "while they train, the workers listen on all interfaces of this machine without "
        f"authentication ({reason}). Use a firewall."
    )


def to_fetch(recipe: Recipe, config: Config, data: DataLike) -> str:
    """Returns what a training may have to download, "" if nothing.

    Args:
      recipe: the recipe to train.
      config: with the settings of the user.
      data: as `zoo.train` takes it.

    Raises:
      UsageError: an unknown source, or a missing file or folder.
    """
    if files.offline():
        return ""
    if config.downloads:
        return f"{config.downloads} may have to be downloaded; give --isolate if they are here"
    dataset = recipe.data(config)
    origin = parse_origin(data, dataset.keys)
    if isinstance(origin, Custom) or origin == Named("sample"):
        return ""
    key = origin.key if isinstance(origin, Named) else None
    wanted = dataset.sources_of(key)
    if not wanted or any(each.status().state == "ready" for each in wanted):
        return ""
    first = "run `zoo train` without `zoo launch` first, which downloads them"
    if _described(dataset, key) == _described(recipe.dataset, key):  # what is fetched by name
        source = f" --source {key}" if key else ""
        first = f"run `zoo data fetch {shlex.quote(recipe.reference)}{source}` first"
    return f"the data have to be downloaded; {first}"


def _described(dataset: Dataset, key: str | None) -> tuple[str, list[str]]:
    """Returns the name of a dataset and the titles of its sources with a key."""
    return dataset.name, [source.title for source in dataset.sources_of(key)]


def _try(action: Callable[[], None]) -> bool:
    """Returns whether an action succeeds in a child process."""
    if not hasattr(os, "fork"):
        return False
    child = os.fork()
    if child == 0:
        code = 1
        try:
            action()
            code = 0
        finally:
            os._exit(code)
    return os.waitpid(child, 0)[1] == 0


def _enter_network() -> None:
    """Enters a new network namespace and sets up its loopback.

    Raises:
      OSError: the system does not allow it.
    """
    if sys.platform != "linux":
        raise OSError("only Linux has network namespaces")
    import ctypes
    import fcntl
    import struct

    network, user = 0x40000000, 0x10000000  # CLONE_NEWNET, CLONE_NEWUSER
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(network):
        # Root in another user namespace could no longer write files of other users.
        number, group = os.geteuid(), os.getegid()
        if number == 0 or libc.unshare(network | user):
            raise OSError(ctypes.get_errno(), "unshare")
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"{number} {number} 1")
        Path("/proc/self/gid_map").write_text(f"{group} {group} 1")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        up = struct.pack("16sh22x", b"lo", 1)  # IFF_UP
        fcntl.ioctl(any_socket, 0x8914, up)  # SIOCSIFFLAGS


def option_of(option: str, arguments: Sequence[str]) -> str | None:
    """Returns the value of an option in arguments, given as `--x value` or `--x=value`."""
    for place, part in enumerate(arguments):
        name, equals, value = part.partition("=")
        if name == option:
            return value if equals else "".join(arguments[place + 1 : place + 2])
    return None


def _wait(processes: list[subprocess.Popen]) -> int | None:
    """Waits until all processes have ended or one has failed; returns its index, or None."""
    while True:
        codes = [process.poll() for process in processes]
        if any(codes):
            _end(processes, by_themselves=True)
            # A worker that reports another one as lost is not the one that failed.
            ended = [process.returncode for process in processes]
            return min(range(len(ended)), key=lambda index: _rank(ended[index]))
        if all(code == 0 for code in codes):
            return None
        time.sleep(0.1)


def _rank(code: int) -> int:
    """Orders exit codes: errors first, then signals, then lost workers, then 0."""
    if code == WORKERS_LOST:
        return 2
    return 3 if code in (0, -signal.SIGTERM, 128 + signal.SIGTERM) else 1 if code < 0 else 0


def _end(processes: list[subprocess.Popen], by_themselves: bool = False) -> None:
    """Terminates the processes that still run: gracefully, then by force.

    Args:
      by_themselves: first give them time to learn of the failure and exit.
    """
    until = time.monotonic() + GRACE
    while by_themselves and time.monotonic() < until:
        by_themselves = any(process.poll() is None for process in processes)
        time.sleep(0.1)
    for process in processes:
        if process.poll() is None:
            process.terminate()
    until = time.monotonic() + GRACE
    for process in processes:
        try:
            process.wait(max(0.0, until - time.monotonic()))
        except subprocess.TimeoutExpired:
            process.kill()  # it waits in TensorFlow for a lost worker
            process.wait()


def _tell(failed: int, processes: list[subprocess.Popen], errors: list[IO[str]]) -> int:
    """Prints the workers' errors, that of the failed one first; returns the exit code."""
    told: set[str] = set()  # identical messages are printed once
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
    if -code in STOPPING:  # stopped on request before training started
        return 128 - code
    return code if code > 0 else WORKERS_LOST


def _ours(line: str) -> bool:
    return bool(os.environ.get("ZOO_DEBUG")) or line.startswith("Error: ")


def _forward(processes: list[subprocess.Popen], stack: ExitStack) -> None:
    """Forwards SIGINT, SIGTERM and SIGHUP to the workers."""

    def forward(number: int, _: Any) -> None:
        for process in processes:
            if process.poll() is None:
                process.send_signal(number)

    for number in STOPPING:
        if signal.getsignal(number) is signal.SIG_IGN:  # such as by nohup
            continue
        stack.callback(signal.signal, number, signal.signal(number, forward))


def _die_with_parent() -> None:
    """Makes Linux send SIGTERM to a worker when its launcher is killed."""
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(1, signal.SIGTERM)  # PR_SET_PDEATHSIG


def configurations(workers: int) -> list[str]:
    """Returns the `TF_CONFIG` of each worker on this machine, the chief's first."""
    cluster = {"worker": free_addresses(workers)}
    return [
        json.dumps({"cluster": cluster, "task": {"type": "worker", "index": index}})
        for index in range(workers)
    ]


def free_addresses(number: int) -> list[str]:
    """Returns free addresses on this machine, `127.0.0.1:port`."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(number)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [f"127.0.0.1:{each.getsockname()[1]}" for each in sockets]
