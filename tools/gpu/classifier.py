"""The teacher: a classifier that starts from the language model, by virtual adversarial training.

T. Miyato, A. M. Dai, I. Goodfellow: Adversarial Training Methods for Semi-Supervised Text
Classification, ICLR 2017. To the cross-entropy of rows with labels,

    KL(p(s) ‖ p(s + r)),  r = ε g / ‖g‖,  g = ∇_d KL(p(s) ‖ p(s + d))

is added for all rows: s are the word vectors, d is a small random vector. It needs no label.
`recipes.classifying.perturbation` does the same in TensorFlow.
"""

from __future__ import annotations

import dataclasses
import time
from pathlib import Path
from typing import Any

import keras
import numpy as np
import torch
from keras import layers

from tools.gpu.batching import Rows, plan_batches, read_reviews
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
from tools.gpu.weights import read_weights

MOST_ROWS = 256  # of a batch
SMALL = 0.1  # norm of d
ENLARGED = 1024.0  # the divergence of a small d is near the smallest float32; directions count


def train_teacher(
    folder: Path,
    epochs: int = 6,
    tokens: int = 65_536,
    words: int = 400,
    epsilon: float = 5.0,
    seed: int = 0,
) -> dict[str, Any]:
    """Trains the teacher; writes `teacher.npz` and its answers to all rows, `taught.npz`.

    An epoch has all labelled training rows and as many without a label as there are labelled ones,
    drawn again each epoch. The validation split chooses the epoch, and between its weights and
    their mean.

    Args:
      folder: with the files of `arrays.py` and `language-model.npz`.
      epochs: passes over the labelled rows.
      tokens: words of a batch, at most.
      words: of a review that are read, at most: its first quarter and last three.
      epsilon: norm of the perturbation of a review, as a multiple of the standard deviation of the
        numbers of all word vectors at the start.
      seed: of weights, dropout and batches.

    Returns:
      The notes of the file: `epochs`, `seconds`, `device`, `epsilon`, `best` (accuracy on the
      validation split) and `history`, a row an epoch.
    """
    begun = time.monotonic()
    generator = np.random.default_rng(seed)
    keras.utils.set_random_seed(seed)
    reviews = read_reviews(folder)
    rows = reviews.rows.cut(words)
    model = read_network(folder / "teacher.json")
    start = read_network(folder / "language-model.json")
    read_weights(folder / "language-model.npz", start)
    hand_on(start, model)
    table = model.get_layer("embedding").embeddings.value.detach()
    norm = epsilon * float(table.std())
    log(f"teacher: {model.count_params():,} parameters, epsilon {norm:.3f}")
    loss_of = VirtualAdversarial(model, norm)
    recurrent = 3 * recurrent_layers(model)  # three passes
    every = np.full(len(rows), -1)
    every[: reviews.labelled] = reviews.labels
    labels = tensor(every)
    unlabelled = np.arange(reviews.labelled, len(rows))
    drawn = min(len(unlabelled), reviews.labelled)
    mean, best = MeanWeights(model), Best(model, higher=True)
    trainer: Trainer | None = None
    history: list[dict[str, float]] = []
    for epoch in range(1, epochs + 1):
        chosen = generator.choice(unlabelled, drawn, replace=False)
        index = np.concatenate([np.arange(reviews.trained), chosen])
        batches = plan_batches(rows, index, tokens, generator, MOST_ROWS)
        trainer = trainer or Trainer(model, epochs * len(batches), 1e-3)
        total = torch.zeros(2, device=DEVICE)
        for batch in batches:
            ids = tensor(rows.take(batch.index, batch.length, batch.offsets))
            terms = loss_of(ids, labels[tensor(batch.index)])
            trainer.step(terms.sum(), recurrent)
            mean.update()
            total += terms.detach()
        cross_entropy, divergence = (total / len(batches)).tolist()
        last, averaged = best.observe(
            mean, lambda: accuracy(model, rows, reviews.validation, reviews.labels)
        )
        history.append(
            {
                "epoch": epoch,
                "learning_rate": trainer.rate,
                "cross_entropy": cross_entropy,
                "divergence": divergence,
                "val_accuracy": last,
                "val_accuracy_of_mean": averaged,
            }
        )
        log(
            f"epoch {epoch} of {epochs}: cross-entropy {cross_entropy:.3f}, divergence "
            f"{divergence:.4f}; accuracy on the validation split {last:.4f}, of the mean of "
            f"weights {averaged:.4f}"
        )
    notes = {
        "history": history,
        "epochs": epochs,
        "epsilon": norm,
        "seconds": round(time.monotonic() - begun),
    }
    notes = save_best(folder / "teacher.npz", model, best, notes)
    taught = probabilities(model, rows, np.arange(len(rows)))
    np.savez(folder / "taught.npz", probabilities=taught, accuracy=best.score)
    return notes


