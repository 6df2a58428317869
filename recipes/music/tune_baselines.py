"""n-gram models of tunes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from recipes.music import abc
from recipes.music.codec import TuneCodec
from zoo.data import Examples
from zoo.metrics.ngram import NGram


def fit_tunes(codec: TuneCodec, train: Examples, order: int) -> NGram:
    """Counts the n-grams of tunes, which begin with type and key.

    Args:
      codec: tunes to ids.
      train: columns `type`, `key` and `tune`.
      order: ids of an n-gram.
    """
    rows = codec.rows(train["type"], train["key"], train["tune"])
    front = _front(codec, order)
    return NGram(order, codec.size - 1).fit([front + row.tolist() for row in rows])


def nats(model: NGram, codec: TuneCodec, examples: Examples) -> tuple[float, int]:
    """Returns the sum of -log p over the tokens of tunes and their ends, and how many they are.

    Args:
      model: of `fit_tunes`.
      codec: tunes to ids.
      examples: columns `type`, `key` and `tune`.
    """
    rows = codec.rows(examples["type"], examples["key"], examples["tune"])
    front = _front(codec, model.order)
    return model.nats([front + row.tolist() for row in rows], skip=len(front) + 2)


def draw_tunes(
    model: NGram, codec: TuneCodec, asked: Examples, seeds: Sequence[int], steps: int
) -> list[str]:
    """Draws a whole tune in ABC for each type and key.

    Args:
      model: of `fit_tunes`.
      codec: tunes to ids.
      asked: columns `type` and `key`.
      seeds: of the random numbers, one a tune.
      steps: tokens of a tune, at most.
    """
    made = []
    for kind, key, seed in zip(asked["type"], asked["key"], seeds, strict=True):
        given = codec.conditions([kind], [key]).numpy()[0].tolist()
        generator = np.random.default_rng(seed)
        ids = model.sample([*_front(codec, model.order), *given], steps, generator, codec.end)
        places = [each - codec.first_token for each in ids]
        made.append(abc.tune_text(kind, key, [codec.tokens[each] for each in places if each >= 0]))
    return made


def _front(codec: TuneCodec, order: int) -> list[int]:
    """Returns what is put before a tune, so that its first tokens have whole contexts too.

    Shorter contexts are smoothed by what may stand before them, and nothing may here.
    """
    return [codec.end] * (order - 1)
