"""Trains many LSTMs and GRUs on the adding problem at once, with JAX.

A network of 64 units is too small for a GPU. So the weights of all networks of a kind are stacked,
`(members, …)`, and a step of time is one batched product of matrices for all of them. Each member
has its own batches and its own schedule of the step size.

The gradient of the recurrent weights is a sum over time. The loop over time does not accumulate it:
it yields the gradients of the gates of each step, and one product over all steps follows.

Needs NumPy and JAX. Everything is computed in float32.
"""

from __future__ import annotations

import dataclasses
import functools
import math
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax

from tools.gpu.members import (
    GRUS,
    LSTMS,
    Member,
    Rows,
    Start,
    config_of,
    order_of,
    read_rows,
    schedule,
)
from tools.gpu.progress import log
from tools.gpu.stacked import along, device_name
from tools.gpu.weights import save_arrays

UNROLLS = (4, 1)  # steps of time in an iteration of the loop; the faster one is chosen
CHUNK = 50  # training steps of a call of the program, at most
HELD_OUT = 100  # validation rows that are read together, at most
SHARE = 0.95  # of the time that is left is planned
BETA_1, BETA_2, EPSILON = 0.9, 0.999, 1e-7  # Adam, as in Keras

Weights = Sequence[Array]


def product(states: Array, kernel: Array) -> Array:
    """Multiplies states `(members, batch, from)` by matrices `(members, from, to)`."""
    return jnp.einsum("mbu,mug->mbg", states, kernel, precision=lax.Precision.HIGHEST)


def projected(x: Array, kernel: Array, bias: Array) -> Array:
    """Returns `x W + b` for all steps, `(time, members, batch, gates)`.

    Args:
      x: `(time, members, batch, 2)`.
      kernel: `(members, 2, gates)`.
      bias: `(members, gates)`.
    """
    parts = (x[..., i, None] * kernel[:, i, None, :] for i in range(x.shape[-1]))
    return sum(parts, bias[:, None, :])


@dataclasses.dataclass(frozen=True)
class Cell:
    """A recurrent cell, as in Keras.

    Attributes:
      gates: `gates(kernel, bias, x)` returns what is added in each step, `(time, members, batch,
        …)`: to the gates beside the recurrent part (None: nothing), and to the recurrent part.
      step: `step(carry, given, recurrent)` returns the next carry. Its first part is the state.
      carried: number of arrays of a carry, each `(members, batch, units)`.
      unroll: steps of time in an iteration of the loop.
    """

    gates: Callable[[Array, Array, Array], tuple[Array | None, Array]]
    step: Callable[[tuple[Array, ...], Array | None, Array], tuple[Array, ...]]
    carried: int
    unroll: int = 1


def _lstm_gates(kernel: Array, bias: Array, x: Array) -> tuple[None, Array]:
    return None, projected(x, kernel, bias)


def _lstm_step(
    carry: tuple[Array, ...], given: Array | None, recurrent: Array
) -> tuple[Array, ...]:
    _, memory = carry
    i, f, candidate, o = jnp.split(recurrent, 4, axis=-1)
    memory = jax.nn.sigmoid(f) * memory + jax.nn.sigmoid(i) * jnp.tanh(candidate)
    return jax.nn.sigmoid(o) * jnp.tanh(memory), memory


def _gru_gates(kernel: Array, bias: Array, x: Array) -> tuple[Array, Array]:
    given = projected(x, kernel, bias[:, 0])
    return given, jnp.broadcast_to(bias[:, 1, None, :], given.shape)


def _gru_step(carry: tuple[Array, ...], given: Array | None, recurrent: Array) -> tuple[Array, ...]:
    (state,) = carry
    assert given is not None
    z_given, r_given, h_given = jnp.split(given, 3, axis=-1)
    z_inner, r_inner, h_inner = jnp.split(recurrent, 3, axis=-1)
    z, r = jax.nn.sigmoid(z_given + z_inner), jax.nn.sigmoid(r_given + r_inner)
    return (z * state + (1 - z) * jnp.tanh(h_given + r * h_inner),)


