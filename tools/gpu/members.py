"""Networks that learn the adding problem side by side: which ones, their batches and step sizes.

Needs NumPy alone: read by `arrays.py`, `adding.py` and `finish.py`.
"""

from __future__ import annotations

import dataclasses
import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from zoo.data import Examples, Splits
from zoo.data.origin import parse_origin

if TYPE_CHECKING:
    from recipes.adding import Config

LENGTH = 400  # steps of a sequence
EPOCHS, LONG = 10, 30  # passes over the training split
SEEDS = (0, 1, 2)
BIASES = (1, 3, 5)  # of an LSTM's forget gate at the start
START = "adding.npz"  # weights that the networks start with


@dataclasses.dataclass(frozen=True)
class Member:
    """A network and how it is trained.

    Attributes:
      recipe: its name.
      seed: of weights and of the order of batches.
      bias: of the forget gate at the start; 1 for a GRU, which has none.
      long: whether it is trained for `LONG` epochs, if there is time, not for `EPOCHS`.
      epochs: passes over the training split, for which the step size is scheduled.
    """

    recipe: str
    seed: int
    bias: int = 1
    long: bool = False
    epochs: int = EPOCHS

    @property
    def start(self) -> str:
        """The name of its weights at the start, which do not depend on the epochs."""
        return f"{self.recipe}-bias{self.bias}-seed{self.seed}"

    @property
    def name(self) -> str:
        """The name of its files."""
        return self.start + "-long" * self.long

    def settings(self, length: int = LENGTH) -> dict[str, Any]:
        """Returns its settings of the recipe."""
        return {"length": length, "epochs": self.epochs, "forget_start": float(self.bias)}


LSTMS = tuple(
    Member("adding-lstm", seed, bias, long, LONG if long else EPOCHS)
    for long in (False, True)
    for bias in BIASES
    for seed in SEEDS
)
GRUS = tuple(Member("adding-gru", seed) for seed in SEEDS)
MEMBERS = {member.name: member for member in (*LSTMS, *GRUS)}


@dataclasses.dataclass(frozen=True)
class Rows:
    """Rows of a split.

    Attributes:
      steps: number and marker of each step, float32 `(rows, time, 2)`.
      sums: float32 `(rows,)`.
    """

    steps: np.ndarray
    sums: np.ndarray

    def __len__(self) -> int:
        return len(self.sums)


def rows_of(examples: Examples) -> Rows:
    """Returns what a network reads of examples, as `recipes.adding.batches` does."""
    parts = [np.array(examples[name], "float32") for name in ("numbers", "markers")]
    return Rows(np.stack(parts, axis=-1), np.array(examples["sum"], "float32"))


@dataclasses.dataclass(frozen=True)
class Start:
    """What `arrays.py` has written.

    Attributes:
      weights: of the networks by `Member.start`, in Keras' order.
      names: of the weights, by recipe.
      length: steps of a sequence.
      fingerprint: of the data.
    """

    weights: dict[str, list[np.ndarray]]
    names: dict[str, list[str]]
    length: int
    fingerprint: str

    def save(self, folder: Path) -> None:
        """Writes `START`."""
        arrays: dict[str, np.ndarray] = {
            f"{name} {number}": array
            for name, each in self.weights.items()
            for number, array in enumerate(each)
        }
        about = {"names": self.names, "length": self.length, "fingerprint": self.fingerprint}
        np.savez(folder / START, about=np.array(json.dumps(about)), **arrays)  # type: ignore[arg-type]

    @staticmethod
    def read(folder: Path) -> Start:
        """Reads `START` of a folder."""
        weights: dict[str, list[np.ndarray]] = {}
        with np.load(folder / START) as file:
            about = json.loads(str(file["about"]))
            for key in file.files:
                if key != "about":  # in the order in which they were written
                    weights.setdefault(key.split()[0], []).append(file[key])
        return Start(weights, **about)


def load_problem(length: int) -> Splits:
    """Makes the data, in the order in which the engine has them."""
    # At the top of a module, recipes would be imported while `zoo` is.
    from recipes.toys.adding import adding

    dataset = adding(length)
    return dataset.load(parse_origin("made", dataset.keys))


def read_rows(start: Start) -> tuple[Rows, Rows]:
    """Generates the training and validation rows again.

    Raises:
      ValueError: they are not those of `arrays.py`.
    """
    splits = load_problem(start.length)
    if splits.fingerprint != start.fingerprint:
        raise ValueError(f"The rows that are made here are not those of {START}.")
    return rows_of(splits.train), rows_of(splits.validation)


def config_of(recipe: str) -> Config:
    """Returns the settings of a recipe, also where this package is not installed."""
    from recipes.adding import RECIPES

    return RECIPES[recipe]


def order_of(rows: int, batch: int, seed: int, epoch: int) -> np.ndarray:
    """Returns the rows of each batch of an epoch, int32 `(steps, batch)`.

    It is `zoo.data.Batches.order` of sequences that are all equally long.

    Args:
      rows: of the training split, a multiple of `batch`.
      batch: rows of a batch.
      seed: of the run.
      epoch: from 0.
    """
    generator = np.random.default_rng([seed, epoch])
    batches = generator.permutation(rows).reshape(-1, batch)
    return batches[generator.permutation(len(batches))].astype("int32")


def schedule(recipe: str, steps: int) -> np.ndarray:
    """Returns Adam's step size in each step and behind the last one, float32 `(steps + 1,)`.

    It is `zoo.training.optimizer.default_optimizer`: a linear warm-up and a cosine decay.
    """
    config = config_of(recipe)
    warmup = math.ceil(config.warmup * steps)
    step = np.arange(steps + 1)
    share = np.clip((step - warmup) / max(1, steps - warmup), 0, 1)
    decay = (1 - config.decay_to) * 0.5 * (1 + np.cos(np.pi * share)) + config.decay_to
    rates = np.where(step < warmup, step / max(1, warmup), decay)
    return (config.learning_rate * rates).astype("float32")
