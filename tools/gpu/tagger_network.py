"""The network of `conll-bilstm-crf` in JAX: many networks of one size at once. No TensorFlow.

All arrays of weights have an axis of members in front: networks that read the same rows, each with
its own weights, dropout, and settings that need no other shapes. The axes are named k (members),
b (rows), t (time), d (two directions), h (units), g (gates) and i, j (tags).

The LSTMs of both directions and of all members are one loop over time. Its gradient is written by
hand, so that the gradient of the recurrent weights is one product after the loop.
"""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax

from tools.gpu.tagger_rows import RESERVED, UNKNOWN, Sentences

Weights = dict[str, Array]
FORBIDDEN = -1e4  # `recipes.tagging.crf`

# Trainable weights in Keras' order: our name, and the last part of Keras'.
KERAS = (
    ("characters", "embeddings"),
    ("filters", "kernel"),
    ("filters_bias", "bias"),
    ("words", "learnt"),
    ("casing", "embeddings"),
    ("kernel.0", "kernel"),
    ("recurrent.0", "recurrent_kernel"),
    ("bias.0", "bias"),
    ("kernel.1", "kernel"),
    ("recurrent.1", "recurrent_kernel"),
    ("bias.1", "bias"),
    ("scores", "kernel"),
    ("scores_bias", "bias"),
    ("transitions", "transitions"),
    ("start", "start"),
)


@dataclasses.dataclass(frozen=True)
class Sizes:
    """Settings that decide shapes; the names are those of the recipe."""

    units: int = 200
    filters: int = 50
    character: int = 25
    casing: int = 10


def _unroll() -> int:
    """Returns how many steps of a loop over time are compiled together."""
    return 1 if jax.default_backend() == "cpu" else 2


def new_weights(sizes: Sizes, sentences: Sentences, seed: int) -> dict[str, np.ndarray]:
    """Returns the weights of a new network, as Keras and the recipe begin."""
    generator = np.random.default_rng([seed, 1])
    tags = len(sentences.names)
    features = sentences.given.shape[1] + sizes.filters + sizes.casing

    def uniform(limit: float, *shape: int) -> np.ndarray:
        return generator.uniform(-limit, limit, shape)

    def glorot(*shape: int, field: int = 1) -> np.ndarray:
        return uniform(math.sqrt(6 / (field * (shape[-2] + shape[-1]))), *shape)

    def orthogonal(rows: int, columns: int) -> np.ndarray:
        q, r = np.linalg.qr(generator.normal(size=(columns, rows)))
        return (q * np.sign(np.diag(r))).T

    units = sizes.units
    words = uniform(math.sqrt(3 / sentences.given.shape[1]), *sentences.given.shape)
    bias = np.zeros((2, 4 * units))
    bias[:, units : 2 * units] = 1  # of the forget gate
    weights = {
        "characters": uniform(0.05, sentences.letters, sizes.character),
        "filters": glorot(1, 3, sizes.character, sizes.filters, field=3),
        "filters_bias": np.zeros(sizes.filters),
        "words": np.where(sentences.known[:, None], sentences.given, words),
        "casing": uniform(0.05, sentences.casings, sizes.casing),
        "kernel": glorot(2, features, 4 * units),
        "recurrent": np.stack([orthogonal(units, 4 * units) for _ in range(2)]),
        "bias": bias,
        "scores": glorot(2 * units, tags),
        "scores_bias": np.zeros(tags),
        "transitions": np.zeros((tags, tags)),
        "start": np.zeros(tags),
    }
    return {name: value.astype("float32") for name, value in weights.items()}


def keras_weights(weights: dict[str, np.ndarray]) -> tuple[list[str], list[np.ndarray]]:
    """Returns the names and arrays of a network's weights, in Keras' order."""
    arrays = []
    for ours, _ in KERAS:
        name, _, direction = ours.partition(".")
        arrays.append(weights[name][int(direction)] if direction else weights[name])
    return [theirs for _, theirs in KERAS], arrays


@dataclasses.dataclass(frozen=True)
class Dropout:
    """Random numbers of a step, and what the settings make of them; arrays are `(members,)`.

    Attributes:
      key: of random numbers.
      word: fraction of rare words that is hidden.
      hidden: fraction of all words that is hidden.
      rare: words that occur less often are rare.
      features: dropout rate of a word's features.
      states: dropout rate of the LSTMs' states.
      locked: whether the same features and states are dropped at all steps of a row.
    """

    key: Array
    word: Array
    hidden: Array
    rare: Array
    features: Array
    states: Array
    locked: Array


