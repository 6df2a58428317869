"""Students: the small networks of recipes, taught by the answers of the teachers.

G. Hinton, O. Vinyals, J. Dean: Distilling the Knowledge in a Neural Network, 2015. The target of a
row with a label is half its label and half the teachers' probabilities, that of a row without one
these alone. `zoo distil` does the same in TensorFlow.
"""

from __future__ import annotations

import dataclasses
import time
from pathlib import Path
from typing import Any

import keras
import numpy as np
import torch

from tools.gpu.batching import Rows, plan_batches, read_reviews
from tools.gpu.classifier import read_lesson
from tools.gpu.networks import (
    DEVICE,
    Best,
    MeanWeights,
    Trainer,
    log,
    read_network,
    recurrent_layers,
    save_best,
    tensor,
)

MOST_ROWS = 128  # of a batch


@dataclasses.dataclass(frozen=True)
class Student:
    """How a student learns.

    Attributes:
      epochs: passes over all rows.
      rate: Adam's step size at its highest.
      words: of a review that are read, at most: `max_words` of the recipe.
      tokens: words of a batch, at most.
    """

    epochs: int
    rate: float = 2e-3
    words: int = 600
    tokens: int = 24_576


STUDENTS = {
    "imdb-lstm": Student(epochs=5),
    "imdb-gru": Student(epochs=6),
    "imdb-deep-gru": Student(epochs=6),
    "imdb-bilstm": Student(epochs=5, words=800),
    # Keras has no cuDNN kernel for it: an epoch takes ten times as long. Hence the larger batches.
    "imdb-simplernn": Student(epochs=5, rate=1e-3, tokens=49_152),
}


def train_student(
    name: str, folder: Path, epochs: int | None = None, seed: int = 0
) -> dict[str, Any]:
    """Trains a student and writes `NAME.npz`.

    The validation split chooses the epoch, and between its weights and their mean.

    Args:
      name: a key of `STUDENTS`.
      folder: with the files of `arrays.py` and `taught-….npz`.
      epochs: passes over all rows; None: as `STUDENTS` has them.
      seed: of weights, dropout and batches.

    Returns:
      The notes of the file: `epochs`, `seconds`, `device`, `best` (accuracy on the validation
      split), `teaching` as in `data.json` of a run, and `history`, the rows of `history.csv`.
    """
    begun = time.monotonic()
    generator = np.random.default_rng(seed)
    keras.utils.set_random_seed(seed)
    how = STUDENTS[name]
    epochs = epochs or how.epochs
    reviews = read_reviews(folder)
    rows = reviews.rows.mapped(reviews.table).cut(how.words)
    targets, teaching = read_lesson(folder, reviews)
    model = read_network(folder / f"{name}.json")
    recurrent = recurrent_layers(model)
    index = np.setdiff1d(np.arange(len(rows)), reviews.validation)
    mean, best = MeanWeights(model), Best(model, higher=True)
    trainer: Trainer | None = None
    history: list[dict[str, float]] = []
    for epoch in range(1, epochs + 1):
        batches = plan_batches(rows, index, how.tokens, generator, MOST_ROWS)
        trainer = trainer or Trainer(model, epochs * len(batches), how.rate)
        total = torch.zeros((), device=DEVICE)
        for batch in batches:
            ids = tensor(rows.take(batch.index, batch.length, batch.offsets))
            found = model(ids, training=True).float().clamp(1e-7, 1)
            loss = -(targets[tensor(batch.index)] * found.log()).sum(1).mean()
            trainer.step(loss, recurrent)
            mean.update()
            total += loss.detach()
        scores = best.observe(
            mean, lambda: accuracy(model, rows, reviews.validation, reviews.labels)
        )
        history.append(
            {
                "epoch": epoch,
                "learning_rate": trainer.rate,
                "loss": float(total) / len(batches),
                "val_accuracy": max(scores),
            }
        )
        log(
            f"{name}, epoch {epoch} of {epochs}: loss {history[-1]['loss']:.4f}; accuracy on the "
            f"validation split {scores[0]:.4f}, of the mean of weights {scores[1]:.4f}"
        )
    notes = {
        "history": history,
        "epochs": epochs,
        "seconds": round(time.monotonic() - begun),
        "teaching": teaching,
    }
    return save_best(folder / f"{name}.npz", model, best, notes)


def accuracy(model: keras.Model, rows: Rows, index: np.ndarray, labels: np.ndarray) -> float:
    """Returns the share of rows whose most probable class is their label."""
    right = 0
    with torch.no_grad():
        for batch in plan_batches(rows, index, 200_000, None, 1024):
            ids = tensor(rows.take(batch.index, batch.length, batch.offsets))
            found = model(ids, training=False).argmax(1).cpu().numpy()
            right += int((found == labels[batch.index]).sum())
    return right / len(index)
