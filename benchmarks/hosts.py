"""Tests training on several hosts that are killed, disconnected, or started incorrectly.

The hosts are network namespaces (`benchmarks.network`). Each case starts workers, disturbs them,
and reports each worker's output, exit code and duration. If a run can be resumed, the same commands
are given again, and its weights are compared with those of an undisturbed run, bit for bit.
"""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

from benchmarks import forks
from benchmarks.compare import differences
from benchmarks.network import Network, permitted, unavailable
from zoo import files
from zoo.environment import environment
from zoo.errors import ZooError

RECIPE = "imdb-gru"
SETTINGS = {"epochs": "2", "batch_size": "4", "patience": "0", "units": "8"}
TIMEOUT = 240  # seconds: ZOO_WORKER_TIMEOUT if all workers start
SHORT = {"ZOO_WORKER_TIMEOUT": "30"}  # if a worker does not start
LIMIT = 400.0  # seconds within which every process must end
PORT = 2222
# Where a worker or the chief is killed: before which call of which function.
MOMENTS = {
    "meeting": ("zoo.training.fit", "meet", 1),
    "joining": ("zoo.training.fit", "make_strategy", 1),
    "step": ("zoo.training.callbacks:Steps", "on_train_batch_end", 2),
    "end of an epoch": ("zoo.training.fit", "_end_epoch", 1),
    "evaluation": ("zoo.training.workers:Workers", "finish", 1),
}

# Runs `zoo` in a process that kills itself at a moment, or sees absent files as an NFS client does.
_WRAPPED = """
import importlib, os, signal, sys

moment, nfs, *arguments = sys.argv[1:]
if moment:
    place, name, call = moment.split(" ")
    module, _, inside = place.partition(":")
    owner = importlib.import_module(module)
    owner = getattr(owner, inside) if inside else owner
    function, calls = getattr(owner, name), [int(call)]

    def killed(*args, **options):
        calls[0] -= 1
        if not calls[0]:
            os.kill(os.getpid(), signal.SIGKILL)
        return function(*args, **options)

    setattr(owner, name, killed)
if nfs:
    # What was absent stays so for a minute, unless the folder that it is in is opened again.
    import time
    absent, stat, opened = {}, os.stat, os.open

    def cached(path, *args, **options):
        key = os.path.abspath(os.fspath(path)) if not isinstance(path, int) else path
        if absent.get(key, 0) > time.monotonic():
            raise FileNotFoundError(2, "No such file or directory (remembered)", str(path))
        try:
            return stat(path, *args, **options)
        except FileNotFoundError:
            absent[key] = time.monotonic() + 60
            raise

    def asks_again(path, flags, *args, **options):
        folder = os.path.abspath(os.fspath(path))
        for key in [key for key in absent if isinstance(key, str)]:
            if os.path.dirname(key) == folder:
                del absent[key]
        return opened(path, flags, *args, **options)

    os.stat, os.open = cached, asks_again
from zoo.cli import main

sys.argv = ["zoo", *arguments]
main()
"""


class Forked:
    """A fork of this process, which has imported but not used TensorFlow.

    Importing takes longer than these trainings. Implements the required methods of
    `subprocess.Popen`.

    Args:
      enter: moves it to a host.
      code: Python code that it executes.
      arguments: `sys.argv` of the code.
      variables: its environment.
      said: file for its output.
    """

    def __init__(
        self,
        enter: Callable[[], None],
        code: str,
        arguments: Sequence[str],
        variables: Mapping[str, str],
        said: IO[str],
    ) -> None:
        def execute() -> None:
            enter()
            os.environ.clear()
            os.environ.update(variables)
            sys.argv = ["", *arguments]
            exec(compile(code, "worker", "exec"), {"__name__": "__main__"})

        self.returncode: int | None = None
        self.pid = forks.start(execute, said)

    def poll(self) -> int | None:
        if self.returncode is None:
            self.returncode = forks.poll(self.pid)
        return self.returncode

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