def _dropped(key: Array, x: Array, rate: Array, locked: Array, time: int) -> Array:
    """Applies dropout; `rate` and `locked` are broadcastable, `time` is an axis."""
    # 16 bits are enough for a rate, and cost half the time of 32.
    bits = jax.random.bits(key, x.shape, jnp.uint16).astype(jnp.int32)
    first = lax.slice_in_dim(bits, 0, 1, axis=time)
    kept = jnp.where(locked, first, bits) >= jnp.round(rate * 65_536).astype(jnp.int32)
    return jnp.where(kept, x / (1 - rate), 0)


def scores_of(
    weights: Weights, tables: dict[str, Array], rows: dict[str, Array], dropout: Dropout | None
) -> Array:
    """Returns the score of each tag at each step, float32 `(t, k, b, i)`.

    Args:
      weights: `(k, …)` each.
      tables: `fixed`, `known` and `counts` of `Sentences`.
      rows: `words`, `casing`, `characters` `(b, t, …)`, `lengths` `(b,)`.
      dropout: in training.
    """
    ids, learnt = rows["words"], weights["words"]
    first = learnt.shape[1]
    is_fixed = ids >= first
    place = jnp.where(is_fixed, 0, ids)
    vectors = jnp.take(learnt, place, axis=1)  # (k, b, t, size)
    vectors = jnp.where(
        is_fixed[..., None], jnp.take(tables["fixed"], jnp.where(is_fixed, ids - first, 0), axis=0),
        vectors,
    )  # fmt: skip
    if dropout:
        words, features, states = jax.random.split(dropout.key, 3)
        # Without a pretrained vector, and rare.
        may = ~is_fixed & (place >= RESERVED) & ~tables["known"][place]
        may = may & (tables["counts"][place] < dropout.rare[:, None, None])
        share = jnp.where(may, dropout.word[:, None, None], 0.0)
        share = jnp.maximum(share, dropout.hidden[:, None, None])
        hide = jax.random.uniform(words, may.shape) < share
        vectors = jnp.where(hide[..., None], learnt[:, None, None, UNKNOWN], vectors)
    x = jnp.concatenate([vectors, spelling_of(weights, rows["characters"]),
                         casing_of(weights, rows["casing"])], axis=-1)  # fmt: skip
    if dropout:
        rate, locked = (value[:, None, None, None] for value in (dropout.features, dropout.locked))
        x = _dropped(features, x, rate, locked, time=2)
    kernel, bias = weights["kernel"], weights["bias"]
    z = jnp.stack(
        [
            jnp.einsum("kbtf,kfg->tkbg", each, kernel[:, direction]) + bias[:, direction, None]
            for direction, each in enumerate((x, x[:, :, ::-1]))
        ],
        axis=1,
    )  # (t, d, k, b, g)
    real = (jnp.arange(ids.shape[1])[:, None] < rows["lengths"]).astype(jnp.float32)  # (t, b)
    mask = jnp.stack([real, real[::-1]], axis=1)[:, :, None, :, None]  # (t, d, 1, b, 1)
    h = lstm(jnp.moveaxis(weights["recurrent"], 1, 0), z, mask)
    h = jnp.concatenate([h[:, 0], h[::-1, 1]], axis=-1)  # (t, k, b, 2 h)
    if dropout:
        rate, locked = (value[:, None, None] for value in (dropout.states, dropout.locked))
        h = _dropped(states, h, rate, locked, time=0)
    return jnp.einsum("tkbh,khi->tkbi", h, weights["scores"]) + weights["scores_bias"][:, None]


def spelling_of(weights: Weights, characters: Array) -> Array:
    """Returns the maximum of each filter over the characters of a word, `(k, b, t, filters)`."""
    table = jnp.einsum("kce,kwef->kwcf", weights["characters"], weights["filters"][:, 0])
    k, width, letters, filters = table.shape
    # A product with ones and zeros, because adding up gradients of few vectors is slow on a GPU.
    one = jax.nn.one_hot(characters, letters)  # (b, t, p, c)
    one = jnp.pad(one, ((0, 0), (0, 0), (1, 1), (0, 0)))
    near = jnp.concatenate([one[:, :, at : at + characters.shape[2]] for at in range(3)], axis=-1)
    found = jnp.einsum("btpx,kxf->kbtpf", near, table.reshape(k, width * letters, filters))
    return jax.nn.relu(found.max(axis=3) + weights["filters_bias"][:, None, None])


def casing_of(weights: Weights, casing: Array) -> Array:
    """Returns the vectors of casings, `(k, b, t, size)`."""
    one = jax.nn.one_hot(casing, weights["casing"].shape[1])
    return jnp.einsum("btc,kce->kbte", one, weights["casing"])


