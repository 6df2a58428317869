"""Trains many taggers at once with JAX; the data and all weights stay on the device."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from tools.gpu.progress import log
from tools.gpu.stacked import along
from tools.gpu.tagger_network import (
    FORBIDDEN,
    Dropout,
    Sizes,
    best_tags,
    legal_only,
    log_marginals,
    losses_of,
    new_weights,
    scores_of,
)
from tools.gpu.tagger_rows import Sentences, batches_of, buckets_of, chunks, entity_f1

CLIP = 5.0  # settings of the recipe
WARMUP = 0.05
LOWEST = 0.02
ANSWERED = 64  # rows that are answered together

# Compiles in less than half the time of JAX' default generator.
jax.config.update("jax_default_prng_impl", "rbg")


@dataclasses.dataclass(frozen=True)
class Member:
    """Settings of a network that need no other shapes; the names are those of the recipe.

    Attributes:
      seed: of weights.
      average: momentum of the mean of weights.
      share: of the true tags in the target of a student's row that has them.
    """

    seed: int = 0
    learning_rate: float = 2e-3
    dropout_in: float = 0.5
    dropout: float = 0.5
    locked_dropout: bool = False
    word_dropout: float = 0.5
    hidden_words: float = 0.0
    rare: int = 2
    average: float = 0.998
    share: float = 1.0


@dataclasses.dataclass(frozen=True)
class Plan:
    """What all members of a training share.

    Attributes:
      epochs: for which the step size is scheduled, at most.
      batch_size: rows of a batch.
      seconds: epochs that would take longer are omitted (0: none).
      every: epochs between two measurements of F1; the last epoch is always measured.
      drawn: rows without tags of an epoch, drawn again each epoch; None: all. Without marginals,
        none.
      seed: of batches and dropout.
    """

    epochs: int
    batch_size: int
    seconds: float = 0
    every: int = 4
    drawn: int | None = None
    seed: int = 0


@dataclasses.dataclass
class Data:
    """Sentences on the device.

    Attributes:
      sentences: here.
      buckets: of all rows, here.
      device: the arrays of each bucket.
      tables: what all rows share; see `tools.gpu.tagger_network`.
    """

    sentences: Sentences
    buckets: list[Any]
    device: list[dict[str, Array]]
    tables: dict[str, Array]


def load(sentences: Sentences) -> Data:
    """Copies sentences to the device."""
    buckets = buckets_of(sentences, np.arange(len(sentences.lengths)))
    device = [{name: jnp.asarray(a) for name, a in each.arrays.items()} for each in buckets]
    names = ("fixed", "known", "counts", "follows", "starts")
    tables = {name: jnp.asarray(getattr(sentences, name)) for name in names}
    return Data(sentences, buckets, device, tables)


def _taken(data: dict[str, Array], index: Array) -> dict[str, Array]:
    """Returns rows of a bucket; those of index -1 are empty."""
    real = index >= 0
    rows = {name: values[jnp.maximum(index, 0)] for name, values in data.items()}
    for name in ("lengths", "tags", "words"):
        values = rows[name]
        rows[name] = jnp.where(along(real, values), values, 0)
    return {name: a.astype("int32") if a.dtype != jnp.float32 else a for name, a in rows.items()}


def learning_rate(step: Array, total: Array, peak: Array) -> Array:
    """Returns Adam's step size as `tools.gpu.networks.learning_rate` does; 0 after the end."""
    rising = WARMUP * total
    done = (step - rising) / jnp.maximum(1, total - rising)
    falling = LOWEST + (1 - LOWEST) * 0.5 * (1 + jnp.cos(jnp.pi * jnp.minimum(done, 1)))
    return peak * jnp.where(step < rising, (step + 1) / jnp.maximum(rising, 1e-6), falling)