@dataclasses.dataclass
class Worker:
    """A started worker.

    Attributes:
      process: the running process.
      said: its output.
      begun: when it was started, by `time.monotonic`.
    """

    process: subprocess.Popen | Forked
    said: IO[str]
    begun: float


@dataclasses.dataclass
class Bench:
    """State shared by the cases.

    Attributes:
      network: of three hosts.
      folder: for the runs.
      reference: the run folder of two undisturbed workers.
    """

    network: Network
    folder: Path
    reference: Path

    def hosts(self, number: int = 2) -> str:
        return ",".join(f"{address}:{PORT}" for address in self.network.addresses[:number])

    def arguments(self, output: Path, *more: str, epochs: int | None = None) -> list[str]:
        chosen = {**SETTINGS, "epochs": str(epochs or SETTINGS["epochs"])}
        settings = [f"--set={key}={value}" for key, value in chosen.items()]
        return [
            *("train", RECIPE, "--data=sample", "--no-baselines", "--deterministic"),
            *("--checkpoint-seconds=0", f"-o{output}", *settings, *more),
        ]

    def worker(
        self,
        index: int,
        arguments: Sequence[str],
        *,
        hosts: str | None = None,
        moment: str = "",
        nfs: bool = False,
        variables: Mapping[str, str] | None = None,
        path: Path | None = None,
        fresh: bool = False,
    ) -> Worker:
        """Starts a worker on its host, in a new process if `fresh` or if its code differs."""
        joined = ["--hosts", hosts, "--index", str(index)] if hosts else []
        place = " ".join(map(str, MOMENTS[moment])) if moment else ""
        said = tempfile.TemporaryFile("a+", errors="replace")  # noqa: SIM115
        root = str(path or Path(__file__).parents[1])
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("SLURM_", "TF_CONFIG"))}
        given = [place, "1" if nfs else "", *arguments, *joined]
        environment_ = {
            **kept,
            "ZOO_WORKER_TIMEOUT": str(TIMEOUT),
            "PYTHONPATH": root,
            "TF_NUM_INTRAOP_THREADS": "1",
            **(variables or {}),
        }
        if not fresh and path is None:
            enter = self.network.entering(index)
            forked = Forked(enter, _WRAPPED, given, environment_, said)
            return Worker(forked, said, time.monotonic())
        process = self.network.start(
            index,
            [sys.executable, "-c", _WRAPPED, *given],
            env=environment_,
            cwd=root,
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=said,
        )
        return Worker(process, said, time.monotonic())

    def ended(self, workers: Sequence[Worker]) -> list[dict[str, Any]]:
        """Waits for workers; returns the outcome of each, and its time since the first start."""
        first = min(worker.begun for worker in workers)
        seconds: dict[int, float] = {}
        while len(seconds) < len(workers):
            for place, worker in enumerate(workers):
                if worker.process.poll() is not None:
                    seconds.setdefault(place, time.monotonic() - first)
            if time.monotonic() - first > LIMIT:
                for worker in workers:
                    worker.process.kill()
            time.sleep(0.05)
        found = []
        for place, worker in enumerate(workers):
            code = worker.process.returncode or 0
            found.append(
                {
                    "code": code if code >= 0 else 128 - code,
                    "seconds": round(seconds[place], 1),
                    "says": _own_lines(worker.said, self.folder),
                }
            )
            worker.said.close()
        return found

    def both(self, output: Path, *more: str, number: int = 2, **options: Any) -> list[Worker]:
        arguments = self.arguments(output, *more)
        hosts = self.hosts(number)
        return [self.worker(i, arguments, hosts=hosts, **options) for i in range(number)]

    def again(self, output: Path) -> dict[str, Any]:
        """Gives the same command again; returns its outcome, and the differences of the run."""
        found = self.ended(self.both(output))
        codes = [each["code"] for each in found]
        wrong = differences(output, self.reference) if codes == [0, 0] else []
        if codes != [0, 0]:
            wrong = [f"exit codes {codes}: {found}"]
        return {"codes": codes, "differences": wrong[:3]}


Case = Callable[[Bench, Path], dict[str, Any]]