@jax.custom_vjp
def lstm(recurrent: Array, z: Array, mask: Array) -> Array:
    """Returns the states of Keras' LSTMs, float32 `(t, d, k, b, h)`, 0 at padding.

    Args:
      recurrent: `(d, k, h, g)`; gates in the order i, f, c, o.
      z: `(t, d, k, b, g)`: what the inputs add to the gates.
      mask: float `(t, d, 1, b, 1)`: 0 at padding, where states are 0.
    """

    def step(carry: tuple[Array, Array], now: tuple[Array, Array]) -> tuple[Any, Array]:
        h, c, _ = _cell(recurrent, carry, now)
        return (h, c), h

    return lax.scan(step, _zeros(recurrent, z), (z, mask), unroll=_unroll())[1]


def _zeros(recurrent: Array, z: Array) -> tuple[Array, Array]:
    zero = jnp.zeros((*z.shape[1:4], recurrent.shape[2]), z.dtype)
    return zero, zero


def _cell(
    recurrent: Array, carry: tuple[Array, Array], now: tuple[Array, Array]
) -> tuple[Array, Array, Array]:
    (h, c), (z, mask) = carry, now
    i, f, g, o = jnp.split(z + jnp.einsum("dkbh,dkhg->dkbg", h, recurrent), 4, axis=-1)
    i, f, g, o = jax.nn.sigmoid(i), jax.nn.sigmoid(f), jnp.tanh(g), jax.nn.sigmoid(o)
    c = (f * c + i * g) * mask
    return o * jnp.tanh(c) * mask, c, jnp.concatenate([i, f, g, o], axis=-1)


def _lstm_forward(recurrent: Array, z: Array, mask: Array) -> tuple[Array, tuple]:
    def step(carry: tuple[Array, Array], now: tuple[Array, Array]) -> tuple[Any, Any]:
        h, c, gates = _cell(recurrent, carry, now)
        return (h, c), (h, c, gates)

    h, c, gates = lax.scan(step, _zeros(recurrent, z), (z, mask), unroll=_unroll())[1]
    return h, (recurrent, mask, h, c, gates)


def _lstm_backward(kept: tuple, gradient: Array) -> tuple[Array, Array, Array]:
    recurrent, mask, h, c, gates = kept
    before = jnp.concatenate([jnp.zeros_like(c[:1]), c[:-1]])

    def step(carry: tuple[Array, Array], now: tuple) -> tuple[Any, Array]:
        dh, dc = carry
        gradient, mask, gates, c, before = now
        i, f, g, o = jnp.split(gates, 4, axis=-1)
        dh, shape = (dh + gradient) * mask, jnp.tanh(c)
        dc = (dc + dh * o * (1 - shape * shape)) * mask
        dz = jnp.concatenate(
            [dc * g * i * (1 - i), dc * before * f * (1 - f), dc * i * (1 - g * g),
             dh * shape * o * (1 - o)],
            axis=-1,
        )  # fmt: skip
        return (jnp.einsum("dkbg,dkhg->dkbh", dz, recurrent), dc * f), dz

    start = jnp.zeros_like(h[0]), jnp.zeros_like(h[0])
    inputs = gradient, mask, gates, c, before
    _, dz = lax.scan(step, start, inputs, reverse=True, unroll=_unroll())
    earlier = jnp.concatenate([jnp.zeros_like(h[:1]), h[:-1]])
    return jnp.einsum("tdkbh,tdkbg->dkhg", earlier, dz), dz, jnp.zeros_like(mask)


lstm.defvjp(_lstm_forward, _lstm_backward)


def _log_sum(before: Array, matrix: Array) -> Array:
    """Returns log sum_i exp(before_i + matrix_ij), `(…, b, j)`, for matrices `(…, i, j)`."""
    terms = before[..., None] + matrix[..., None, :, :]
    highest = lax.stop_gradient(terms.max(axis=-2))
    return jnp.log(jnp.exp(terms - highest[..., None, :]).sum(axis=-2)) + highest


def log_partition(scores: Array, transitions: Array, start: Array, real: Array) -> Array:
    """Returns log Z of each row, float32 `(k, b)`.

    Args:
      scores: `(t, k, b, i)`.
      transitions, start: of the CRF, `(k, i, j)` and `(k, j)`.
      real: bool `(t, b)`.
    """

    def step(before: Array, now: tuple[Array, Array]) -> tuple[Array, None]:
        score, real = now
        new = _log_sum(before, transitions) + score
        return jnp.where(real[:, None], new, before), None

    first = scores[0] + start[:, None]
    last, _ = lax.scan(step, first, (scores[1:], real[1:]), unroll=_unroll())
    return jax.nn.logsumexp(last, axis=-1)