def train_step(
    state: dict[str, Any],
    settings: dict[str, Array],
    tables: dict[str, Array],
    data: dict[str, Array],
    index: Array,
    *,
    taught: bool,
) -> dict[str, Any]:
    """Returns the state after a step.

    Args:
      state: `weights`, `first` and `second` moments, `mean` of weights; `step`, the number of
        steps before; `key`; `loss`, sums of losses of the members; `total`, steps of all epochs.
      settings: of `Member`, `(k,)` each.
      tables: of `Data`.
      data: of a bucket.
      index: of rows in it, -1 for none.
      taught: whether `data` has `marginals`, from which the members learn.
    """
    rows = _taken(data, index)
    step = state["step"]
    dropout = Dropout(
        jax.random.fold_in(state["key"], step),
        word=settings["word_dropout"],
        hidden=settings["hidden_words"],
        rare=settings["rare"],
        features=settings["dropout_in"],
        states=settings["dropout"],
        locked=settings["locked_dropout"],
    )

    def loss_of(weights: dict[str, Array]) -> tuple[Array, Array]:
        share = settings["share"] if taught else None
        losses = losses_of(weights, tables, rows, dropout, share)
        return losses.sum(), losses

    (_, losses), gradients = jax.value_and_grad(loss_of, has_aux=True)(state["weights"])
    frozen = tables["known"] & (tables["counts"] < settings["rare"][:, None])
    gradients["words"] = jnp.where(frozen[..., None], 0.0, gradients["words"])
    squares = [(g * g).reshape(len(losses), -1).sum(1) for g in gradients.values()]
    norm = jnp.sqrt(sum(squares))
    scale = CLIP / jnp.maximum(norm, CLIP)
    rate = learning_rate(step, state["total"], settings["learning_rate"])
    count = (step + 1).astype(jnp.float32)
    rate = rate * jnp.sqrt(1 - 0.999**count) / (1 - 0.9**count)
    momentum = jnp.minimum(settings["average"], (1 + count) / (10 + count))
    new: dict[str, Any] = {"weights": {}, "first": {}, "second": {}, "mean": {}}
    for name, gradient in gradients.items():
        g = gradient * along(scale, gradient)
        first = 0.9 * state["first"][name] + 0.1 * g
        second = 0.999 * state["second"][name] + 0.001 * g * g
        weights = state["weights"][name]
        weights = weights - along(rate, g) * first / (jnp.sqrt(second) + 1e-7)
        mean = state["mean"][name]
        new["mean"][name] = mean + (1 - along(momentum, g)) * (weights - mean)
        new["weights"][name], new["first"][name], new["second"][name] = weights, first, second
    return {**state, **new, "step": step + 1, "loss": state["loss"] + losses}


def _answer(
    weights: dict[str, Array], tables: dict[str, Array], data: dict[str, Array], index: Array
) -> Array:
    """Returns the best legal tags of rows, int32 `(k, b, t)`."""
    rows = _taken(data, index)
    with jax.default_matmul_precision("float32"):
        scores = scores_of(weights, tables, rows, None)
    real = jnp.arange(len(scores))[:, None] < rows["lengths"]
    return best_tags(scores, *legal_only(weights, tables), real).astype(jnp.int8)


def _probabilities(
    weights: dict[str, Array], tables: dict[str, Array], data: dict[str, Array], index: Array
) -> Array:
    """Returns the mean of the members' tag probabilities, float32 `(b, t, i)`, 0 at padding."""
    rows = _taken(data, index)
    scores = scores_of(weights, tables, rows, None)
    real = jnp.arange(len(scores))[:, None] < rows["lengths"]
    logs = log_marginals(scores, *legal_only(weights, tables), real)
    mean = jnp.exp(logs).mean(1)  # (t, b, i)
    return jnp.where(real[..., None], mean, 0).swapaxes(0, 1)


@jax.jit
def _better(new: Array, old: Array, values: Any, kept: Any) -> Any:
    """Returns the values of members whose new score is higher, else those kept."""
    higher = new > old
    return jax.tree.map(lambda a, b: jnp.where(along(higher, a), a, b), values, kept)


def compile_all(
    functions: Sequence[tuple[Any, tuple]], what: str, workers: int = 8
) -> list[Callable[..., Any]]:
    """Compiles functions for arguments, several at a time."""
    begun = time.monotonic()
    with ThreadPoolExecutor(workers) as pool:
        done = list(pool.map(lambda each: each[0].lower(*each[1]).compile(), functions))
    log(f"{len(done)} functions for {what} compiled in {time.monotonic() - begun:.1f} s")
    return done


class Measure:
    """F1 of all members on the validation split.

    Args:
      data: of which only the rows of the validation split are read.
      weights: of the members, for their shapes.
    """

    def __init__(self, data: Data, weights: dict[str, Array]) -> None:
        self.data, sentences = data, data.sentences
        chosen = np.zeros(len(sentences.lengths), bool)
        chosen[sentences.validation] = True
        places = [np.flatnonzero(chosen[bucket.rows]) for bucket in data.buckets]
        self.parts = [
            (number, place[part])
            for number, place in enumerate(places)
            for part in np.split(np.arange(len(place)), range(ANSWERED, len(place), ANSWERED))
            if len(part)
        ]
        self.wide = max((data.buckets[number].length for number, _ in self.parts), default=1)
        used = sorted({number for number, _ in self.parts})
        index = np.zeros(ANSWERED, "int32")
        self.answer = dict(
            zip(
                used,
                compile_all(
                    [
                        (jax.jit(_answer), (weights, data.tables, data.device[number], index))
                        for number in used
                    ],
                    "answers",
                ),
                strict=True,
            )
        )
        true = [self._wide(data.buckets[n].arrays["tags"][part] - 1.0) for n, part in self.parts]
        real = [self._wide(data.buckets[n].arrays["tags"][part] > 0) for n, part in self.parts]
        self.true = np.where(np.concatenate(real), np.concatenate(true), -1).astype(int)

    def _wide(self, values: np.ndarray) -> np.ndarray:
        return np.pad(values, [(0, 0)] * (values.ndim - 1) + [(0, self.wide - values.shape[-1])])

    def __call__(self, weights: dict[str, Array]) -> np.ndarray:
        """Returns F1 of each member, float64 `(members,)`."""
        waiting = []
        for number, part in self.parts:
            index = np.pad(part, (0, ANSWERED - len(part)), constant_values=-1).astype("int32")
            found = self.answer[number](weights, self.data.tables, self.data.device[number], index)
            waiting.append((found, len(part)))
        tags = [self._wide(np.asarray(found)[:, :count]) for found, count in waiting]
        return entity_f1(self.data.sentences.names, self.true, np.concatenate(tags, axis=1))


