"""The networks of `recipes.sentiment` in PyTorch, and a plain training script, for timing.

`Twin` is the same network as the recipe's, with its weights: embedding, word dropout,
SimpleRNN, LSTM or GRU (stacked, from both ends), mean and maximum over the real words, dropout,
a linear layer; Adam, gradients clipped to a global norm. Sequences go in packed
(`pack_padded_sequence`; a training step on 64 rows of 600 words then takes a minute on one core),
or padded: the same network as long as it reads from the left only (a backward layer then reads the
padding first).

`run` is a typical tutorial script: each review is cut or padded to its first 400 words, batches
in random order, Adam at its default step size, no schedule, no clipping, PyTorch's own initial
weights. It has the recipe's network, pooling included, but drops no words.

The order of the gates differs: Keras' GRU has z, r, h, PyTorch's has r, z, n. PyTorch's LSTM and
RNN have two biases, Keras' have one.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn.functional import cross_entropy
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from benchmarks.race import MARGIN, PROBE_ROWS

SOURCE = "https://pytorch.org/"
FIXED = 400  # words to which the plain script cuts and pads
EPOCHS = 4  # after which the script gives up
LAYOUTS = ("packed", "padded")

_CELLS = {"simplernn": nn.RNN, "lstm": nn.LSTM, "gru": nn.GRU}


def setup(threads: int, seed: int) -> dict[str, Any]:
    """Sets PyTorch's threads and seed; returns what the measurement records about it."""
    torch.set_num_threads(threads)
    torch.manual_seed(seed)
    return {"title": f"PyTorch {torch.__version__}", "threads": torch.get_num_threads()}


class Network(nn.Module):
    """Ids `(batch, time)`, padded on the right with 0, to logits `(batch, classes)`.

    Args:
      config: of a recipe of `recipes.sentiment` with `pooling="mean+max"`.
      ids: rows of the embedding.
      classes: size of the output.
    """

    def __init__(self, config: Any, ids: int, classes: int) -> None:
        super().__init__()
        if config.pooling != "mean+max":
            raise ValueError(f"The peer pools by mean+max only; got {config.pooling!r}.")
        self.embedding = nn.Embedding(ids, config.embedding, padding_idx=0)
        self.word_dropout = nn.Dropout1d(config.word_dropout)  # whole vectors of (batch, time, …)
        self.rnn = _CELLS[config.cell](
            config.embedding,
            config.units,
            num_layers=config.layers,
            bidirectional=config.bidirectional,
            batch_first=True,
        )
        self.dropout = nn.Dropout(config.dropout)
        self.linear = nn.Linear(2 * config.units * (1 + config.bidirectional), classes)

    def forward(self, ids: torch.Tensor, layout: str = "padded") -> torch.Tensor:
        real = ids != 0
        lengths = real.sum(1)
        x = self.word_dropout(self.embedding(ids))
        if layout == "packed":
            packed = pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
            x, _ = pad_packed_sequence(self.rnn(packed)[0], batch_first=True)
        else:
            x, _ = self.rnn(x)
        real = real.unsqueeze(-1)
        mean = (x * real).sum(1) / lengths.unsqueeze(-1)
        highest = x.masked_fill(~real, -torch.inf).max(1).values
        return self.linear(self.dropout(torch.cat([mean, highest], -1)))


class Twin:
    """A network with the weights of a recipe's model, and its optimizer.

    Args:
      config: of the recipe.
      model: the Keras model that `recipes.sentiment.build` makes of it.
    """

    def __init__(self, config: Any, model: Any) -> None:
        self.clip_norm = config.clip_norm
        weights = _weights(config, model)
        ids, classes = len(weights["embedding.weight"]), len(weights["linear.bias"])
        self.network = Network(config, ids, classes)
        self.network.load_state_dict(weights)
        self.optimizer = torch.optim.Adam(self.network.parameters(), config.learning_rate)

    def exact(self, layout: str) -> bool:
        """Whether the network is the recipe's with this layout."""
        return layout == "packed" or not self.network.rnn.bidirectional

    def step(self, ids: np.ndarray, labels: np.ndarray, layout: str) -> float:
        """Trains on a batch of ids `(batch, time)` and labels `(batch,)`; returns its loss."""
        return _step(self.network, self.optimizer, ids, labels, layout, self.clip_norm)

    @torch.no_grad()
    def predict(self, ids: np.ndarray, layout: str) -> np.ndarray:
        """Returns probabilities `(batch, classes)` of ids `(batch, time)`."""
        self.network.eval()
        return self.network(torch.from_numpy(ids), layout).softmax(-1).numpy()

    def compiled(self) -> Callable[[np.ndarray], np.ndarray]:
        """Returns `predict` of padded ids by `torch.compile`, compiled for each shape."""
        self.network.eval()
        network = torch.compile(self.network, dynamic=False)

        @torch.no_grad()
        def predict(ids: np.ndarray) -> np.ndarray:
            return network(torch.from_numpy(ids)).softmax(-1).numpy()

        return predict


