"""A bidirectional language model of film reviews: the network of `reviews-lm`.

A network that has learnt to predict the next word starts better as a classifier (A. Dai, Q. Le:
Semi-supervised Sequence Learning, NIPS 2015; J. Howard, S. Ruder: Universal Language Model
Fine-tuning for Text Classification, ACL 2018). The forward pass here is that of the network, in
half precision and with the whole softmax; a test compares both.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import keras
import numpy as np
import torch
from torch.nn import functional

from tools.gpu.batching import Batch, Rows, plan_batches, read_reviews, windows
from tools.gpu.both_ends import half, read_both_ends
from tools.gpu.networks import (
    DEVICE,
    Dropout,
    Trainer,
    affordable_epochs,
    device_name,
    hidden,
    locked,
    parameters,
    read_network,
    tensor,
)
from tools.gpu.progress import log
from tools.gpu.weights import save_weights

WINDOW = 200  # words that are learnt from together
MOST_ROWS = 512  # windows of a batch
IMPOSSIBLE = -1e4  # logit of padding, which is never predicted


DROPOUT = Dropout(word=0.1, input=0.2, output=0.2)  # settings of `reviews-lm`


def forward(
    weights: Sequence[torch.Tensor], ids: torch.Tensor, dropout: Dropout | None = None
) -> torch.Tensor:
    """Returns the mean of -log p of words, float32 `(2,)`: read forwards, and backwards.

    Args:
      weights: of the network, in Keras' order: vectors, softmax bias; those of both LSTMs; kernel
        and bias of the projection of each.
      ids: int `(batch, time)`, words, without padding.
      dropout: in training; None for none.
    """
    table, bias, *inner = weights
    seen = hidden(table, dropout.word, (len(table), 1)) if dropout else table
    x = functional.embedding(ids, half(seen))
    if dropout:
        x = locked(x, dropout.input)
    forwards, backwards = read_both_ends(inner[:6], x).chunk(2, dim=2)
    if dropout:
        forwards, backwards = (locked(each, dropout.output) for each in (forwards, backwards))
    # The states before and after each word; zeros at the ends.
    before = functional.pad(forwards[:, :-1], (0, 0, 1, 0))
    behind = functional.pad(backwards[:, 1:], (0, 0, 0, 1))
    losses, bias = [], half(functional.pad(bias[1:], (1, 0), value=IMPOSSIBLE))
    for states, kernel, shift in ((before, *inner[6:8]), (behind, *inner[8:])):
        projected = (states @ half(kernel) + half(shift)).reshape(-1, kernel.shape[1])
        logits = torch.addmm(bias, projected, half(table).T)
        each = functional.cross_entropy(logits, ids.reshape(-1).long(), reduction="none")
        losses.append(each.float().mean())
    return torch.stack(losses)


def train_language_model(
    folder: Path, epochs: int = 10, tokens: int = 38_400, seconds: float = 0, seed: int = 0
) -> dict[str, Any]:
    """Trains on all reviews but those held out, and writes `language-model.npz`.

    Args:
      folder: with the files of `arrays.py`.
      epochs: passes over the reviews; each cuts windows elsewhere.
      tokens: words of a batch, at most.
      seconds: see `affordable_epochs`.
      seed: of weights, dropout and batches.

    Returns:
      The notes of the file: `epochs`, `seconds`, `device`, `best` (nats a word of held out reviews,
      the mean of both directions) and `history`, the rows of `history.csv`.
    """
    begun = time.monotonic()
    generator = np.random.default_rng(seed)
    keras.utils.set_random_seed(seed)
    reviews = read_reviews(folder)
    rows, first = reviews.rows, reviews.labelled
    held_out = np.arange(first, first + reviews.held_out)
    train = np.setdiff1d(np.arange(len(rows)), held_out)
    model = read_network(folder / "language-model.json")
    weights = parameters(model)
    history: list[dict[str, float]] = []

    def next_windows() -> tuple[Rows, list[Batch]]:
        parts = windows(rows, train, WINDOW, generator)
        every = np.arange(len(parts))
        return parts, plan_batches(parts, every, tokens, generator, MOST_ROWS)

    def loss_of(parts: Rows, batch: Batch) -> torch.Tensor:
        ids = tensor(parts.take(batch.index, batch.length, batch.offsets))
        return forward(weights, ids, DROPOUT).mean()

    parts, batches = next_windows()
    epochs = affordable_epochs(epochs, seconds, weights, batches, partial(loss_of, parts))
    log(
        f"language model: {model.count_params():,} parameters, {len(batches):,} steps an epoch, "
        f"{epochs} epochs"
    )
    trainer = Trainer(model, epochs * len(batches), 2e-3, half=True)
    for epoch in range(1, epochs + 1):
        if epoch > 1:
            parts, batches = next_windows()
        total = torch.zeros((), device=DEVICE)
        for batch in batches:
            loss = loss_of(parts, batch)
            trainer.step(loss, 1)
            total += loss.detach()
        nats = held_out_nats(weights, rows, held_out, tokens)
        history.append(
            {
                "epoch": epoch,
                "learning_rate": trainer.rate,
                "loss": float(total) / len(batches),
                "val_loss": float(nats.mean()),
            }
        )
        forwards, backwards = np.exp(nats).tolist()
        log(
            f"epoch {epoch} of {epochs}: loss {history[-1]['loss']:.3f}, perplexity {forwards:.1f} "
            f"forwards and {backwards:.1f} backwards"
        )
    notes = {
        "history": history,
        "epochs": epochs,
        "best": history[-1]["val_loss"],
        "seconds": round(time.monotonic() - begun),
        "device": device_name(),
    }
    save_weights(folder / "language-model.npz", model, notes)
    return notes


def held_out_nats(
    weights: Sequence[torch.Tensor], rows: Rows, index: np.ndarray, tokens: int
) -> np.ndarray:
    """Returns the mean of -log p of words, float64 `(2,)`: forwards, and backwards.

    Args:
      weights: of the network.
      rows: all rows.
      index: numbers of the rows that are read, in windows.
      tokens: words of a batch, at most.
    """
    parts = windows(rows, index, WINDOW, None)
    total, count = np.zeros(2), 0
    with torch.no_grad():
        for batch in plan_batches(parts, np.arange(len(parts)), tokens, None, MOST_ROWS):
            ids = tensor(parts.take(batch.index, batch.length, batch.offsets))
            total += forward(weights, ids).double().cpu().numpy() * ids.numel()
            count += ids.numel()
    return total / count