@dataclasses.dataclass(frozen=True)
class Trained:
    """What a training found, of the last weights (`"last"`) and of their mean (`"mean"`).

    Attributes:
      best: the highest F1 of each member on the validation split, `(members,)`.
      weights: which have it, on the device.
      history: a row for each measured epoch: `epoch`, and of each member `learning_rate`, `loss`,
        and F1 as `last` and `mean`.
      epochs: for which the step size was scheduled.
      seconds: of training, without the time to compile.
    """

    best: dict[str, np.ndarray]
    weights: dict[str, dict[str, Array]]
    history: list[dict[str, Any]]
    epochs: int
    seconds: float


def train(
    what: str, data: Data, sizes: Sizes, members: Sequence[Member], plan: Plan,
    taught: bool = False,
) -> Trained:  # fmt: skip
    """Trains members on the same batches.

    The validation split selects the epoch.

    Args:
      what: to be logged.
      data: with `marginals`, if the members are taught.
      sizes: of all members.
      members: their settings.
      plan: of the training.
      taught: whether they learn from the teachers, too.
    """
    begun = time.monotonic()
    sentences, generator = data.sentences, np.random.default_rng([plan.seed, 2])
    values = [new_weights(sizes, sentences, member.seed) for member in members]
    weights = {name: jnp.asarray(np.stack([each[name] for each in values])) for name in values[0]}
    settings = {
        field.name: jnp.asarray([getattr(member, field.name) for member in members])
        for field in dataclasses.fields(Member)
        if field.name != "seed"
    }

    def new_state(weights: dict[str, Array], total: int) -> dict[str, Any]:
        def zeros() -> dict[str, Array]:
            return {name: jnp.zeros_like(value) for name, value in weights.items()}

        def copied() -> dict[str, Array]:
            return {name: jnp.array(value) for name, value in weights.items()}

        return {
            "weights": copied(), "first": zeros(), "second": zeros(), "mean": copied(),
            "step": jnp.zeros((), jnp.int32), "key": jax.random.key(plan.seed),
            "loss": jnp.zeros(len(members)), "total": jnp.asarray(np.float32(total)),
        }  # fmt: skip

    def next_batches() -> list[tuple[int, np.ndarray]]:
        used = np.zeros(len(sentences.lengths), bool)
        used[: sentences.trained] = True
        if taught:
            rows = sentences.unlabelled
            if plan.drawn is not None and plan.drawn < len(rows):
                rows = generator.choice(rows, plan.drawn, replace=False)
            used[rows] = True
        return batches_of(data.buckets, plan.batch_size, generator, used)

    batches = next_batches()
    state = new_state(weights, 1)
    numbers = sorted({number for number, _ in batches})
    function = jax.jit(partial(train_step, taught=taught), donate_argnums=0)
    empty = np.full(plan.batch_size, -1, "int32")
    compiled = compile_all(
        [(function, (state, settings, data.tables, data.device[n], empty)) for n in numbers], what
    )
    steps = dict(zip(numbers, compiled, strict=True))
    measure = Measure(data, weights)

    def run(state: dict[str, Any], batches: Sequence[tuple[int, np.ndarray]]) -> dict[str, Any]:
        for count, (number, index) in enumerate(batches, 1):
            state = steps[number](state, settings, data.tables, data.device[number], index)
            if count % 50 == 0:  # the device is not far behind
                jax.block_until_ready(state["step"])
        jax.block_until_ready(state["step"])
        return state

    # Steps that do not count: their time decides how many epochs there are.
    state = run(state, batches[:10])
    timed = time.monotonic()
    sample = batches[10:50] or batches[:10]
    state = run(state, sample)
    step = (time.monotonic() - timed) / len(sample)
    timed = time.monotonic()
    measure(weights)
    asked = time.monotonic() - timed
    left = plan.seconds - (time.monotonic() - begun)
    epochs, epoch_seconds = plan.epochs, 1.05 * step * len(batches) + 2 * asked / plan.every
    if plan.seconds:
        epochs = max(1, min(epochs, int(left / epoch_seconds)))
    log(
        f"{what}: {len(members)} members of {sizes.units} units, {1_000 * step:.1f} ms a step, "
        f"{len(batches):,} steps an epoch, {asked:.1f} s a measurement; {epochs} of "
        f"{plan.epochs} epochs in {epochs * epoch_seconds:.0f} s"
    )
    total = epochs * len(batches)
    state, trained_from = new_state(weights, total), time.monotonic()
    found = {"last": "weights", "mean": "mean"}  # in the state
    best = {name: np.full(len(members), -1.0) for name in found}
    kept, history = dict.fromkeys(found, weights), []
    epoch, spent = 0, 0.0
    while epoch < epochs:
        epoch += 1
        timed = time.monotonic()
        state = run(state, batches)
        spent += time.monotonic() - timed
        losses = np.asarray(state["loss"]) / len(batches)
        state["loss"] = jnp.zeros(len(members))
        if not np.isfinite(losses).all():
            log(f"{what}: not finite: {np.flatnonzero(~np.isfinite(losses)).tolist()}")
        if epoch % plan.every == 0 or epoch in (1, epochs):
            scores = {name: measure(state[place]) for name, place in found.items()}
            for name, place in found.items():
                kept[name] = _better(scores[name], best[name], state[place], kept[name])
                best[name] = np.maximum(scores[name], best[name])
            rates = learning_rate(state["step"] - 1, state["total"], settings["learning_rate"])
            row = {"epoch": epoch, "learning_rate": np.asarray(rates), "loss": losses}
            history.append({**row, **scores})
            each = ", ".join(f"{n} {s.mean():.4f} (best {s.max():.4f})" for n, s in scores.items())
            log(
                f"{what}, epoch {epoch} of {epochs}: loss {losses.mean():.4f}; F1 on the "
                f"validation split: {each}"
            )
        if plan.seconds and epoch < epochs:
            # Another program may have slowed the device: the step size still falls to its end.
            needed = spent / epoch + 2 * asked / plan.every
            possible = epoch + int((plan.seconds - (time.monotonic() - begun)) / needed)
            if possible < epochs:
                epochs = max(epoch + 1, possible)
                state["total"] = jnp.asarray(np.float32(epochs * len(batches)))
                log(f"{what}: {epochs} epochs, because they take {needed:.1f} s each")
        if epoch < epochs:
            batches = next_batches()
    seconds = time.monotonic() - trained_from
    return Trained(best, kept, history, epochs, seconds)


