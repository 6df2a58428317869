"""n-gram models of tunes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from recipes.music import abc
from recipes.music.codec import TuneCodec
from zoo.data import Examples
from zoo.metrics.ngram import NGram


def fit_tunes(codec: TuneCodec, train: Examples, order: int) -> NGram:
    """Fits an n-gram model to tunes; each begins with its type and key.

    Args:
      codec: tunes to ids.
      train: columns `type`, `key` and `tune`.
      order: number of ids in an n-gram.
    """
    rows = codec.rows(train["type"], train["key"], train["tune"])
    padding = _padding(codec, order)
    return NGram(order, codec.size - 1).fit([padding + row.tolist() for row in rows])


def nats_of_each(model: NGram, codec: TuneCodec, examples: Examples) -> list[tuple[float, int]]:
    """Returns the sum of -log p over the tokens and the end of each tune, and their number.

    Args:
      model: of `fit_tunes`.
      codec: tunes to ids.
      examples: columns `type`, `key` and `tune`.
    """
    rows = codec.rows(examples["type"], examples["key"], examples["tune"])
    padding = _padding(codec, model.order)
    return model.nats_of_each([padding + row.tolist() for row in rows], skip=len(padding) + 2)


def draw_tunes(
    model: NGram, codec: TuneCodec, requested: Examples, seeds: Sequence[int], steps: int
) -> list[str]:
    """Samples a whole tune in ABC for each type and key.

    Args:
      model: of `fit_tunes`.
      codec: tunes to ids.
      requested: columns `type` and `key`.
      seeds: a random seed for each tune.
      steps: maximum number of tokens of a tune.
    """
    texts = []
    for kind, key, seed in zip(requested["type"], requested["key"], seeds, strict=True):
        conditions = codec.conditions([kind], [key]).numpy()[0].tolist()
        generator = np.random.default_rng(seed)
        ids = model.sample(
            [*_padding(codec, model.order), *conditions], steps, generator, codec.end
        )
        numbers = [each - codec.first_token for each in ids]
        texts.append(
            abc.tune_text(kind, key, [codec.tokens[each] for each in numbers if each >= 0])
        )
    return texts


def _padding(codec: TuneCodec, order: int) -> list[int]:
    """Returns padding before a tune, so that its first tokens have contexts of full length.

    The model smooths a shorter context by all tokens that may precede it; here none may.
    """
    return [codec.end] * (order - 1)
