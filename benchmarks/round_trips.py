"""Measures training steps of two workers under network latency."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.network import Network, permitted, unavailable
from zoo import files
from zoo.environment import environment
from zoo.errors import ZooError

# Small steps, so that the cost of the network is visible.
SETTINGS = {"epochs": "4", "batch_size": "2", "patience": "0"}
DELAYS = (0.0, 0.001, 0.01)  # seconds, one way

# Trains, and writes the seconds of each step but those of the first epoch, which are traced.
_TIMED = """
import json, sys, time
from zoo.training import callbacks

output, *arguments = sys.argv[1:]
times, ended = [], callbacks.Steps.on_train_batch_end

def on_train_batch_end(self, batch, logs=None):
    ended(self, batch, logs)
    times.append((self.state.epoch, batch, time.perf_counter()))

callbacks.Steps.on_train_batch_end = on_train_batch_end
from zoo.cli import main
sys.argv = ["zoo", *arguments]
try:
    main()
finally:
    seconds = [
        after - before
        for (epoch, one, before), (_, other, after) in zip(times, times[1:])
        if epoch and other == one + 1
    ]
    json.dump(seconds, open(output, "w"))
"""


def round_trips(
    name: str,
    output: str | Path,
    *,
    workers: int = 2,
    delays: Sequence[float] = DELAYS,
    settings: Mapping[str, str] | None = None,
    log: Callable[[str], None] = lambda line: None,
) -> dict[str, Any]:
    """Times steps of a recipe on its sample, for one process and for workers on hosts.

    Args:
      name: of the recipe.
      output: JSON file to write.
      workers: how many.
      delays: seconds that a packet takes one way.
      settings: fields of the config to change, over `SETTINGS`.
      log: called with a line for each measurement.

    Returns:
      What it writes: the median seconds of a step for each delay, and the round trips of a step
      that their slope gives.

    Raises:
      ZooError: this system does not allow hosts, or a training failed.
    """
    with permitted():
        if reason := unavailable():
            raise ZooError(f"Hosts cannot be made here: {reason}.")
        chosen = {**SETTINGS, **(settings or {})}
        rows: list[dict[str, Any]] = []
        with files.temporary_folder() as folder:
            for delay in (None, *delays):
                number = 1 if delay is None else workers
                found = _timed(folder / str(delay), name, chosen, number, delay or 0.0)
                rows.append(
                    {"workers": number, "delay": delay, "seconds": found, "steps": len(found)}
                )
                rows[-1]["seconds"] = round(statistics.median(found), 5)
                log(
                    f"{number} worker(s), delay {delay}: {rows[-1]['seconds'] * 1000:.1f} ms a step"
                )
    by_delay = {row["delay"]: row["seconds"] for row in rows if row["workers"] > 1}
    slow, fast = max(by_delay), min(by_delay)
    trips = (by_delay[slow] - by_delay[fast]) / (2 * (slow - fast)) if slow > fast else None
    result = {
        "kind": "round_trips",
        "recipe": name,
        "round_trips": trips and round(trips, 2),
        "steps": rows,
        "settings": chosen,
        "environment": environment(),
    }
    files.write_json(Path(output), result)
    return result


def _timed(
    folder: Path, name: str, settings: Mapping[str, str], workers: int, delay: float
) -> list[float]:
    folder.mkdir()
    arguments = ["train", name, "--data=sample", "--no-baselines", "-o", str(folder / "run")]
    arguments += [f"--set={key}={value}" for key, value in settings.items()]
    environment_ = {**os.environ, "TF_NUM_INTRAOP_THREADS": "1", "TF_NUM_INTEROP_THREADS": "2"}
    with Network(workers, delay) as network:
        hosts = ",".join(f"{address}:2222" for address in network.addresses)
        processes = []
        for index in range(workers):
            joined = ["--hosts", hosts, "--index", str(index)] if workers > 1 else []
            processes.append(
                network.start(
                    index,
                    [sys.executable, "-c", _TIMED, str(folder / f"{index}"), *arguments, *joined],
                    env=environment_,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.PIPE,
                    text=True,
                )
            )
        try:
            said = [process.communicate(timeout=600)[1] for process in processes]
        finally:
            for process in processes:
                process.kill()
    for process, text in zip(processes, said, strict=True):
        if process.returncode:
            raise ZooError(f"A training failed: {text.strip()[-500:]}")
    return json.loads((folder / "0").read_text())
