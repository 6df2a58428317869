"""Classifiers that start from the language model: teachers, and the student of their size.

A teacher learns by virtual adversarial training (T. Miyato, A. M. Dai, I. Goodfellow: Adversarial
Training Methods for Semi-Supervised Text Classification, ICLR 2017). To the cross-entropy of rows
with labels,

    KL(p(s) ‖ p(s + r)),  r = ε g / ‖g‖,  g = ∇_d KL(p(s) ‖ p(s + d))

is added for all rows: s are the word vectors, d is a small random vector. It needs no label.
`recipes.classifying.perturbation` does the same in TensorFlow.

The forward pass is that of `imdb-bilstm`, in half precision; a test compares both.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import keras
import numpy as np
import torch
from torch.nn import functional

from tools.gpu import large
from tools.gpu.batching import Reviews, Rows, read_reviews
from tools.gpu.both_ends import COMPUTE, half, read_both_ends
from tools.gpu.fitting import Plan, answers, fit
from tools.gpu.networks import (
    hidden,
    parameters,
    read_network,
    save_best,
    tensor,
)
from tools.gpu.progress import log
from tools.gpu.weights import read_weights

TEACHER = "BiLSTM from a language model, by virtual adversarial training"
MOST_ROWS = 256  # of a batch
DROPOUT = 0.5  # a setting of `imdb-bilstm`
LABEL_SHARE = 0.5  # of the target of a row with a label


@dataclasses.dataclass(frozen=True)
class Masks:
    """Dropout masks of a step, shared by all passes, so that they differ only in the perturbation.

    Attributes:
      words: of `COMPUTE`, `(batch, time, 1)`: 0 for a word that is hidden.
      pooled: of `COMPUTE`, `(batch, 4 units)`: likewise for pooled states.
    """

    words: torch.Tensor
    pooled: torch.Tensor

    @staticmethod
    def draw(ids: torch.Tensor, units: int) -> Masks:
        """Draws masks for ids `(batch, time)` and states of a size."""
        words = torch.ones(*ids.shape, 1, device=ids.device, dtype=COMPUTE)
        pooled = torch.ones(len(ids), 4 * units, device=ids.device, dtype=COMPUTE)
        return Masks(
            hidden(words, large.WORD_DROPOUT, words.shape), hidden(pooled, DROPOUT, pooled.shape)
        )


def word_vectors(
    weights: Sequence[torch.Tensor], ids: torch.Tensor, masks: Masks | None = None
) -> torch.Tensor:
    """Returns the vectors of words, of `COMPUTE`, `(batch, time, size)`."""
    vectors = half(functional.embedding(ids, weights[0]))
    return vectors * masks.words if masks else vectors


def answer(
    weights: Sequence[torch.Tensor], vectors: torch.Tensor, masks: Masks | None = None
) -> torch.Tensor:
    """Returns the logits of classes, float32 `(batch, classes)`.

    Args:
      weights: of the network, in Keras' order: vectors, those of both LSTMs, kernel and bias.
      vectors: of words, of `COMPUTE`, `(batch, time, size)`, none of padding.
      masks: in training; None for none.
    """
    states = read_both_ends(weights[1:7], vectors)
    pooled = torch.cat([states.float().mean(1), states.amax(1).float()], dim=1)
    if masks:
        pooled = pooled * masks.pooled
    return pooled @ weights[7] + weights[8]


def plain_answer(weights: Sequence[torch.Tensor], ids: torch.Tensor) -> torch.Tensor:
    """Returns the logits of classes, float32 `(batch, classes)`, with nothing hidden."""
    return answer(weights, word_vectors(weights, ids))


def supervised(
    weights: Sequence[torch.Tensor],
    targets: torch.Tensor,
    ids: torch.Tensor,
    index: torch.Tensor,
) -> torch.Tensor:
    """Returns the mean cross-entropy of a batch.

    Args:
      weights: of the network.
      targets: of all rows: classes, int64 `(rows,)`, or their probabilities `(rows, classes)`.
      ids: int32 `(batch, time)`, without padding.
      index: numbers of the rows, int64 `(batch,)`.
    """
    masks = Masks.draw(ids, weights[2].shape[0])
    logits = answer(weights, word_vectors(weights, ids, masks), masks)
    return functional.cross_entropy(logits, targets[index])


def plan_of(epochs: int, rate: float, tokens: int, seconds: float = 0, passes: int = 1) -> Plan:
    """Returns the training settings of a large classifier, in half precision."""
    return Plan(epochs, rate, tokens, MOST_ROWS, passes, half=True, seconds=seconds)


def begin(folder: Path) -> keras.Model:
    """Returns the network with the word vectors and the LSTMs of the language model.

    Raises:
      ValueError: they are of other sizes.
    """
    model = read_network(folder / f"{large.NAME}.json")
    start = read_network(folder / "language-model.json")
    read_weights(folder / "language-model.npz", start)
    vectors, _, *theirs = parameters(start)
    with torch.no_grad():
        for old, new in zip([vectors, *theirs[:6]], parameters(model)[:7], strict=True):
            if old.shape != new.shape:
                raise ValueError(f"{[*new.shape]} does not fit {[*old.shape]}: other settings.")
            new.copy_(old)
    return model


def deviation(vectors: torch.Tensor, rows: Rows) -> float:
    """Returns the standard deviation of the numbers of word vectors, weighted by frequency."""
    shares = np.bincount(rows.values, minlength=len(vectors)) / len(rows.values)
    weight = tensor(shares.astype("float32"))[:, None]
    centred = vectors.detach() - (weight * vectors.detach()).sum(0)
    return float((weight * centred.square()).sum(0).mean().sqrt())


def read_large(folder: Path) -> keras.Model:
    """Returns the large student, which sentences are learnt from."""
    model = read_network(folder / f"{large.NAME}.json")
    read_weights(folder / f"{large.NAME}.npz", model)
    return model


@dataclasses.dataclass(frozen=True)
class Task:
    """Rows that are learnt by teachers, and by a student of their size.

    Attributes:
      rows: the file of `arrays.py`.
      prefix: of the files of teachers.
      student: its name.
      teacher: what teachers are called.
      begin: returns the network that they start from, given the folder.
    """

    rows: str
    prefix: str
    student: str
    teacher: str
    begin: Callable[[Path], keras.Model]


REVIEWS = Task("reviews", "", large.NAME, TEACHER, begin)
SENTENCES = Task(
    "sentences", "sentences-", large.SENTENCES, f"`{large.NAME}`, trained further", read_large
)


def train_teacher(
    folder: Path,
    epochs: int = 5,
    tokens: int = 32_768,
    epsilon: float = 5.0,
    rate: float = 7e-4,
    seconds: float = 0,
    seed: int = 0,
    task: Task = REVIEWS,
) -> dict[str, Any]:
    """Trains a teacher; writes `teacher-SEED.npz` and its answers to all rows, `taught-SEED.npz`.

    An epoch has all labelled training rows and as many without a label as there are labelled ones,
    drawn again each epoch. The validation split chooses the epoch, and between its weights and
    their mean.

    Args:
      folder: with the files of `arrays.py` and `language-model.npz`; for sentences, the weights of
        the large student.
      epochs: passes over the labelled rows.
      tokens: words of a batch, at most.
      epsilon: norm of the perturbation of a row, as a multiple of the standard deviation of the
        numbers of word vectors at the start.
      rate: Adam's step size at its highest.
      seconds: see `affordable_epochs`.
      seed: of weights, dropout and batches.
      task: what it learns.

    Returns:
      The notes of the file: `epochs`, `seconds`, `device`, `epsilon`, `best` (accuracy on the
      validation split) and `history`, a row an epoch.
    """
    generator = np.random.default_rng(seed)
    keras.utils.set_random_seed(seed)
    reviews = read_reviews(folder, task.rows)
    rows = reviews.rows.cut(large.MAX_WORDS)
    model = task.begin(folder)
    weights = parameters(model)
    norm = epsilon * deviation(weights[0], reviews.rows)
    log(f"teacher: {model.count_params():,} parameters, epsilon {norm:.3f}")
    every = np.full(len(rows), -1)
    every[: reviews.labelled] = reviews.labels
    labels = tensor(every)
    unlabelled = np.arange(reviews.labelled, len(rows))
    drawn = min(len(unlabelled), reviews.labelled)

    def loss_of(ids: torch.Tensor, index: torch.Tensor) -> torch.Tensor:
        return virtual_adversarial(weights, ids, labels[index], norm).sum()

    def rows_of_an_epoch() -> np.ndarray:
        chosen = generator.choice(unlabelled, drawn, replace=False)
        return np.concatenate([np.arange(reviews.trained), chosen])

    notes, best = fit(
        "teacher", model, reviews, rows, rows_of_an_epoch, loss_of, partial(plain_answer, weights),
        plan_of(epochs, rate, tokens, seconds, passes=2), generator,
    )  # fmt: skip
    path = folder / f"{task.prefix}teacher-{seed}.npz"
    notes = save_best(path, model, best, {**notes, "epsilon": norm})
    logits = answers(partial(plain_answer, weights), rows, np.arange(len(rows)))
    np.savez(
        folder / f"{task.prefix}taught-{seed}.npz",
        probabilities=torch.from_numpy(logits).softmax(1).numpy(),
        accuracy=notes["best"],
    )
    return notes


def virtual_adversarial(
    weights: Sequence[torch.Tensor], ids: torch.Tensor, labels: torch.Tensor, epsilon: float
) -> torch.Tensor:
    """Returns the two terms of the loss of a batch.

    Args:
      weights: of the network.
      ids: int32 `(batch, time)`, without padding.
      labels: int64 `(batch,)`, -1 where there is none.
      epsilon: ε, the norm of the perturbation of a row, over all of its words.

    Returns:
      float32 `(2,)`: the mean cross-entropy of rows with a label, 0 without any; and the mean
      divergence of all rows.
    """
    masks = Masks.draw(ids, weights[2].shape[0])
    vectors = word_vectors(weights, ids, masks)
    plain = answer(weights, vectors, masks)
    known = labels >= 0
    each = functional.cross_entropy(plain, labels, ignore_index=-1, reduction="sum")
    cross_entropy = each / known.sum().clamp_min(1)
    expected = plain.detach().log_softmax(1)

    def divergence(perturbation: torch.Tensor) -> torch.Tensor:
        found = answer(weights, vectors + half(perturbation), masks).log_softmax(1)
        return (expected.exp() * (expected - found)).sum(1).mean()

    # In half precision, a much smaller perturbation would vanish.
    small = (epsilon * unit(torch.randn_like(vectors))).requires_grad_()
    # Small gradients vanish in half precision; only their direction matters.
    (gradient,) = torch.autograd.grad(divergence(small) * 1_024, small)
    return torch.stack([cross_entropy, divergence(epsilon * unit(gradient))])


def unit(vectors: torch.Tensor) -> torch.Tensor:
    """Returns vectors of norm 1 over all words of a row, float32, a constant to gradients.

    Args:
      vectors: float `(batch, time, size)`; a row of zeros stays as it is.
    """
    vectors = vectors.detach().float()
    # Divide by the largest value first, so that squares neither underflow nor overflow.
    vectors = vectors / vectors.abs().amax((1, 2), keepdim=True).clamp_min(1e-30)
    return vectors / vectors.norm(dim=(1, 2), keepdim=True).clamp_min(1e-30)


def train_large_student(
    folder: Path,
    epochs: int = 4,
    tokens: int = 32_768,
    rate: float = 7e-4,
    seconds: float = 0,
    seed: int = 0,
    task: Task = REVIEWS,
) -> dict[str, Any]:
    """Trains a network on the answers of all teachers; writes `imdb-bilstm-large.npz`.

    It is of their size and starts where they do. See `tools.gpu.student` for the targets.

    Args:
      folder: with the files of `arrays.py`, `language-model.npz` and `taught-….npz`.
      epochs: passes over all rows.
      tokens: words of a batch, at most.
      rate: Adam's step size at its highest.
      seconds: see `affordable_epochs`.
      seed: of weights, dropout and batches.
      task: what it learns.

    Returns:
      The notes of the file: `epochs`, `seconds`, `device`, `best` (accuracy on the validation
      split), `teaching` as in `data.json` of a run, and `history`, the rows of `history.csv`.
    """
    generator = np.random.default_rng(seed)
    keras.utils.set_random_seed(seed)
    reviews = read_reviews(folder, task.rows)
    rows = reviews.rows.cut(large.MAX_WORDS)
    targets, teaching = read_lesson(folder, reviews, task)
    model = task.begin(folder)
    weights = parameters(model)

    every = np.setdiff1d(np.arange(len(rows)), reviews.validation)
    notes, best = fit(
        task.student, model, reviews, rows, lambda: every, partial(supervised, weights, targets),
        partial(plain_answer, weights), plan_of(epochs, rate, tokens, seconds), generator,
    )  # fmt: skip
    return save_best(folder / f"{task.student}.npz", model, best, {**notes, "teaching": teaching})


def read_lesson(
    folder: Path, reviews: Reviews, task: Task = REVIEWS
) -> tuple[torch.Tensor, dict[str, Any]]:
    """Reads the answers of all teachers of a task in a folder and averages them.

    Returns:
      Targets, float32 `(rows, classes)`, and `teaching` as in `data.json` of a run.

    Raises:
      FileNotFoundError: there are none.
    """
    taught_by, teachers = [], {}
    for path in sorted(folder.glob(f"{task.prefix}taught-*.npz")):
        with np.load(path) as file:
            taught_by.append(file["probabilities"])
            teachers[f"{task.teacher}, seed {path.stem.rpartition('-')[2]}"] = float(
                file["accuracy"]
            )
    if not taught_by:
        raise FileNotFoundError(
            f"{folder} has no {task.prefix}taught-….npz: train a teacher first."
        )
    taught = np.mean(taught_by, axis=0)
    right = taught[reviews.validation].argmax(1) == reviews.labels[reviews.validation]
    exact = np.eye(taught.shape[1])[reviews.labels[: reviews.trained]]
    taught[: reviews.trained] = (1 - LABEL_SHARE) * taught[: reviews.trained] + LABEL_SHARE * exact
    teaching = {
        "teachers": teachers,
        "mean": float(right.mean()),
        "labelled": reviews.trained,
        "unlabelled": len(reviews.rows) - reviews.labelled,
        "label_share": LABEL_SHARE,
    }
    return tensor(taught.astype("float32")), teaching