def _own_lines(said: IO[str], folder: Path) -> list[str]:
    said.seek(0)
    lines = [line.replace(str(folder), "/shared") for line in said.read().splitlines()]
    return [line for line in lines if line.startswith(("Error:", "Waiting for", "Stopped"))]


def _undisturbed(number: int) -> Case:
    def case(bench: Bench, output: Path) -> dict[str, Any]:
        found = bench.ended(bench.both(output, number=number))
        return _result(found, [0] * number)

    return case


def _kill(moment: str, victim: int) -> Case:
    def case(bench: Bench, output: Path) -> dict[str, Any]:
        arguments, hosts = bench.arguments(output), bench.hosts()
        workers = [
            bench.worker(
                i,
                arguments,
                hosts=hosts,
                moment=moment if i == victim else "",
                variables=SHORT if moment == "meeting" else None,
            )
            for i in range(2)
        ]
        found = bench.ended(workers)
        # The chief evaluates a complete run alone; a worker that waits for it learns of its end.
        expected = 0 if moment == "evaluation" and victim else (137, 203)
        result = _result(found, [expected if i != victim else 137 for i in range(2)])
        result["lost_after"] = round(found[1 - victim]["seconds"] - found[victim]["seconds"], 1)
        if moment in ("meeting", "joining"):  # there was nothing to resume
            return result
        return _with_again(result, bench.again(output))

    return case


def _with_again(result: dict[str, Any], again: dict[str, Any]) -> dict[str, Any]:
    fine = result["fine"] and not again["differences"]
    return {**result, "again": again, "fine": fine}


def _cut_off(seconds: float | None) -> Case:
    def case(bench: Bench, output: Path) -> dict[str, Any]:
        # Many steps, so that the cut occurs during one.
        arguments, hosts = bench.arguments(output, epochs=40), bench.hosts()
        workers = [bench.worker(index, arguments, hosts=hosts) for index in range(2)]
        until = time.monotonic() + LIMIT / 2
        while not list(output.glob("checkpoint/*.npz")) and time.monotonic() < until:
            if workers[0].process.poll() is not None:
                break
            time.sleep(0.1)
        bench.network.cut(1)
        begun = time.monotonic()
        if seconds:
            time.sleep(seconds)
            bench.network.cut()
        found = bench.ended(workers)
        bench.network.cut()
        # TensorFlow may give up a worker within seconds; the same commands then resume.
        result = _result(found, [(0, 203) if seconds else (137, 203)] * 2)
        last = workers[0].begun + max(each["seconds"] for each in found)
        return {**result, "ended_after": round(last - begun, 1)}

    return case