def teach(data: Data, weights: dict[str, Array]) -> float:
    """Adds the mean of the members' tag probabilities to all rows, as `marginals`.

    Returns:
      F1 on the validation split of the legal sequences of highest mean probability.
    """
    sentences = data.sentences
    index = np.zeros(ANSWERED, "int32")
    plain = [{n: a for n, a in each.items() if n != "marginals"} for each in data.device]
    functions = compile_all(
        [(jax.jit(_probabilities), (weights, data.tables, each, index)) for each in plain],
        "teaching",
    )
    validation = np.zeros(len(sentences.lengths), bool)
    validation[sentences.validation] = True
    true, found = [], []
    wide = max(bucket.length for bucket in data.buckets)
    for number, (bucket, each, function) in enumerate(
        zip(data.buckets, plain, functions, strict=True)
    ):
        count = len(bucket.rows)
        parts = [function(weights, data.tables, each, part) for part in chunks(count, ANSWERED)]
        marginals = jnp.concatenate(parts)[:count]
        data.device[number] = {**each, "marginals": marginals}
        chosen = np.flatnonzero(validation[bucket.rows])
        if len(chosen):
            mean = jnp.log(jnp.maximum(marginals[chosen], 1e-30)).swapaxes(0, 1)[:, None]
            legal = jnp.where(data.tables["follows"], 0, FORBIDDEN)[None]
            start = jnp.where(data.tables["starts"], 0, FORBIDDEN)[None]
            real = jnp.arange(len(mean))[:, None] < each["lengths"][chosen]
            tags = np.asarray(best_tags(mean, legal, start, real))[0]
            pad = ((0, 0), (0, wide - bucket.length))
            true.append(np.pad(bucket.arrays["tags"][chosen].astype(int) - 1, pad,
                               constant_values=-1))  # fmt: skip
            found.append(np.pad(tags, pad))
    return float(entity_f1(sentences.names, np.concatenate(true), np.concatenate(found)[None])[0])