CELLS = {
    "adding-lstm": Cell(_lstm_gates, _lstm_step, 2),
    "adding-gru": Cell(_gru_gates, _gru_step, 1),
}


def read(
    cell: Cell, recurrent_kernel: Array, given: Array | None, recurrent: Array, keep: bool
) -> tuple[Array, Array | None]:
    """Reads sequences.

    Args:
      cell: of the networks.
      recurrent_kernel: `(members, units, gates)`.
      given, recurrent: see `Cell.gates`.
      keep: whether to return all states.

    Returns:
      The last state, `(members, batch, units)`, and if `keep`, the state before each step,
      `(time, members, batch, units)`.
    """
    members, batch = recurrent.shape[1:3]
    zeros = jnp.zeros((members, batch, recurrent_kernel.shape[1]), recurrent.dtype)

    def step(carry: tuple[Array, ...], parts: tuple[Array | None, Array]) -> tuple[Any, Any]:
        before = carry[0]
        inner = parts[1] + product(before, recurrent_kernel)
        return cell.step(carry, parts[0], inner), before if keep else None

    start = (zeros,) * cell.carried
    carry, states = lax.scan(step, start, (given, recurrent), unroll=cell.unroll)
    return carry[0], states


def answer(head: Weights, state: Array) -> Array:
    """Returns sums, `(members, batch)`, from the last state."""
    return product(state, head[0])[..., 0] + head[1]


def errors(cell: Cell, weights: Weights, x: Array, y: Array) -> Array:
    """Returns squared errors, `(members, batch)`.

    Args:
      cell: of the networks.
      weights: in Keras' order, each `(members, …)`.
      x: `(time, members, batch, 2)`.
      y: `(members, batch)`.
    """
    kernel, recurrent_kernel, bias, *head = weights
    state, _ = read(cell, recurrent_kernel, *cell.gates(kernel, bias, x), keep=False)
    return jnp.square(answer(head, state) - y)


def gradients(cell: Cell, weights: Weights, x: Array, y: Array) -> tuple[Array, list[Array]]:
    """Returns mean squared errors, `(members,)`, and their gradients. See `errors`."""
    kernel, recurrent_kernel, bias, *head = weights

    def loss_of(
        kernel: Array, bias: Array, head: Weights, more: Array
    ) -> tuple[Array, tuple[Array, Array | None]]:
        given, recurrent = cell.gates(kernel, bias, x)
        state, states = read(cell, recurrent_kernel, given, recurrent + more, keep=True)
        losses = jnp.square(answer(head, state) - y).mean(1)
        return losses.sum(), (losses, states)

    nothing = jnp.zeros((*x.shape[:3], recurrent_kernel.shape[2]), x.dtype)
    found, (losses, states) = jax.grad(loss_of, argnums=(0, 1, 2, 3), has_aux=True)(
        kernel, bias, head, nothing
    )
    of_kernel, of_bias, of_head, of_gates = found
    of_recurrent = jnp.einsum("tmbu,tmbg->mug", states, of_gates, precision=lax.Precision.HIGHEST)
    return losses, [of_kernel, of_recurrent, of_bias, *of_head]


class State(NamedTuple):
    """Weights and optimizer of all members, each array `(members, …)`; and the steps so far."""

    weights: list[Array]
    means: list[Array]
    squares: list[Array]
    step: Array


class Best(NamedTuple):
    """The lowest validation loss of each member, `(members,)`, and the weights of that epoch."""

    loss: Array
    weights: list[Array]


