"""Finds the workers that train together, and the index of this process, from the environment.

TensorFlow is not imported, so that errors are reported at once. The sources are, in this order:

- `ZOO_HOSTS` and `ZOO_INDEX`, which `zoo train --hosts … --index …` sets;
- `TF_CONFIG`, as TensorFlow documents it;
- Slurm's variables of a step with more than one task.
"""

from __future__ import annotations

import dataclasses
import json
import os
import re
from collections.abc import Iterable
from typing import Any

from zoo.errors import UsageError

PATIENCE = 600.0  # seconds without progress after which workers are considered lost
HOSTS, INDEX, PORT = "ZOO_HOSTS", "ZOO_INDEX", "ZOO_PORT"
STRATEGIES = ("auto", "multiworker")  # strategies under which a process joins the others
SLURM = ("SLURM_STEP_NODELIST", "SLURM_STEP_NUM_TASKS", "SLURM_PROCID")
# Ports of Slurm jobs: below the ephemeral ports of Linux. Each job has a block.
FIRST_PORT, BLOCK, BLOCKS = 15000, 16, 1000

_EXAMPLE = '{"cluster": {"worker": ["host:port", …]}, "task": {"type": "worker", "index": 0}}'
_ADDRESS = re.compile(r"(\[[0-9a-fA-F:.%\w]+\]|[^\s:\[\]/]+):([0-9]{1,5})")


@dataclasses.dataclass(frozen=True)
class Cluster:
    """The workers, by their addresses.

    Attributes:
      addresses: `host:port` of each; the first is that of the chief.
      index: index of this process, from 0.

    Raises:
      UsageError: an address is invalid or occurs twice, or the index does not exist.
    """

    addresses: tuple[str, ...]
    index: int

    def __post_init__(self) -> None:
        for address in self.addresses:
            split_address(address)
        twice = {each for each in self.addresses if self.addresses.count(each) > 1}
        if twice:
            raise UsageError(
                f"The list of workers has {', '.join(sorted(twice))} twice. Give each worker an "
                "address of its own."
            )
        if not 0 <= self.index < len(self.addresses):
            raise UsageError(
                f"There is no worker {self.index}: the list has {len(self.addresses)}, numbered "
                f"from 0: {', '.join(self.addresses)}."
            )

    @property
    def address(self) -> str:
        return self.addresses[self.index]

    @property
    def chief(self) -> str:
        return self.addresses[0]

    @property
    def others(self) -> dict[int, str]:
        """The address of each other worker by its index."""
        return {i: each for i, each in enumerate(self.addresses) if i != self.index}


def split_address(address: str) -> tuple[str, int]:
    """Returns host and port of `host:port` or `[IPv6]:port`.

    Raises:
      UsageError: it is not an address of this form.
    """
    found = _ADDRESS.fullmatch(address)
    if not found or not 0 < int(found[2]) < 2**16:
        raise UsageError(
            f"{address!r} is not the address of a worker. Write host:port, like a.example:2222, "
            "with a port from 1 to 65535."
        )
    return found[1].strip("[]"), int(found[2])


def find_cluster(strategy: str = "auto") -> Cluster | None:
    """Returns the cluster of this process under a strategy, or None if it trains alone.

    Raises:
      UsageError: the environment is malformed, or strategy `"multiworker"` finds no cluster.
    """
    if strategy not in STRATEGIES:
        return None
    found = _from_hosts() or _from_tf_config() or _from_slurm()
    if strategy == "multiworker" and found is None:
        raise UsageError(
            "Strategy 'multiworker' needs a list of workers: give --hosts a:2222,b:2222 --index 0, "
            "set TF_CONFIG, or start the workers with srun. To start all on this machine, use "
            "`zoo launch --workers 2 -- train …`."
        )
    # A single worker needs a cluster only if "multiworker" is requested explicitly.
    return None if found and strategy == "auto" and len(found.addresses) == 1 else found