def hand_on(start: keras.Model, model: keras.Model) -> None:
    """Gives a classifier the word vectors and the bidirectional layer of a language model.

    Raises:
      ValueError: they are of other sizes.
    """
    for kind in (layers.Embedding, layers.Bidirectional):
        theirs, ours = (
            next(layer for layer in each.layers if isinstance(layer, kind))
            for each in (start, model)
        )
        # The language model's embedding has a bias behind the vectors.
        for old, new in zip(theirs.trainable_variables, ours.trainable_variables, strict=False):
            if old.shape != new.shape:
                raise ValueError(f"{new.path} is {new.shape}, {old.path} is {old.shape}.")
            new.assign(old.value.detach())


@dataclasses.dataclass(frozen=True)
class Draws:
    """The states of all random generators that the layers of a network draw from.

    Attributes:
      own: of the layers' generators, by which Keras draws some masks of dropout.
      shared: of PyTorch's generator, by which it draws the others.
    """

    own: list[torch.Tensor]
    shared: torch.Tensor

    @staticmethod
    def now(model: keras.Model) -> Draws:
        """Reads the states."""
        own = [each.value.detach().clone() for each in model.non_trainable_variables]
        state = torch.cuda.get_rng_state() if DEVICE == "cuda" else torch.get_rng_state()
        return Draws(own, state)

    def repeat(self, model: keras.Model) -> None:
        """Has the network draw again what it drew from here on."""
        with torch.no_grad():
            for variable, value in zip(model.non_trainable_variables, self.own, strict=True):
                variable.value.copy_(value)
        (torch.cuda.set_rng_state if DEVICE == "cuda" else torch.set_rng_state)(self.shared)


class VirtualAdversarial:
    """The two terms of the loss of a batch.

    Args:
      model: word ids `(batch, time)` to probabilities of classes; its layer `word_dropout` returns
        the word vectors.
      epsilon: ε, the norm of the perturbation of a row, over all of its words.

    Call arguments:
      ids: int32 `(batch, time)`, without padding.
      labels: int64 `(batch,)`, -1 where there is none.

    Returns:
      float32 `(2,)`: the mean cross-entropy of rows with a label, 0 without any; and the mean
      divergence of all rows.
    """

    def __init__(self, model: keras.Model, epsilon: float) -> None:
        self.epsilon = epsilon
        vectors = model.get_layer("word_dropout").output
        self.vectors = keras.Model(model.input, vectors)
        self.answer = keras.Model([vectors, model.input], model.output)

    def __call__(self, ids: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        vectors = self.vectors(ids, training=True)  # the same words are hidden in all passes
        noise = torch.randn_like(vectors)
        draws = Draws.now(self.answer)

        def answer(vectors: torch.Tensor) -> torch.Tensor:
            draws.repeat(self.answer)  # the perturbation alone makes the difference
            return self.answer([vectors, ids], training=True).float().clamp(1e-7, 1)

        plain = answer(vectors)
        known = labels >= 0
        right = plain.gather(1, labels.clamp_min(0)[:, None])[:, 0]
        cross_entropy = -(right.log() * known).sum() / known.sum().clamp_min(1)
        target = plain.detach()

        def divergence(found: torch.Tensor) -> torch.Tensor:
            return (target * (target.log() - found.log())).sum(1).mean()

        small = (SMALL * unit(noise)).requires_grad_()
        enlarged = divergence(answer(vectors.detach() + small)) * ENLARGED
        (gradient,) = torch.autograd.grad(enlarged, small)
        moved = answer(vectors + self.epsilon * unit(gradient))
        return torch.stack([cross_entropy, divergence(moved)])


def unit(vectors: torch.Tensor) -> torch.Tensor:
    """Returns vectors of norm 1 over all words of a row, a constant to gradients.

    Args:
      vectors: float `(batch, time, size)`; a row of zeros stays as it is.
    """
    vectors = vectors.detach().float()
    # First by the largest number, so that squares neither vanish nor overflow.
    vectors = vectors / vectors.abs().amax((1, 2), keepdim=True).clamp_min(1e-30)
    return vectors / vectors.norm(dim=(1, 2), keepdim=True).clamp_min(1e-30)


def probabilities(model: keras.Model, rows: Rows, index: np.ndarray) -> np.ndarray:
    """Returns the probabilities of classes of rows, float32 `(len(index), classes)`."""
    found = np.zeros((len(rows), model.output_shape[-1]), "float32")
    with torch.no_grad():
        for batch in plan_batches(rows, index, 200_000, None, 1024):
            ids = tensor(rows.take(batch.index, batch.length, batch.offsets))
            found[batch.index] = model(ids, training=False).float().cpu().numpy()
    return found[index]


def accuracy(model: keras.Model, rows: Rows, index: np.ndarray, labels: np.ndarray) -> float:
    """Returns the share of rows whose most probable class is their label."""
    return float((probabilities(model, rows, index).argmax(1) == labels[index]).mean())