def fixed(rows: Any, index: np.ndarray) -> np.ndarray:
    """Returns rows `index` of a `zoo.data.Ragged`, cut or padded to `(len(index), FIXED)`."""
    ids = rows.padded(index)[:, :FIXED]
    return np.pad(ids, ((0, 0), (0, FIXED - ids.shape[1])))


def run(
    config: Any,
    assets: dict[str, Any],
    train: Any,
    test: Any,
    target: float,
    seed: int,
    every: int,
) -> dict[str, Any]:
    """Trains the plain script until it reaches an accuracy.

    Args:
      config, assets: of the recipe.
      train, test: `zoo.data.Batches` of ids and labels.
      target: accuracy on the test rows.
      seed: of weights, dropout and order.
      every: steps between two scorings, whose time does not count. The first 2,500 rows of a fixed
        shuffle are scored; all of them when these come within two points of the target.

    Returns:
      `seconds` in training steps, `steps`, `score` (at the target, else the best of the whole test
      split), `reached`, `epochs` (at most) and `trail`: step, seconds, score and how many rows.
    """
    torch.manual_seed(seed)
    generator = np.random.default_rng(seed)
    network = Network(
        dataclasses.replace(config, word_dropout=0.0),
        len(assets["vocabulary"]) + 2,  # padding and the unknown word
        len(assets["labels"]),
    )
    optimizer = torch.optim.Adam(network.parameters())
    shuffled = np.random.default_rng(0).permutation(test.rows)
    seconds, step, trail = 0.0, 0, []
    per_epoch = -(-train.rows // config.batch_size)
    for _ in range(EPOCHS):
        order = generator.permutation(train.rows)
        for start in range(0, train.rows, config.batch_size):
            index = order[start : start + config.batch_size]
            start_time = time.perf_counter()
            _step(network, optimizer, fixed(train.x, index), train.y[index])
            seconds += time.perf_counter() - start_time
            step += 1
            if step % every and step % per_epoch:
                continue
            for rows in (shuffled[:PROBE_ROWS], shuffled):
                score = _accuracy(network, test, rows)
                trail.append({"step": step, "seconds": seconds, "score": score, "rows": len(rows)})
                if score < target - MARGIN:
                    break
            if score >= target:
                return _reached(trail, len(shuffled), target)
    if trail[-1]["rows"] < len(shuffled):
        score = _accuracy(network, test, shuffled)
        trail.append({**trail[-1], "score": score, "rows": len(shuffled)})
    return _reached(trail, len(shuffled), target)


def _reached(trail: list[dict[str, Any]], rows: int, target: float) -> dict[str, Any]:
    best = max((row for row in trail if row["rows"] == rows), key=lambda row: row["score"])
    last = trail[-1]
    return {
        "seconds": last["seconds"],
        "steps": last["step"],
        "score": best["score"],
        "reached": best["score"] >= target,
        "epochs": EPOCHS,
        "trail": trail,
    }


def _step(
    network: Network,
    optimizer: torch.optim.Optimizer,
    ids: np.ndarray,
    labels: np.ndarray,
    layout: str = "padded",
    clip_norm: float = 0.0,
) -> float:
    network.train()
    optimizer.zero_grad()
    loss = cross_entropy(network(torch.from_numpy(ids), layout), torch.from_numpy(labels).long())
    loss.backward()
    if clip_norm:
        nn.utils.clip_grad_norm_(network.parameters(), clip_norm)
    optimizer.step()
    return loss.item()


@torch.no_grad()
def _accuracy(network: Network, test: Any, rows: np.ndarray) -> float:
    network.eval()
    right = 0
    for start in range(0, len(rows), 256):
        index = rows[start : start + 256]
        predicted = network(torch.from_numpy(fixed(test.x, index))).argmax(-1).numpy()
        right += int((predicted == test.y[index]).sum())
    return right / len(rows)


def _weights(config: Any, model: Any) -> dict[str, torch.Tensor]:
    """Returns a Keras model's weights under PyTorch's names."""
    embedding, *rnns, linear = [layer for layer in model.layers if layer.weights]
    weights = {"embedding.weight": embedding.get_weights()[0]}
    for number, layer in enumerate(rnns):
        both = [layer.forward_layer, layer.backward_layer] if config.bidirectional else [layer]
        for each, suffix in zip(both, ("", "_reverse"), strict=False):
            kernel, recurrent, bias = each.get_weights()
            biases = bias if config.cell == "gru" else (bias, np.zeros_like(bias))
            for name, value in zip(
                ("weight_ih", "weight_hh", "bias_ih", "bias_hh"),
                (kernel, recurrent, *biases),
                strict=True,
            ):
                if config.cell == "gru":
                    z, r, h = np.split(value, 3, axis=-1)
                    value = np.concatenate([r, z, h], axis=-1)
                weights[f"rnn.{name}_l{number}{suffix}"] = value.T
    kernel, bias = linear.get_weights()
    weights |= {"linear.weight": kernel.T, "linear.bias": bias}
    return {name: torch.from_numpy(value.copy()) for name, value in weights.items()}
