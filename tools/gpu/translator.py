"""Translators: the encoder–decoder networks of `recipes/translation.py`.

The forward pass is that of the recipe with GRUs, computed by cuDNN. To the cross-entropy, training
may add the divergence between two passes over the same batch with different dropout (X. Liang et
al.: R-Drop: Regularized Dropout for Neural Networks, NeurIPS 2021):

    (CE(p) + CE(q)) / 2 + w (KL(p ‖ q) + KL(q ‖ p)) / 2
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import torch
from torch.nn import functional

import recipes.translating.decoder  # noqa: F401  # registers layers with Keras
from tools.gpu.batching import Batch, plan_batches
from tools.gpu.fitting import Plan, run_epochs
from tools.gpu.networks import (
    Best,
    copy_weights,
    hidden,
    parameters,
    read_network,
    save_best,
    set_weights,
    tensor,
)
from tools.gpu.pairs import read_pairs
from tools.gpu.progress import log
from tools.gpu.translators import TRANSLATORS

SMOOTHING = 0.1  # of labels, a setting of the recipe
TOKENS = 8_192  # source ids of a batch, at most
BEGIN = 2  # the id before the first target step, as in `recipes.translating.subwords`
LAYERS = 3  # GRUs of a network; both directions of the encoder are one


def gru_weights(
    kernel: torch.Tensor, recurrent: torch.Tensor, bias: torch.Tensor
) -> list[torch.Tensor]:
    """Returns the weights of Keras' GRU (`reset_after`) as `torch.gru` takes them.

    Keras' gates are z, r, h, those of PyTorch r, z, h; Keras' matrices are transposed.
    """

    def turn(matrix: torch.Tensor) -> torch.Tensor:
        z, r, h = matrix.chunk(3, -1)
        return torch.cat([r, z, h], -1)

    ours, theirs = turn(bias)
    return [turn(kernel).T.contiguous(), turn(recurrent).T.contiguous(), ours, theirs]


def gru(
    weights: Sequence[torch.Tensor], x: torch.Tensor, state: torch.Tensor, both: bool = False
) -> tuple[torch.Tensor, torch.Tensor]:
    """Runs a GRU over all steps.

    Args:
      weights: kernel, recurrent kernel and bias of Keras; of both directions, one after the other.
      x: float `(batch, time, size)`, none of padding, or padded on the right.
      state: at the start, float `(directions, batch, units)`.
      both: whether it reads in both directions.

    Returns:
      Its states, float `(batch, time, directions · units)`, and the last ones, as `state`.
    """
    params = [
        each for at in range(0, len(weights), 3) for each in gru_weights(*weights[at : at + 3])
    ]
    training = torch.is_grad_enabled()
    states, last = torch.gru(x, state.contiguous(), params, True, 1, 0.0, training, both, True)
    return states, last


def answer(
    weights: Sequence[torch.Tensor],
    source: torch.Tensor,
    target: torch.Tensor,
    dropout: float = 0.0,
) -> torch.Tensor:
    """Returns the logits of the target ids, float32 `(batch, target, ids)`.

    Args:
      weights: of the network, in Keras' order; a network with attention has one more than one
        without.
      source: ids `(batch, source)`, none of padding.
      target: ids before each step, `(batch, target)`, padded on the right.
      dropout: rate, in training.
    """

    def drop(values: torch.Tensor) -> torch.Tensor:
        return hidden(values, dropout, values.shape) if dropout else values

    embedding, *rest = weights
    encoder, (bias, embed, start, start_bias), rest = rest[:6], rest[6:10], rest[10:]
    first, second, *attend, readout, readout_bias = rest[:3], rest[3:6], *rest[6:]
    x = drop(functional.embedding(source, embedding))
    empty = x.new_zeros(2, len(x), encoder[1].shape[0])
    states, ends = gru(encoder, x, empty, both=True)
    last = torch.cat([*ends], -1)
    begin = (last @ start + start_bias).tanh().chunk(2, -1)
    written = drop(functional.embedding(target, embed) * embed.shape[1] ** 0.5)
    queries, _ = gru(first, written, begin[0][None])
    if attend:
        states = drop(torch.cat([states, x], -1))
        scores = queries @ (states @ attend[0]).transpose(1, 2)
        contexts = scores.softmax(-1) @ states
    else:
        contexts = last[:, None].expand(-1, target.shape[1], -1)
    contexts = drop(contexts)
    found, _ = gru(second, torch.cat([queries, contexts], -1), begin[1][None])
    read = (torch.cat([found, contexts, written], -1) @ readout + readout_bias).tanh()
    return drop(read) @ embed.T + bias


def shifted(written: torch.Tensor) -> torch.Tensor:
    """Returns the ids before each step of a target, of the same shape and padding."""
    before = functional.pad(written[:, :-1], (1, 0), value=BEGIN)
    return torch.where(written == 0, 0, before)


def loss_of_rows(
    weights: Sequence[torch.Tensor],
    source: torch.Tensor,
    written: torch.Tensor,
    dropout: float,
    smoothing: float,
    consistency: float,
) -> torch.Tensor:
    """Returns the mean loss of the real target steps, a scalar.

    Args:
      weights: of the network.
      source: ids `(batch, source)`.
      written: target ids `(batch, target)`, 0 at padding.
      dropout: rate.
      smoothing: of the labels, as in `zoo.losses.SmoothedCrossEntropy`.
      consistency: w, see the module; 0: a single pass.
    """
    passes = 2 if consistency else 1
    source, written = source.repeat(passes, 1), written.repeat(passes, 1)
    real = written != 0
    logits = answer(weights, source, shifted(written), dropout)
    logs = logits.log_softmax(-1)
    true = logs.gather(-1, written[..., None].long())[..., 0]
    terms = (1 - smoothing) * true + smoothing * logs.mean(-1)
    loss = -(terms * real).sum() / real.sum()
    if consistency:
        (p, q), half = logs.chunk(2), real[: len(real) // 2]
        divergence = ((p.exp() - q.exp()) * (p - q)).sum(-1) / 2
        loss = loss + consistency * (divergence * half).sum() / half.sum()
    return loss


def train_translator(
    folder: Path, name: str, epochs: int | None = None, seconds: float = 0, seed: int = 0
) -> dict[str, Any]:
    """Trains a translator and writes `NAME.npz`, again after each epoch.

    The validation split selects the epoch, and between its weights and their mean.

    Args:
      folder: with the files of `arrays.py`.
      name: a key of `TRANSLATORS`.
      epochs: passes over the training rows; None: as `TRANSLATORS` has them.
      seconds: see `affordable_epochs`.
      seed: of weights, dropout and batches.

    Returns:
      The notes of the file: `epochs`, `seconds`, `device`, `best` (accuracy on the pieces of the
      validation split) and `history`, the rows of `history.csv`.
    """
    generator = np.random.default_rng(seed)
    keras.utils.set_random_seed(seed)
    how = TRANSLATORS[name]
    dropout = how.settings["dropout"]
    pairs = read_pairs(folder / f"{name}.pairs.npz")
    model = read_network(folder / f"{name}.json")
    weights = parameters(model)
    train = pairs.short(np.arange(pairs.trained))
    validation = pairs.short(np.arange(pairs.trained, len(pairs)))
    log(
        f"{name}: {model.count_params():,} parameters, {len(train):,} of {pairs.trained:,} "
        f"training rows and {len(validation):,} of {len(pairs) - pairs.trained:,} validation rows"
    )

    def next_batches() -> list[Batch]:
        return plan_batches(pairs.source, train, TOKENS, generator, how.rows)

    def loss_of_batch(batch: Batch) -> torch.Tensor:
        source, written = map(tensor, pairs.take(batch))
        return loss_of_rows(weights, source, written, dropout, SMOOTHING, how.consistency)

    def held_out() -> float:
        right = steps = 0.0
        with torch.no_grad():
            for batch in plan_batches(pairs.source, validation, TOKENS, None, 512):
                source, written = map(tensor, pairs.take(batch))
                found = answer(weights, source, shifted(written)).argmax(-1)
                real = written != 0
                right += float(((found == written) & real).sum())
                steps += float(real.sum())
        return right / steps

    path = folder / f"{name}.npz"

    def save(notes: dict[str, Any], best: Best) -> None:
        now = copy_weights(model)
        save_best(path, model, best, notes)
        set_weights(model, now)  # to go on from them

    plan = Plan(
        epochs or how.settings["epochs"], how.rate, TOKENS, how.rows, LAYERS, seconds=seconds
    )
    notes, best = run_epochs(name, model, next_batches, loss_of_batch, held_out, plan, save)
    return save_best(path, model, best, notes)
