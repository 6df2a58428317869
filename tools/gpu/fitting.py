"""Trains and evaluates networks, independently of how their outputs are computed."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import torch

from tools.gpu.batching import Batch, Reviews, Rows, plan_batches
from tools.gpu.networks import (
    DEVICE,
    Best,
    MeanWeights,
    Trainer,
    affordable_epochs,
    parameters,
    tensor,
)
from tools.gpu.progress import log


@dataclasses.dataclass(frozen=True)
class Plan:
    """Training settings of a network.

    Attributes:
      epochs: for which the step size is scheduled.
      rate: Adam's step size at its highest.
      tokens: words of a batch, at most.
      most_rows: of a batch.
      passes: recurrent layers that a loss comes through, at least.
      half: see `Trainer`.
      seconds: see `affordable_epochs`.
    """

    epochs: int
    rate: float
    tokens: int
    most_rows: int
    passes: int
    half: bool = False
    seconds: float = 0


def fit(
    name: str,
    model: keras.Model,
    reviews: Reviews,
    rows: Rows,
    rows_of_an_epoch: Callable[[], np.ndarray],
    loss_of: Callable[[torch.Tensor, torch.Tensor], torch.Tensor],
    answer: Callable[[torch.Tensor], torch.Tensor],
    plan: Plan,
    generator: np.random.Generator,
) -> tuple[dict[str, Any], Best]:
    """Trains a classifier; the validation split selects the epoch and the last or mean weights.

    Args:
      name: to be logged.
      model: with the weights to begin with.
      reviews: whose validation split is read.
      rows: of words that the network knows.
      rows_of_an_epoch: returns the numbers of the rows of the next epoch.
      loss_of: takes ids `(batch, time)` and numbers of rows `(batch,)`; returns a scalar.
      answer: see `answers`.
      plan: of the training.
      generator: of batches.

    Returns:
      Notes of the file of weights, and the best weights.
    """

    def next_batches() -> list[Batch]:
        return plan_batches(rows, rows_of_an_epoch(), plan.tokens, generator, plan.most_rows)

    def loss_of_batch(batch: Batch) -> torch.Tensor:
        ids = tensor(rows.take(batch.index, batch.length, batch.offsets))
        return loss_of(ids, tensor(batch.index))

    def measure() -> float:
        return accuracy(answer, rows, reviews.validation, reviews.labels)

    return run_epochs(name, model, next_batches, loss_of_batch, measure, plan)


def run_epochs(
    name: str,
    model: keras.Model,
    next_batches: Callable[[], list[Batch]],
    loss_of_batch: Callable[[Batch], torch.Tensor],
    measure: Callable[[], float],
    plan: Plan,
    after: Callable[[dict[str, Any], Best], None] = lambda notes, best: None,
) -> tuple[dict[str, Any], Best]:
    """Trains a network; a score selects the epoch and the last or mean weights.

    Args:
      name: to be logged.
      model: with the weights to begin with.
      next_batches: returns the batches of the next epoch.
      loss_of_batch: returns a scalar.
      measure: returns the accuracy of the network as it is on the validation split.
      plan: of the training; `tokens` and `most_rows` are not read here.
      after: is called after each epoch with what is returned at the end.

    Returns:
      Notes of the file of weights, and the best weights.
    """
    begun = time.monotonic()
    mean, best = MeanWeights(model), Best(model, higher=True)
    history: list[dict[str, float]] = []
    notes: dict[str, Any] = {}
    batches = next_batches()
    epochs = affordable_epochs(plan.epochs, plan.seconds, parameters(model), batches, loss_of_batch)
    trainer = Trainer(model, epochs * len(batches), plan.rate, half=plan.half)
    for epoch in range(1, epochs + 1):
        if epoch > 1:
            batches = next_batches()
        total = torch.zeros((), device=DEVICE)
        for batch in batches:
            loss = loss_of_batch(batch)
            trainer.step(loss, plan.passes)
            mean.update()
            total += loss.detach()
        last, averaged = best.observe(mean, measure)
        history.append(
            {
                "epoch": epoch,
                "learning_rate": trainer.rate,
                "loss": float(total) / len(batches),
                "val_accuracy": max(last, averaged),
            }
        )
        log(
            f"{name}, epoch {epoch} of {epochs}: loss {history[-1]['loss']:.4f}; accuracy on the "
            f"validation split {last:.4f}, of the mean of weights {averaged:.4f}"
        )
        notes = {"history": history, "epochs": epochs, "seconds": round(time.monotonic() - begun)}
        after(notes, best)
    return notes, best


def answers(
    answer: Callable[[torch.Tensor], torch.Tensor], rows: Rows, index: np.ndarray
) -> np.ndarray:
    """Returns a network's outputs for rows, float32 `(len(index), classes)`.

    Args:
      answer: takes ids `(batch, time)`, without padding; returns a number for each class, float
        `(batch, classes)`.
      rows: all rows.
      index: the numbers of those that are read.
    """
    order, found = [], []
    with torch.no_grad():
        for batch in plan_batches(rows, index, 200_000, None, 1024):
            ids = tensor(rows.take(batch.index, batch.length, batch.offsets))
            order.append(batch.index)
            found.append(answer(ids).float().cpu().numpy())
    places = np.empty(len(rows), "int64")
    places[np.concatenate(order)] = np.arange(len(index))
    return np.concatenate(found)[places[index]]


def accuracy(
    answer: Callable[[torch.Tensor], torch.Tensor],
    rows: Rows,
    index: np.ndarray,
    labels: np.ndarray,
) -> float:
    """Returns the fraction of rows whose highest output is that of their label."""
    return float((answers(answer, rows, index).argmax(1) == labels[index]).mean())
