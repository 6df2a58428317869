"""A language model of film reviews, read from both ends: the network of `reviews-lm`.

A network that has learnt to predict the next word starts better as a classifier (A. Dai, Q. Le:
Semi-supervised Sequence Learning, NIPS 2015; J. Howard, S. Ruder: Universal Language Model
Fine-tuning for Text Classification, ACL 2018).
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import keras
import numpy as np
import torch

from tools.gpu.batching import Rows, plan_batches, read_reviews, windows
from tools.gpu.networks import (
    DEVICE,
    Trainer,
    device_name,
    log,
    read_network,
    recurrent_layers,
    tensor,
)
from tools.gpu.weights import save_weights

WINDOW = 200  # words that are learnt from together
MOST_ROWS = 512  # windows of a batch


def train_language_model(
    folder: Path, epochs: int = 4, tokens: int = 51_200, seed: int = 0
) -> dict[str, Any]:
    """Trains on all reviews but those held out, and writes `language-model.npz`.

    Args:
      folder: with the files of `arrays.py`.
      epochs: passes over the reviews; each cuts windows elsewhere.
      tokens: words of a batch, at most.
      seed: of weights, dropout and batches.

    Returns:
      The notes of the file: `epochs`, `seconds`, `device`, and `history`, a row an epoch with the
      `loss` of training, in nats, and the perplexity of held out reviews in both directions.
    """
    begun = time.monotonic()
    generator = np.random.default_rng(seed)
    keras.utils.set_random_seed(seed)
    reviews = read_reviews(folder)
    rows, first = reviews.rows, reviews.labelled
    held_out = np.arange(first, first + reviews.held_out)
    train = np.setdiff1d(np.arange(len(rows)), held_out)
    model = read_network(folder / "language-model.json")
    recurrent = recurrent_layers(model)
    trainer: Trainer | None = None
    history: list[dict[str, float]] = []
    for epoch in range(1, epochs + 1):
        parts = windows(rows, train, WINDOW, generator)
        every = np.arange(len(parts))
        batches = plan_batches(parts, every, tokens, generator, MOST_ROWS)
        if trainer is None:
            log(
                f"language model: {model.count_params():,} parameters, "
                f"{len(batches):,} steps an epoch"
            )
            trainer = Trainer(model, epochs * len(batches), 2e-3)
        total = torch.zeros((), device=DEVICE)
        for batch in batches:
            ids = tensor(parts.take(batch.index, batch.length, batch.offsets))
            loss = -model(ids, training=True).mean()
            trainer.step(loss, recurrent)
            total += loss.detach()
        forwards, backwards = np.exp(nats(model, rows, held_out, tokens)).tolist()
        row = {
            "epoch": epoch,
            "loss": float(total) / len(batches),
            "perplexity_forwards": forwards,
            "perplexity_backwards": backwards,
        }
        history.append(row)
        log(
            f"epoch {epoch} of {epochs}: loss {row['loss']:.3f}, perplexity {forwards:.1f} "
            f"forwards and {backwards:.1f} backwards"
        )
    seconds = round(time.monotonic() - begun)
    notes = {"history": history, "epochs": epochs, "seconds": seconds, "device": device_name()}
    save_weights(folder / "language-model.npz", model, notes)
    return notes


def nats(model: keras.Model, rows: Rows, index: np.ndarray, tokens: int) -> np.ndarray:
    """Returns the mean of -log p of words, float64 `(2,)`: forwards, and backwards.

    Args:
      model: ids `(batch, time)` to log-probabilities `(batch, time, 2)`.
      rows: all rows.
      index: numbers of the rows that are read, in windows.
      tokens: words of a batch, at most.
    """
    parts = windows(rows, index, WINDOW, None)
    total, count = np.zeros(2), 0
    with torch.no_grad():
        for batch in plan_batches(parts, np.arange(len(parts)), tokens, None, MOST_ROWS):
            ids = tensor(parts.take(batch.index, batch.length, batch.offsets))
            logs = model(ids, training=False)
            total += logs.double().sum((0, 1)).cpu().numpy()
            count += ids.numel()
    return -total / count
