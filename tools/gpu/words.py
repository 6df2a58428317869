"""A word-level language model: the network of `ptb-deep-lstm` with a faster forward pass.

The network keeps its states in variables. Here they are passed from window to window, and its LSTMs
are computed by `torch.lstm`, after dropout on the weights. A test compares both passes.
See `recipes/words.py` for the sources.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import torch
from torch.nn import functional

from tools.gpu.batching import streams
from tools.gpu.networks import (
    DEVICE,
    Best,
    Dropout,
    MeanWeights,
    Trainer,
    hidden,
    locked,
    lstm_weights,
    parameters,
    read_network,
    save_best,
    tensor,
)
from tools.gpu.progress import log

IMPOSSIBLE = -1e9  # logit of padding, which is never predicted: as in the recipe's network

State = tuple[torch.Tensor, torch.Tensor]  # h and c of a layer, float32 (1, streams, units)


DROPOUT = Dropout(word=0.1, input=0.5, output=0.5, weight=0.4)  # settings of `ptb-deep-lstm`


def forward(
    weights: Sequence[torch.Tensor],
    ids: torch.Tensor,
    following: torch.Tensor,
    states: Sequence[State],
    dropout: Dropout | None = None,
) -> tuple[torch.Tensor, list[State]]:
    """Computes the forward pass of a window.

    Args:
      weights: of the network, in Keras' order: vectors, softmax bias; kernel, recurrent kernel and
        bias of each LSTM; kernel and bias of the projection.
      ids, following: int `(streams, time)`, words and the word after each.
      states: initial states of each LSTM.
      dropout: in training; None for none.

    Returns:
      The mean of -log p(following), in nats, and the final states of the window, without
      gradients.
    """
    table, softmax_bias, *inner, projection, projection_bias = weights
    seen = hidden(table, dropout.word, (len(table), 1)) if dropout else table
    x = functional.embedding(ids, seen)
    if dropout:
        x = locked(x, dropout.input)
    ends = []
    for number, state in enumerate(states):
        kernel, recurrent, bias = inner[3 * number : 3 * number + 3]
        if dropout:
            recurrent = functional.dropout(recurrent, dropout.weight)
        own = lstm_weights(kernel, recurrent, bias)
        x, h, c = torch.lstm(x, state, own, True, 1, 0.0, dropout is not None, False, True)
        ends.append((h.detach(), c.detach()))
        if dropout:
            x = locked(x, dropout.output)
    x = x @ projection + projection_bias
    logits = x.reshape(-1, x.shape[-1]) @ table.T + softmax_bias
    logits[:, 0] = IMPOSSIBLE
    return functional.cross_entropy(logits, following.reshape(-1)), ends


def train_words(
    folder: Path, epochs: int = 59, batch_size: int = 64, window: int = 35, seed: int = 0
) -> dict[str, Any]:
    """Trains the word-level language model and writes `ptb-deep-lstm.npz`.

    Each epoch begins at another place in the text. The validation split selects the epoch, and
    between its weights and their mean; it is evaluated in the first, every fourth and last epoch.

    Args:
      folder: with the files of `arrays.py`.
      epochs: passes over the text, for which the step size is scheduled.
      batch_size: streams that are read side by side.
      window: words per training step and stream.
      seed: of weights, dropout and the places where epochs begin.

    Returns:
      The notes of the file: `epochs`, `seconds`, `device`, `best` (nats a word on the validation
      split) and `history`, the rows of `history.csv`.
    """
    begun = time.monotonic()
    keras.utils.set_random_seed(seed)
    with np.load(folder / "words.npz") as file:
        train, validation = (file[name].astype("int64") for name in ("train", "validation"))
    model = read_network(folder / "ptb-deep-lstm.json")
    weights = parameters(model)
    depth = (len(weights) - 4) // 3
    shape = (1, batch_size, weights[3].shape[0])
    size = (len(train) - 1) // batch_size
    places = range(0, size, window)
    trainer = Trainer(model, epochs * len(places), 2e-3, clip=0.5, warmup=0.02)
    mean, best = MeanWeights(model), Best(model, higher=False)
    log(f"ptb-deep-lstm: {model.count_params():,} parameters, {len(places):,} steps an epoch")

    def empty() -> list[State]:
        return [(torch.zeros(shape, device=DEVICE),) * 2 for _ in range(depth)]

    def held_out() -> float:
        ids, following = map(tensor, streams(validation, batch_size))
        states, total = empty(), 0.0
        with torch.no_grad():
            for at in range(0, ids.shape[1], window):
                x, y = (each[:, at : at + window] for each in (ids, following))
                loss, states = forward(weights, x, y, states)
                total += float(loss) * x.numel()
        return total / ids.numel()

    history: list[dict[str, float]] = []
    for epoch in range(1, epochs + 1):
        shift = int(np.random.default_rng([seed, epoch - 1]).integers(len(train) - 1))
        ids, following = map(tensor, streams(np.roll(train, -shift), batch_size))
        states, total = empty(), torch.zeros((), device=DEVICE)
        for at in places:
            x, y = (each[:, at : at + window] for each in (ids, following))
            loss, states = forward(weights, x, y, states, DROPOUT)
            trainer.step(loss, depth)
            mean.update()
            total += loss.detach()
        if epoch not in (1, epochs) and epoch % 4:
            continue
        scores = best.observe(mean, held_out)
        history.append(
            {
                "epoch": epoch,
                "learning_rate": trainer.rate,
                "loss": float(total) / len(places),
                "val_loss": min(scores),
            }
        )
        log(
            f"epoch {epoch} of {epochs}: loss {history[-1]['loss']:.3f}; perplexity of the "
            f"validation split {math.exp(scores[0]):.2f}, of the mean of weights "
            f"{math.exp(scores[1]):.2f}"
        )
    seconds = round(time.monotonic() - begun)
    notes = {"history": history, "epochs": epochs, "seconds": seconds}
    return save_best(folder / "ptb-deep-lstm.npz", model, best, notes)