def descend(
    state: State, grads: list[Array], rates: Array, totals: Array, clip_norm: float
) -> tuple[State, Array]:
    """Takes a step of Adam, as `zoo.training.optimizer` does.

    Args:
      state: before the step.
      grads: of all weights.
      rates: step size of each member, `(members,)`.
      totals: steps of each member; it then stays as it is. int32 `(members,)`.
      clip_norm: gradients of a member are scaled down to this norm.

    Returns:
      The state after the step; norms of the gradients before clipping, `(members,)`.
    """
    norms = jnp.sqrt(sum(jnp.square(grad).reshape(len(grad), -1).sum(1) for grad in grads))
    scale = clip_norm * jnp.minimum(1 / norms, 1 / clip_norm)
    count = (state.step + 1).astype(jnp.float32)
    rates = rates * jnp.sqrt(1 - BETA_2**count) / (1 - BETA_1**count)
    learns = state.step < totals
    weights, means, squares = [], [], []
    for weight, mean, square, grad in zip(
        state.weights, state.means, state.squares, grads, strict=True
    ):
        grad = grad * along(scale, grad)
        mean = mean + (grad - mean) * (1 - BETA_1)
        square = square + (jnp.square(grad) - square) * (1 - BETA_2)
        new = weight - mean * along(rates, weight) / (jnp.sqrt(square) + EPSILON)
        weights.append(jnp.where(along(learns, weight), new, weight))
        means.append(mean)
        squares.append(square)
    return State(weights, means, squares, state.step + 1), norms


class Sums(NamedTuple):
    """Measurements of training steps, each `(steps, members)`."""

    loss: Array
    norm: Array


def train_steps(
    cell: Cell,
    clip_norm: float,
    state: State,
    index: Array,
    rates: Array,
    totals: Array,
    steps: Array,
    sums: Array,
) -> tuple[State, Sums]:
    """Takes several training steps.

    Args:
      cell, clip_norm: of the networks.
      state: before them.
      index: rows of each batch, int32 `(steps, members, batch)`.
      rates: step sizes, float32 `(steps, members)`.
      totals: see `descend`.
      steps, sums: the training split, see `Rows`.
    """

    def step(state: State, parts: tuple[Array, Array]) -> tuple[State, Sums]:
        rows, rates = parts
        x = steps[rows].transpose(2, 0, 1, 3)
        losses, grads = gradients(cell, state.weights, x, sums[rows])
        state, norms = descend(state, grads, rates, totals, clip_norm)
        return state, Sums(losses, norms)

    return lax.scan(step, state, (index, rates))


def validate(
    cell: Cell, weights: list[Array], best: Best, steps: Array, sums: Array
) -> tuple[Array, Best]:
    """Returns mean squared errors on the validation split, `(members,)`, and the best so far.

    Args:
      cell, weights, best: of the networks.
      steps: `(parts, batch, time, 2)`.
      sums: `(parts, batch)`.
    """
    members = len(weights[0])

    def part(parts: tuple[Array, Array]) -> Array:
        x, y = (jnp.broadcast_to(each, (members, *each.shape)) for each in parts)
        return errors(cell, weights, x.transpose(2, 0, 1, 3), y).mean(1)

    losses = lax.map(part, (steps, sums)).mean(0)
    better = losses < best.loss  # not if it is no number
    chosen = [
        jnp.where(along(better, new), new, old)
        for new, old in zip(weights, best.weights, strict=True)
    ]
    return losses, Best(jnp.where(better, losses, best.loss), chosen)


def divisor(number: int, most: int) -> int:
    """Returns the largest divisor of a number that is at most `most`."""
    return next(each for each in range(min(number, most), 0, -1) if number % each == 0)


def seconds_of(program: Callable[..., Any], *given: Any) -> float:
    """Returns the time of a call, after one that is not measured; its results are dropped."""
    jax.block_until_ready(program(*given))
    begun = time.monotonic()
    jax.block_until_ready(program(*given))
    return time.monotonic() - begun


