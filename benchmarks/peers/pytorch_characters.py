"""A plain character model in PyTorch, as in many tutorials.

Two LSTMs of 256 units; windows of 128 characters of 32 streams of text, which are read in order
with the state carried from window to window; Adam at 2e-3, gradients clipped to a norm of 1, no
dropout, no schedule. It is saved whenever the validation split has a better score.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn.functional import cross_entropy

from zoo.metrics.generation import nats_per_step

UNITS, LAYERS, EMBEDDING = 256, 2, 64
STREAMS, WINDOW, RATE, CLIP = 32, 128, 2e-3, 1.0
EVERY = 200  # steps between two readings of the validation split


class Network(nn.Module):
    """Ids `(batch, time)` to logits `(batch, time, symbols)`, and the last state."""

    def __init__(self, symbols: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(symbols, EMBEDDING)
        self.rnn = nn.LSTM(EMBEDDING, UNITS, num_layers=LAYERS, batch_first=True)
        self.linear = nn.Linear(UNITS, symbols)

    def forward(self, ids: torch.Tensor, state: Any = None) -> tuple[torch.Tensor, Any]:
        x, state = self.rnn(self.embedding(ids), state)
        return self.linear(x), state


def train(
    splits: Any, folder: Path, seed: int, until: float | None, *, steps: int = 10_000
) -> dict[str, Any]:
    """Trains for `steps`, or until `time.process_time()` reaches `until`."""
    torch.manual_seed(seed)
    torch.set_num_threads(1)
    text = "\n" + "".join(splits.train["text"])
    symbols = sorted(set(text))
    number = {symbol: position for position, symbol in enumerate(symbols)}
    ids = torch.tensor([number[symbol] for symbol in text])
    length = (len(ids) - 1) // STREAMS
    before = ids[: STREAMS * length].reshape(STREAMS, length)
    after = ids[1 : STREAMS * length + 1].reshape(STREAMS, length)
    network = Network(len(symbols))
    optimizer = torch.optim.Adam(network.parameters(), RATE)
    (folder / "symbols.json").write_text(json.dumps(symbols), encoding="utf-8")
    best, state, position, step = np.inf, None, 0, 0
    while step < steps:
        step += 1
        window = slice(position, position + WINDOW)
        optimizer.zero_grad()
        logits, state = network(before[:, window], state)
        state = tuple(each.detach() for each in state)
        cross_entropy(logits.flatten(0, 1), after[:, window].flatten()).backward()
        nn.utils.clip_grad_norm_(network.parameters(), CLIP)
        optimizer.step()
        position += WINDOW
        if position >= length:
            state, position = None, 0
        over = until is not None and time.process_time() >= until
        if step % EVERY == 0 or over or step == steps:
            nats = nats_per_step(_scores(network, number, splits.validation["text"]))
            if nats < best:
                best = nats
                torch.save(network.state_dict(), folder / "model.pt")
        if over:
            break
    parameters = sum(each.numel() for each in network.parameters())
    epochs = step * WINDOW / length
    return {"epochs": epochs, "validation": float(best), "parameters": parameters}


@torch.no_grad()
def _scores(
    network: Network, number: Mapping[str, int], texts: Sequence[str]
) -> list[dict[str, Any]]:
    """Scores each text from a state of zeros, as if behind a line break.

    Returns:
      `log_probability`, in nats, and `count` of its known characters.
    """
    network.eval()
    found = []
    for text in texts:
        ids = torch.tensor([[number[each] for each in "\n" + text if each in number]])
        logits, _ = network(ids[:, :-1])
        logs = logits[0].log_softmax(-1).gather(-1, ids[0, 1:, None])
        found.append({"log_probability": float(logs.sum()), "count": len(logs)})
    network.train()
    return found


def load(folder: Path) -> Callable[[Mapping[str, Sequence[Any]]], list[Any]]:
    torch.set_num_threads(1)
    symbols = json.loads((folder / "symbols.json").read_text(encoding="utf-8"))
    network = Network(len(symbols))
    network.load_state_dict(torch.load(folder / "model.pt", weights_only=True))
    number = {symbol: position for position, symbol in enumerate(symbols)}
    return lambda examples: _scores(network, number, examples["text"])
