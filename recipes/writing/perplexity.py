"""Perplexity of running text: by a network, by network and cache, and by n-grams."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from recipes.writing.word_encoder import Words
from recipes.writing.word_signatures import SHARPNESS, mixed
from zoo.metrics.ngram import NGram
from zoo.recipe import Answers

WEIGHTS = (0.05, 0.1, 0.15, 0.2, 0.3, 0.4)  # values of λ that validation chooses from


def long_texts(passages: Sequence[str], limit: int) -> list[str]:
    """Joins passages of a running text to texts of at most `limit` bytes, if none has more."""
    texts: list[list[str]] = [[]]
    size = 0
    for passage in passages:
        length = len(passage.encode("utf-8", "replace"))
        if size + length > limit and texts[-1]:
            texts.append([])
            size = 0
        texts[-1].append(passage)
        size += length
    return ["".join(parts) for parts in texts]


def read_text(
    predictor: Answers, passages: Sequence[str], limit: int
) -> tuple[np.ndarray, np.ndarray]:
    """Returns how probable a network and its cache find each word of a running text.

    Args:
      predictor: a model that serves `words`.
      passages: of the text, in order; the state is carried from one to the next.
      limit: bytes that the model reads at once.

    Returns:
      Log-probabilities, float64 `(words,)`, and those of the cache, float64 `(words, values)`, see
      `recipes.writing.word_signatures.read_words`.
    """
    found = predictor.predict(long_texts(passages, limit), batch_size=1, signature="words")
    logs = np.concatenate([np.array(each["log_probability"], float) for each in found])
    empty = np.zeros((0, len(SHARPNESS)))
    repeated = [np.array(each["repeated"], float).reshape(-1, len(SHARPNESS)) for each in found]
    return logs, np.concatenate([empty, *repeated])


def nats_with_cache(
    logs: np.ndarray, repeated: np.ndarray, weight: float, sharpness: float
) -> float:
    """Returns the mean of -log p of network and cache together; arguments as of `read_text`."""
    return -float(np.mean(mixed(logs, repeated[:, SHARPNESS.index(sharpness)], weight)))


def best_cache(logs: np.ndarray, repeated: np.ndarray) -> tuple[float, float]:
    """Returns the weight and the sharpness with which a text is the most probable."""
    tried = [(weight, sharpness) for weight in WEIGHTS for sharpness in SHARPNESS]
    return min(tried, key=lambda each: nats_with_cache(logs, repeated, *each))


def perplexity(nats: float) -> float:
    """Returns e to the power of nats a word; infinite where that is too much."""
    return math.exp(nats) if nats < 700 else math.inf


def ngram_perplexity(
    encoder: Words, train: Sequence[str], test: Sequence[str], order: int
) -> float:
    """Returns the perplexity of n-grams with Kneser–Ney smoothing, sentence by sentence."""
    model = NGram(order, encoder.size - 1).fit(_sentences(encoder, train))
    nats, count = model.nats(_sentences(encoder, test), skip=1)
    return perplexity(nats / max(1, count))


def _sentences(encoder: Words, passages: Sequence[str]) -> list[list[int]]:
    """Returns the ids of each sentence, with the end of a sentence before it and after it."""
    sentences, now = [], [encoder.end]
    for number in np.concatenate([np.zeros(0, int), *encoder.rows(passages)]).tolist():
        now.append(number)
        if number == encoder.end:
            sentences.append(now)
            now = [encoder.end]
    return [*sentences, now] if len(now) > 1 else sentences