def _stranger(bench: Bench, output: Path) -> dict[str, Any]:
    listener = bench.network.start(
        1,
        [sys.executable, "-m", "http.server", str(PORT)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        arguments = bench.arguments(output)
        found = bench.ended([bench.worker(0, arguments, hosts=bench.hosts(), variables=SHORT)])
    finally:
        listener.kill()
        listener.wait()
    return _result(found, [203], "is not a worker of this training")


def _address_twice(bench: Bench, output: Path) -> dict[str, Any]:
    hosts = ",".join([f"{bench.network.addresses[0]}:{PORT}"] * 2)
    found = bench.ended([bench.worker(0, bench.arguments(output), hosts=hosts, fresh=True)])
    return _result(found, [2], "twice")


def _other_code(bench: Bench, output: Path) -> dict[str, Any]:
    root, copy = Path(__file__).parents[1], bench.folder / "copy"
    for package in ("zoo", "recipes"):
        shutil.copytree(
            root / package, copy / package, ignore=shutil.ignore_patterns("__pycache__", "*.xz")
        )
    with open(copy / "zoo" / "losses.py", "a") as file:
        file.write("# changed\n")
    arguments, hosts = bench.arguments(output), bench.hosts()
    workers = [
        bench.worker(index, arguments, hosts=hosts, path=path)
        for index, path in enumerate((None, copy))
    ]
    return _result(bench.ended(workers), [2, 2], "sources of zoo")


def _other_command(bench: Bench, output: Path) -> dict[str, Any]:
    hosts = bench.hosts()
    workers = [
        bench.worker(index, bench.arguments(output, f"--seed={index}"), hosts=hosts)
        for index in range(2)
    ]
    return _result(bench.ended(workers), [2, 2], "has seed")


def _wrong_option(bench: Bench, output: Path) -> dict[str, Any]:
    first = bench.worker(0, bench.arguments(output), hosts=bench.hosts())
    _until_it_waits(bench, first)
    wrong = bench.arguments(output, "--set=no_such=1")
    second = bench.worker(1, wrong, hosts=bench.hosts())
    return _result(bench.ended([first, second]), [2, 2], "no_such")


def _until_it_waits(bench: Bench, worker: Worker) -> None:
    until = time.monotonic() + TIMEOUT
    while not _own_lines(worker.said, bench.folder) and time.monotonic() < until:
        time.sleep(0.1)
    worker.said.seek(0, os.SEEK_END)


def _nobody_comes(bench: Bench, output: Path) -> dict[str, Any]:
    arguments = bench.arguments(output)
    found = bench.ended([bench.worker(0, arguments, hosts=bench.hosts(), variables=SHORT)])
    return _result(found, [203], "no answer from")


def _stopped_while_waiting(bench: Bench, output: Path) -> dict[str, Any]:
    worker = bench.worker(0, bench.arguments(output), hosts=bench.hosts())
    _until_it_waits(bench, worker)
    worker.process.send_signal(signal.SIGTERM)
    return _result(bench.ended([worker]), [143], "while waiting for")


def _unshared(bench: Bench, output: Path) -> dict[str, Any]:
    other = output.with_name(f"{output.name}-of-the-other")
    workers = [
        bench.worker(index, bench.arguments(path), hosts=bench.hosts())
        for index, path in enumerate((output, other))
    ]
    return _result(bench.ended(workers), [1, 1], "is not shared")


def _nfs(bench: Bench, output: Path) -> dict[str, Any]:
    # A client sees its own writes: the chief, which writes, needs no cache.
    arguments, hosts = bench.arguments(output), bench.hosts()
    workers = [bench.worker(i, arguments, hosts=hosts, nfs=i == 1) for i in range(2)]
    result = _result(bench.ended(workers), [0, 0])
    wrong = differences(output, bench.reference) if result["fine"] else []
    return {**result, "differences": wrong[:3], "fine": result["fine"] and not wrong}


def _slurm(bench: Bench, output: Path) -> dict[str, Any]:
    workers = []
    for index in range(2):
        variables = {
            "SLURM_STEP_NODELIST": "10.77.0.[1-2]",
            "SLURM_STEP_NUM_TASKS": "2",
            "SLURM_STEP_TASKS_PER_NODE": "1(x2)",
            "SLURM_PROCID": str(index),
            "SLURM_JOB_ID": "4711",
            "SLURM_STEP_ID": "0",
        }
        workers.append(bench.worker(index, bench.arguments(output), variables=variables))
    result = _result(bench.ended(workers), [0, 0])
    wrong = differences(output, bench.reference) if result["fine"] else []
    return {**result, "differences": wrong[:3], "fine": result["fine"] and not wrong}


# `A` and `B` stand for the addresses of two hosts.
WRONG_FORMS = (
    "{",
    "[]",
    "{}",
    '{"cluster": {"worker": ["A", "B"]}}',
    '{"cluster": {"worker": "A,B"}, "task": {"type": "worker", "index": 0}}',
    '{"cluster": {"worker": ["A", "A"]}, "task": {"type": "worker", "index": 0}}',
    '{"cluster": {"worker": ["A", "B"]}, "task": {"type": "worker", "index": 2}}',
    '{"cluster": {"worker": ["A", "B"]}, "task": {"type": "ps", "index": 0}}',
    '{"cluster": {"worker": ["A", "B"], "ps": ["B"]}, "task": {"type": "worker", "index": 0}}',
    '{"cluster": {"worker": ["A", "host-b"]}, "task": {"type": "worker", "index": 0}}',
)


def _wrong_tf_config(text: str) -> Case:
    def case(bench: Bench, output: Path) -> dict[str, Any]:
        value = text
        for letter, address in zip("AB", bench.network.addresses, strict=False):
            value = value.replace(f'"{letter}"', f'"{address}:{PORT}"')
        variables = {"TF_CONFIG": value}
        found = bench.ended(
            [bench.worker(0, bench.arguments(output), variables=variables, fresh=True)]
        )
        return {"TF_CONFIG": text, **_result(found, [2], "TF_CONFIG")}

    return case


CASES: dict[str, Case] = {
    "address twice": _address_twice,
    **{f"TF_CONFIG {i + 1}": _wrong_tf_config(text) for i, text in enumerate(WRONG_FORMS)},
    "wrong option": _wrong_option,
    "other command": _other_command,
    "other code": _other_code,
    "unshared folder": _unshared,
    "nobody comes": _nobody_comes,
    "a stranger listens": _stranger,
    "stopped while waiting": _stopped_while_waiting,
    **{
        f"{name} killed, {moment}": _kill(moment, victim)
        for moment in MOMENTS
        for victim, name in enumerate(("chief", "worker"))
    },
    "cut off for 5 s": _cut_off(5.0),
    "cut off for ever": _cut_off(None),
    "nfs caches": _nfs,
    "slurm": _slurm,
    "three hosts": _undisturbed(3),
}


def _result(
    found: list[dict[str, Any]], codes: Sequence[int | tuple[int, ...]], message: str = ""
) -> dict[str, Any]:
    """Returns the outcome of a case, and whether it is the expected one."""
    wanted = [code if isinstance(code, tuple) else (code,) for code in codes]
    fine = all(each["code"] in code for each, code in zip(found, wanted, strict=True))
    fine = fine and all(message in " ".join(each["says"]) for each in found)
    return {"workers": found, "fine": fine}


def try_hosts(
    output: str | Path,
    *,
    only: Sequence[str] = (),
    log: Callable[[str], None] = lambda line: None,
) -> dict[str, Any]:
    """Runs all cases, or those whose names begin with one of `only`.

    Args:
      output: JSON file to write.
      only: beginnings of names.
      log: called with a line for each case.

    Returns:
      What it writes: for each case, the output of each worker, its exit code and seconds, and
      whether the case is `fine`.

    Raises:
      ZooError: hosts cannot be created here, or the undisturbed run failed.
    """
    with permitted():
        if reason := unavailable():
            raise ZooError(f"Hosts cannot be made here: {reason}.")
        chosen = {
            name: case for name, case in CASES.items() if not only or name.startswith(tuple(only))
        }
        results: dict[str, Any] = {}
        result = {
            "kind": "hosts",
            "recipe": RECIPE,
            "settings": SETTINGS,
            "timeout": TIMEOUT,
            "cases": results,
        }
        with files.temporary_folder() as folder, Network(3) as network:
            bench = Bench(network, folder, folder / "reference")
            if any(not name.startswith(("TF_CONFIG", "address")) for name in chosen):
                import zoo.training.fit  # noqa: F401  # workers begin as copies

                found = bench.ended(bench.both(bench.reference))
                results["two hosts"] = _result(found, [0, 0])
                if not results["two hosts"]["fine"]:
                    raise ZooError(f"The undisturbed run failed: {found}")
                log(f"two hosts: {found[0]['seconds']:.0f} s")
            for number, (name, case) in enumerate(chosen.items()):
                results[name] = case(bench, folder / f"run-{number}")
                network.cut()
                result["fine"] = sum(each["fine"] for each in results.values())
                result["all"] = len(results)
                files.write_json(Path(output), result)  # each: all of them take long
                log(f"{name}: {'as it has to be' if results[name]['fine'] else 'WRONG'}")
                if not results[name]["fine"]:
                    log(f"  {json.dumps(results[name])}")
    result["environment"] = environment()  # it looks at devices: no copies afterwards
    files.write_json(Path(output), result)
    return result