def patience() -> float:
    """Returns how many seconds workers wait for each other (`ZOO_WORKER_TIMEOUT`).

    Raises:
      UsageError: the variable is not a positive number.
    """
    text = os.environ.get("ZOO_WORKER_TIMEOUT", "")
    try:
        seconds = float(text or PATIENCE)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < 1e9:
        raise UsageError(f"ZOO_WORKER_TIMEOUT is {text!r}; it must be a number of seconds above 0.")
    return seconds


def _from_hosts() -> Cluster | None:
    text, index = os.environ.get(HOSTS, "").strip(), os.environ.get(INDEX, "").strip()
    if not text:
        if index:
            raise UsageError(
                f"{INDEX} (--index) is {index}, but there are no hosts. Give --hosts "
                f"a:2222,b:2222, or set {HOSTS}."
            )
        return None
    if not index:
        raise UsageError(
            f"Which of the hosts {text} is this one? Give --index N (from 0), or set {INDEX}."
        )
    hosts = [each.strip() for each in text.split(",")]
    return Cluster(_with_port(hosts), _number(index, f"{INDEX} (--index)", 0))


def _with_port(hosts: Iterable[str]) -> tuple[str, ...]:
    """Adds the common port to hosts without one."""
    port = _port()
    found = []
    for host in hosts:
        if host and (host.endswith("]") if host.startswith("[") else ":" not in host):
            if port is None:
                raise UsageError(
                    f"Host {host} has no port. Write {host}:2222, or give --port (or {PORT})."
                )
            host = f"{host}:{port}"
        found.append(host)
    return tuple(found)


def _port() -> int | None:
    text = os.environ.get(PORT, "").strip()
    return _number(text, f"{PORT} (--port)", 1, 2**16 - 1) if text else None


def _number(text: str, name: str, least: int, most: int | None = None) -> int:
    value = int(text) if re.fullmatch(r"[0-9]{1,9}", text) else -1
    if value < least or (most is not None and value > most):
        limits = f"from {least} to {most}" if most is not None else f"of at least {least}"
        raise UsageError(f"{name} is {text!r}; it must be a whole number {limits}.")
    return value


def _from_tf_config() -> Cluster | None:
    text = os.environ.get("TF_CONFIG", "").strip()
    if not text:
        return None
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise _wrong(f"it is not JSON: {error}") from None
    if not isinstance(value, dict):
        raise _wrong("it is not a JSON object")
    cluster, task = value.get("cluster"), value.get("task")
    if not isinstance(cluster, dict) or not cluster:
        raise _wrong("'cluster' is missing, or is not an object of lists")
    if not isinstance(task, dict):
        raise _wrong("'task' is missing, or is not an object")
    for name, addresses in cluster.items():
        if name not in ("chief", "worker"):
            raise _wrong(f"its cluster has {name!r}; only 'chief' and 'worker' are supported")
        if not isinstance(addresses, list) or not all(isinstance(x, str) for x in addresses):
            raise _wrong(f"{name!r} in its cluster is not a list of addresses")
    chiefs, workers = cluster.get("chief", []), cluster.get("worker", [])
    if len(chiefs) > 1:
        raise _wrong(f"it has {len(chiefs)} chiefs; at most one is allowed")
    index = _task_index(task, {"chief": len(chiefs), "worker": len(workers)})
    try:
        return Cluster(
            (*chiefs, *workers), index + (len(chiefs) if task["type"] == "worker" else 0)
        )
    except UsageError as error:
        raise UsageError(f"TF_CONFIG: {error}") from None


def _task_index(task: dict[str, Any], sizes: dict[str, int]) -> int:
    kind, index = task.get("type"), task.get("index")
    if not isinstance(kind, str) or kind not in sizes:
        raise _wrong(f"the type of its task is {kind!r}; it must be 'chief' or 'worker'")
    if isinstance(index, str) and re.fullmatch(r"[0-9]{1,9}", index):
        index = int(index)  # TensorFlow also accepts a string
    if not isinstance(index, int) or isinstance(index, bool):
        raise _wrong(f"the index of its task is {index!r}; it must be a whole number")
    if not 0 <= index < sizes[kind]:
        there = ", ".join(f"{number} {name}" for name, number in sizes.items() if number)
        raise _wrong(
            f"its task is {kind} {index}, but it lists {there or 'no worker'}, numbered from 0"
        )
    return index


