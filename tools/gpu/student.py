"""Students: the small networks of recipes, trained on the teachers' predictions.

G. Hinton, O. Vinyals, J. Dean: Distilling the Knowledge in a Neural Network, 2015. The target of a
labelled row is half its label and half the teachers' probabilities; that of an unlabelled row is
the teachers' probabilities alone. `zoo distil` does the same in TensorFlow.
"""

from __future__ import annotations

import dataclasses
from functools import partial
from pathlib import Path
from typing import Any

import keras
import numpy as np
import torch

from tools.gpu.batching import read_reviews
from tools.gpu.classifier import read_lesson
from tools.gpu.fitting import Plan, fit
from tools.gpu.networks import read_network, recurrent_layers, save_best

MOST_ROWS = 128  # of a batch


@dataclasses.dataclass(frozen=True)
class Student:
    """Training settings of a student.

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

    The validation split selects the epoch, and between its weights and their mean.

    Args:
      name: a key of `STUDENTS`.
      folder: with the files of `arrays.py` and `taught-….npz`.
      epochs: passes over all rows; None: as `STUDENTS` has them.
      seed: of weights, dropout and batches.

    Returns:
      The notes of the file: `epochs`, `seconds`, `device`, `best` (accuracy on the validation
      split), `teaching` as in `data.json` of a run, and `history`, the rows of `history.csv`.
    """
    generator = np.random.default_rng(seed)
    keras.utils.set_random_seed(seed)
    how = STUDENTS[name]
    reviews = read_reviews(folder)
    rows = reviews.rows.mapped(reviews.table).cut(how.words)
    targets, teaching = read_lesson(folder, reviews)
    model = read_network(folder / f"{name}.json")
    every = np.setdiff1d(np.arange(len(rows)), reviews.validation)

    def loss_of(ids: torch.Tensor, index: torch.Tensor) -> torch.Tensor:
        found = model(ids, training=True).float().clamp(1e-7, 1)
        return -(targets[index] * found.log()).sum(1).mean()

    plan = Plan(epochs or how.epochs, how.rate, how.tokens, MOST_ROWS, recurrent_layers(model))
    answer = partial(model, training=False)
    notes, best = fit(name, model, reviews, rows, lambda: every, loss_of, answer, plan, generator)
    return save_best(folder / f"{name}.npz", model, best, {**notes, "teaching": teaching})