class Trainer:
    """Programs and data on the device for members of a kind.

    Args:
      members: all of one recipe.
      start: their weights.
      train, validation: the splits.

    Raises:
      ValueError: the last batch would be smaller than the others.
    """

    def __init__(
        self, members: Sequence[Member], start: Start, train: Rows, validation: Rows
    ) -> None:
        recipe = members[0].recipe
        log(f"{recipe}: {len(members)} networks")
        self.config = config_of(recipe)
        self.members, self.names = list(members), start.names[recipe]
        self.rows = len(train)
        if self.rows % self.config.batch_size:
            raise ValueError(f"{self.rows} rows do not fill batches of {self.config.batch_size}.")
        self.steps = self.rows // self.config.batch_size  # of an epoch
        self.chunk = divisor(self.steps, CHUNK)
        self.train = jax.device_put((train.steps, train.sums))
        parts = len(validation) // divisor(len(validation), HELD_OUT)
        self.validation = jax.device_put(
            tuple(
                each.reshape(parts, -1, *each.shape[1:])
                for each in (validation.steps, validation.sums)
            )
        )
        weights = [
            jnp.array(np.stack(each))
            for each in zip(*(start.weights[member.start] for member in members), strict=True)
        ]
        zeros = [jnp.zeros_like(weight) for weight in weights]
        self.state = State(weights, zeros, zeros, jnp.zeros((), jnp.int32))
        self.best = Best(jnp.full(len(members), jnp.inf), weights)
        self.seconds = self._compile(CELLS[recipe])

    def _compile(self, cell: Cell) -> float:
        """Compiles the programs; returns the predicted seconds of an epoch."""
        timed = {}
        for unroll in UNROLLS:
            begun = time.monotonic()
            program = functools.partial(
                train_steps, dataclasses.replace(cell, unroll=unroll), self.config.clip_norm
            )
            given = (self.state, *self._plan(0, 0), *self.train)
            compiled = jax.jit(program).lower(*given).compile()
            seconds = time.monotonic() - begun
            timed[unroll] = seconds_of(compiled, *given) / self.chunk, compiled
            log(
                f"unrolled {unroll} times: compiled in {seconds:.1f} s, "
                f"{timed[unroll][0] * 1e3:.2f} ms a training step"
            )
        best = min(timed, key=lambda unroll: timed[unroll][0])
        each, self._train = timed[best]
        held_out = (self.state.weights, self.best, *self.validation)
        validating = functools.partial(validate, dataclasses.replace(cell, unroll=best))
        self._validate = jax.jit(validating).lower(*held_out).compile()
        once = seconds_of(self._validate, *held_out)
        log(f"unrolled {best} times is used; a validation takes {once:.2f} s")
        return each * self.steps + once

    def _plan(self, epoch: int, first: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Returns rows, step sizes and totals of a chunk whose first step in an epoch is given."""
        if first == 0:
            batch = self.config.batch_size
            orders = {
                seed: order_of(self.rows, batch, seed, epoch)
                for seed in {member.seed for member in self.members}
            }
            self._orders = np.stack([orders[member.seed] for member in self.members], axis=1)
            self._rates = np.stack([self._rates_of(member, epoch) for member in self.members], 1)
        chunk = slice(first, first + self.chunk)
        totals = np.array([member.epochs * self.steps for member in self.members], "int32")
        return self._orders[chunk], self._rates[chunk], totals

    def _rates_of(self, member: Member, epoch: int) -> np.ndarray:
        """Returns the step sizes of an epoch, `(steps,)`; the last one where training has ended."""
        rates = schedule(member.recipe, member.epochs * self.steps)
        steps = np.arange(epoch * self.steps, (epoch + 1) * self.steps)
        return rates[np.minimum(steps, len(rates) - 1)]

    def epoch(self, epoch: int) -> list[dict[str, float]]:
        """Trains for an epoch, counted from 0; returns the row of the history of each member."""
        parts = []
        for first in range(0, self.steps, self.chunk):
            self.state, sums = self._train(self.state, *self._plan(epoch, first), *self.train)
            parts.append(sums)
        losses, self.best = self._validate(self.state.weights, self.best, *self.validation)
        loss, norm = (np.concatenate(each) for each in zip(*parts, strict=True))
        clip_norm = self.config.clip_norm
        return [
            {
                "epoch": epoch + 1,
                "learning_rate": float(self._rates_of(member, epoch + 1)[0]),
                "loss": float(loss[:, i].mean()),
                "val_loss": float(losses[i]),
                "gradient_norm": float(norm[:, i].mean()),
                "clipped": float((norm[:, i] > clip_norm).mean()),
            }
            for i, member in enumerate(self.members)
        ]

    def save(self, folder: Path, notes: dict[int, dict[str, Any]]) -> None:
        """Writes the best weights of members.

        Args:
          folder: to write to.
          notes: by the member's place.
        """
        weights = [np.asarray(each) for each in self.best.weights]
        for number, about in notes.items():
            path = folder / f"{self.members[number].name}.npz"
            save_arrays(path, self.names, [each[number] for each in weights], about)


def with_time(members: Sequence[Member], epoch: float, left: float) -> list[Member]:
    """Returns members whose long trainings are shortened to what fits.

    Args:
      members: of a kind.
      epoch: seconds of an epoch.
      left: seconds that are left, infinite for no limit.
    """
    planned = max(member.epochs for member in members)
    least = min(member.epochs for member in members)
    log(f"{planned} epochs take about {planned * epoch:.0f} s; {left:.0f} s are left")
    if planned * epoch <= SHARE * left:
        return [*members]
    fits = max(0, int(SHARE * left / epoch))
    shortened = max(least, fits)
    if shortened < planned:
        log(f"long trainings are shortened from {planned} to {shortened} epochs")
    if fits < least:
        log(f"only {fits} of {least} epochs fit: the schedule will not come to its end")
    return [
        dataclasses.replace(member, epochs=shortened) if member.long else member
        for member in members
    ]


def train_members(
    members: Sequence[Member],
    start: Start,
    splits: tuple[Rows, Rows],
    folder: Path,
    deadline: float,
) -> dict[str, dict[str, Any]]:
    """Trains members of a kind; writes `NAME.npz` of each after every epoch.

    Args:
      members: all of one recipe.
      start: their weights.
      splits: training and validation rows.
      folder: to write to.
      deadline: of `time.monotonic`; no epoch is begun that would end later.

    Returns:
      The notes of each file: `library`, `device`, `beside` (number of other networks trained at
      the same time), `epochs` (of the schedule), `seconds`, `best` and `history`.
    """
    trainer = Trainer(members, start, *splits)
    seconds = trainer.seconds
    trainer.members = with_time(members, seconds, deadline - time.monotonic())
    begun = time.monotonic()
    histories: list[list[dict[str, float]]] = [[] for _ in members]
    last = max(member.epochs for member in trainer.members)
    notes: dict[int, dict[str, Any]] = {}
    for epoch in range(last):
        before = time.monotonic()
        if epoch and before + seconds > deadline:
            log(f"stopped by the limit of time after {epoch} of {last} epochs")
            break
        rows = trainer.epoch(epoch)
        lowest = np.asarray(trainer.best.loss)
        learning = [i for i, each in enumerate(trainer.members) if epoch < each.epochs]
        for number in learning:
            histories[number].append(rows[number])
            notes[number] = {
                "library": "JAX",
                "device": device_name(),
                "beside": len(members) - 1,
                "epochs": trainer.members[number].epochs,
                "seconds": round(time.monotonic() - begun),
                "best": float(lowest[number]),
                "history": histories[number],
            }
        trainer.save(folder, {number: notes[number] for number in learning})
        seconds = time.monotonic() - before
        shown = " ".join(f"{row['val_loss']:.4f}" for row in rows)
        log(f"{members[0].recipe}, epoch {epoch + 1} of {last}, {seconds:.1f} s: {shown}")
    for number, member in enumerate(trainer.members):
        about = notes[number]
        done = f"{len(about['history'])} of {member.epochs} epochs"
        log(f"{member.name}: lowest loss on the validation split {about['best']:.5f} in {done}")
    return {member.name: notes[number] for number, member in enumerate(trainer.members)}


def train_adding(folder: Path, seconds: float = 0, rows: int = 0) -> dict[str, dict[str, Any]]:
    """Trains all networks of `members.py`: the GRUs, then the LSTMs.

    Args:
      folder: with `adding.npz` of `arrays.py`.
      seconds: limit of the time of all that this does; 0 for none.
      rows: the first ones of the training split are learnt from; 0 for all.

    Returns:
      The notes of all files, by name of the member.
    """
    deadline = time.monotonic() + seconds if seconds else math.inf
    start = Start.read(folder)
    train, validation = read_rows(start)
    if rows:
        train = Rows(train.steps[:rows], train.sums[:rows])
    log(f"{len(train):,} rows of {start.length} steps, on {device_name()}, JAX {jax.__version__}")
    notes: dict[str, dict[str, Any]] = {}
    for members in (GRUS, LSTMS):
        notes |= train_members(members, start, (train, validation), folder, deadline)
    return notes