def _wrong(what: str) -> UsageError:
    return UsageError(f"TF_CONFIG cannot be used: {what}. Write it like {_EXAMPLE}.")


def _from_slurm() -> Cluster | None:
    """Reads the variables of a Slurm step; None if it has only one task."""
    if not all(os.environ.get(name) for name in SLURM):
        return None
    nodes, tasks, rank = (os.environ[name] for name in SLURM)
    number = _number(tasks, SLURM[1], 1)
    if number == 1:
        return None
    hosts = expand_nodes(nodes)
    per_node = _tasks_per_node(os.environ.get("SLURM_STEP_TASKS_PER_NODE", ""))
    if not per_node and number % len(hosts) == 0:
        per_node = [number // len(hosts)] * len(hosts)
    if len(per_node) != len(hosts) or sum(per_node) != number:
        raise UsageError(
            f"Slurm's variables contradict each other: {number} tasks on {nodes}, of which each "
            f"has {os.environ.get('SLURM_STEP_TASKS_PER_NODE') or 'an unknown number'}."
        )
    first = _port() or _slurm_port()
    addresses = [
        f"{host}:{first + place}"
        for host, places in zip(hosts, per_node, strict=True)
        for place in range(places)
    ]
    return Cluster(tuple(addresses), _number(rank, SLURM[2], 0))


def _slurm_port() -> int:
    """Returns the first port of a Slurm step: jobs on one node use different ports."""
    job, step = (
        int(re.sub(r"\D", "", os.environ.get(name, "")) or 0)
        for name in ("SLURM_JOB_ID", "SLURM_STEP_ID")
    )
    return FIRST_PORT + BLOCK * ((job + 131 * step) % BLOCKS)


def _tasks_per_node(text: str) -> list[int]:
    """Returns the number of tasks of each node from `2(x3),1`.

    >>> _tasks_per_node("2(x3),1")
    [2, 2, 2, 1]
    """
    found: list[int] = []
    for part in text.split(",") if text else []:
        match = re.fullmatch(r"(\d+)(?:\(x(\d+)\))?", part.strip())
        if not match:
            return []
        found += [int(match[1])] * int(match[2] or 1)
    return found


def expand_nodes(text: str) -> list[str]:
    """Returns the names in a Slurm node list.

    >>> expand_nodes("gpu[08-10,12]-ib,login")
    ['gpu08-ib', 'gpu09-ib', 'gpu10-ib', 'gpu12-ib', 'login']

    Raises:
      UsageError: it is not a node list.
    """
    if not re.fullmatch(r"(?:[^\[\],\s]|\[[\d,-]+\])+(?:,(?:[^\[\],\s]|\[[\d,-]+\])+)*", text):
        raise UsageError(f"{SLURM[0]} is {text!r}, which is not a list of nodes.")
    found: list[str] = []
    for part in re.findall(r"(?:[^\[\],]|\[[^\]]*\])+", text):
        names = [""]
        for piece in re.findall(r"[^\[\]]+|\[[^\]]*\]", part):
            ends = _ranges(piece[1:-1], text) if piece.startswith("[") else [piece]
            names = [name + end for name in names for end in ends]
        found += names
    return found


def _ranges(text: str, whole: str) -> list[str]:
    found = []
    for part in text.split(","):
        match = re.fullmatch(r"(\d+)(?:-(\d+))?", part)
        if not match:
            raise UsageError(f"{SLURM[0]} is {whole!r}, which is not a list of nodes.")
        first, last = match[1], match[2] or match[1]
        found += [str(n).zfill(len(first)) for n in range(int(first), int(last) + 1)]
    return found
