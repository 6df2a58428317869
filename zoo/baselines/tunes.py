"""n-gram models of tunes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from zoo.baselines.ngram import NGram
from zoo.data import Examples
from zoo.music import abc
from zoo.music.codec import TuneCodec


def fit_tunes(codec: TuneCodec, train: Examples, order: int) -> NGram:
    """Counts the n-grams of tunes, which begin with type and key.

    Args:
      codec: tunes to ids.
      train: columns `type`, `key` and `tune`.
      order: ids of an n-gram.
    """
    return NGram(order, codec.size - 1).fit(encoded(codec, train))


def encoded(codec: TuneCodec, examples: Examples) -> list[list[int]]:
    rows = codec.rows(examples["type"], examples["key"], examples["tune"])
    return [row.tolist() for row in rows]


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
        ids = model.sample(given, steps, np.random.default_rng(seed), codec.end)
        tokens = [
            codec.tokens[each - codec.first_token] for each in ids if each >= codec.first_token
        ]
        made.append(abc.tune_text(kind, key, tokens))
    return made