def log_marginals(scores: Array, transitions: Array, start: Array, real: Array) -> Array:
    """Returns log p(tag at t | the row), float32 `(t, k, b, i)`; undefined at padding.

    The arguments are those of `log_partition`. Both directions are one loop.
    """
    both = jnp.stack([transitions, transitions.swapaxes(1, 2)])  # (d, k, i, j)
    forwards = scores.at[0].add(start[:, None])
    steps = jnp.stack([forwards, scores[::-1]], axis=1)  # (t, d, k, b, i)
    beginning = jnp.zeros_like(real[:1])
    # Where a step has a neighbour that is behind it in the direction of the loop.
    after = jnp.concatenate([real[1:], beginning])
    goes_on = jnp.stack([real & jnp.arange(len(real))[:, None].astype(bool), after[::-1]], axis=1)

    def step(before: Array, now: tuple[Array, Array]) -> tuple[Array, Array]:
        score, goes_on = now
        new = jnp.where(goes_on[:, None, :, None], _log_sum(before, both), 0.0) + score
        return new, new

    _, found = lax.scan(step, jnp.zeros_like(steps[0]), (steps, goes_on), unroll=_unroll())
    return jax.nn.log_softmax(found[:, 0] + found[::-1, 1] - scores, axis=-1)


def legal_only(weights: Weights, tables: dict[str, Array]) -> tuple[Array, Array]:
    """Returns transitions and start, with `FORBIDDEN` where the tags do not allow them.

    Args:
      weights: of the network.
      tables: `follows` and `starts`, of `recipes.tagging.crf.legal`.
    """
    transitions = weights["transitions"] + jnp.where(tables["follows"], 0.0, FORBIDDEN)
    return transitions, weights["start"] + jnp.where(tables["starts"], 0.0, FORBIDDEN)


def best_tags(scores: Array, transitions: Array, start: Array, real: Array) -> Array:
    """Returns the best sequences, int32 `(k, b, t)`; undefined at padding.

    The arguments are those of `log_partition`.
    """
    tags = scores.shape[-1]

    def step(before: Array, now: tuple[Array, Array]) -> tuple[Array, Array]:
        score, real = now
        terms = before[..., None] + transitions[:, None]  # (k, b, i, j)
        new = terms.max(axis=2) + score
        new = new - new.max(axis=-1, keepdims=True)
        keep = real[:, None]
        origin = jnp.where(keep, terms.argmax(axis=2), jnp.arange(tags))
        return jnp.where(keep, new, before), origin

    last, origins = lax.scan(step, scores[0] + start[:, None], (scores[1:], real[1:]))

    def back(tag: Array, origin: Array) -> tuple[Array, Array]:
        return jnp.take_along_axis(origin, tag[..., None], axis=-1)[..., 0], tag

    first, found = lax.scan(back, last.argmax(axis=-1), origins, reverse=True)
    return jnp.moveaxis(jnp.concatenate([first[None], found]), 0, 2).astype(jnp.int32)


def losses_of(
    weights: Weights,
    tables: dict[str, Array],
    rows: dict[str, Array],
    dropout: Dropout | None,
    share: Array | None = None,
) -> Array:
    """Returns the recipe's loss of a batch for each member, float32 `(k,)`: the mean over tokens.

    Args:
      weights, tables, rows, dropout: as for `scores_of`; the rows have `tags` too and, if `share`
        is given, the teachers' probabilities, `marginals` `(b, t, i)`.
      share: share of the true tags in the target of a row that has them, `(k,)`; None: 1.
    """
    scores = scores_of(weights, tables, rows, dropout)
    real = jnp.arange(len(scores))[:, None] < rows["lengths"]  # (t, b)
    count = jnp.maximum(real.sum(), 1)
    labelled = (rows["tags"][:, 0] > 0).astype(jnp.float32)
    part = jnp.broadcast_to(labelled, (scores.shape[1], len(labelled)))  # (k, b)
    if share is not None:
        part = part * share[:, None]
    matrix, start = weights["transitions"], weights["start"]
    true = jax.nn.one_hot(rows["tags"].T.astype(jnp.int32) - 1, scores.shape[-1])  # (t, b, i)
    chosen = (scores * true[:, None]).sum((0, 3))
    pairs = true[:-1, :, :, None] * true[1:, :, None]  # (t - 1, b, i, j)
    exact = lax.Precision.HIGHEST
    chosen += jnp.einsum("bij,kij->kb", pairs.sum(0), matrix, precision=exact)
    chosen += jnp.einsum("bi,ki->kb", true[0], start, precision=exact)
    loss = (part * (log_partition(scores, matrix, start, real) - chosen)).sum(1)
    if share is not None:
        logs = log_marginals(scores, matrix, start, real)
        taught = rows["marginals"].swapaxes(0, 1)[:, None]  # (t, 1, b, i)
        each = jnp.where(real[:, None], -(taught * logs).sum(-1), 0.0)
        loss += ((1 - part) * each.sum(0)).sum(1)
    return loss / count
