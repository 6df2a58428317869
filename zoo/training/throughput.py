"""Training throughput, shares of padding and of waiting for input, load by other processes."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import numpy as np

from zoo.data import Batches
from zoo.training.checkpoint import State

IDLE = 0.1  # a machine is idle if other processes use fewer cores than this
MEASURED = (
    *("epoch_seconds", "other_cores", "idle", "train_examples_per_second"),
    *("train_tokens_per_second", "padding", "input_wait"),
)


class Throughput:
    """Adds the data and times of the steps of one epoch to the state of a run.

    Args:
      batches: the training data.
      order: row numbers of each remaining batch.
    """

    def __init__(self, batches: Batches, order: list[np.ndarray]) -> None:
        self._sizes = batches.sizes(order)
        self._made: list[float] = []
        self._step = 0

    def made(self) -> None:
        """Must be called when the input has prepared the next batch, from any thread."""
        self._made.append(time.perf_counter())

    def begin(self) -> None:
        """Must be called when a step begins; it fetches its batch first."""
        self._begun = time.perf_counter()

    def end(self, state: State) -> None:
        """Must be called when a step has ended."""
        rows, tokens, places = self._sizes[self._step].tolist()
        state.rows += rows
        state.tokens += tokens
        state.places += places
        if not self._step:  # the first step includes building input and graph
            state.first += time.perf_counter() - self._begun
        elif self._step < len(self._made):
            state.waited += max(0.0, self._made[self._step] - self._begun)
        self._step += 1


class OtherLoad:
    """Measures how many cores other processes use, from now on. Known on Linux only."""

    def __init__(self) -> None:
        self._machine, self._own = machine_seconds(), time.process_time()
        self._begun = time.perf_counter()

    def cores(self) -> float | None:
        """Returns the mean number of cores since the start; None if it is unknown."""
        now = machine_seconds()
        if now is None or self._machine is None:
            return None
        others = now - self._machine - (time.process_time() - self._own)
        return max(0.0, others) / max(1e-9, time.perf_counter() - self._begun)


def machine_seconds(stat: Path = Path("/proc/stat")) -> float | None:
    """Returns the CPU time of all processes since this machine has started, in seconds.

    Args:
      stat: see proc_stat(5). Waiting (`idle`, `iowait`) is not counted, and `guest` is part of
        `user`.

    Returns:
      None if the file cannot be read.
    """
    try:
        user, nice, system, _, _, *rest = map(int, stat.read_text().split("\n")[0].split()[1:9])
    except (OSError, ValueError):
        return None
    return (user + nice + system + sum(rest)) / os.sysconf("SC_CLK_TCK")


def measured(state: State) -> dict[str, Any]:
    """Returns the throughput of a run; all values are None if the times are lost.

    Returns:
      `epoch_seconds`: the time in training steps of each epoch; `other_cores`, the mean number of
      cores that other processes used, and `idle`, whether it is below `IDLE` (both None if
      unknown);
      `train_examples_per_second`; `train_tokens_per_second`, real time steps of the input sequences
      (None if no input has variable length); `padding`, the share of padded time steps (None
      likewise); and `input_wait`, the share of time in which a step waited for its batch, without
      the first step of each epoch (None if there is no other).
    """
    if not state.seconds:
        return dict.fromkeys(MEASURED)
    seconds, later = state.seconds, state.seconds - state.first
    known = [cores for cores in state.other_cores if cores is not None]
    others = sum(known) / len(known) if known else None
    return {
        "epoch_seconds": [round(each, 1) for each in state.epoch_seconds],
        "other_cores": None if others is None else round(others, 2),
        "idle": None if others is None else others < IDLE,
        "train_examples_per_second": round(state.rows / seconds, 1),
        "train_tokens_per_second": round(state.tokens / seconds, 1) if state.places else None,
        "padding": round(1 - state.tokens / state.places, 4) if state.places else None,
        "input_wait": round(state.waited / later, 4) if later > 0 else None,
    }


def summary(state: State) -> str:
    """Returns a line on the throughput of a run."""
    rates = measured(state)
    parts = [f"{rates['train_examples_per_second']:,.0f} examples/s"]
    if state.places:
        parts.append(f"{rates['train_tokens_per_second']:,.0f} tokens/s")
        parts.append(f"{rates['padding']:.1%} padding")
    if rates["input_wait"] is not None:
        parts.append(f"{rates['input_wait']:.1%} of the time waiting for input")
    return f"training: {', '.join(parts)}"
