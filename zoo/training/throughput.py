"""Training throughput, and the share of padding and of waiting for input."""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from zoo.data import Batches
from zoo.training.checkpoint import State
from zoo.training.other_load import described

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


def measured(state: State) -> dict[str, Any]:
    """Returns the throughput of a run; all values are None if the times are lost.

    Returns:
      `epoch_seconds`: the time in training steps of each epoch; `other_cores` and `idle`, see
      `zoo.training.other_load`;
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
        **described(others),
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
