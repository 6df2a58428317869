"""Perplexity of running text under a network, a network with a cache, and n-grams."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from recipes.writing.word_encoder import Words
from recipes.writing.word_signatures import SHARPNESS, mixed
from zoo.metrics.ngram import NGram
from zoo.recipe import Answers

WEIGHTS = (0.05, 0.1, 0.15, 0.2, 0.3, 0.4)  # candidate values of λ; chosen on the validation split


def long_texts(passages: Sequence[str], limit: int) -> list[str]:
    """Joins passages into texts of at most `limit` bytes; a longer passage stays alone."""
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
    """Returns the probability of each word of a running text under a network and under its cache.

    Args:
      predictor: a model with the signature `words`.
      passages: the passages of the text, in order; those read at once share the state.
      limit: maximum number of bytes that the model reads at once.

    Returns:
      The network's log-probabilities, float64 `(words,)`, and the cache's probabilities, float64
      `(words, values)`, see `recipes.writing.word_signatures.read_words`.
    """
    found = predictor.predict(long_texts(passages, limit), batch_size=1, signature="words")
    logs = np.concatenate([np.array(each["log_probability"], float) for each in found])
    empty = np.zeros((0, len(SHARPNESS)))
    repeated = [np.array(each["repeated"], float).reshape(-1, len(SHARPNESS)) for each in found]
    return logs, np.concatenate([empty, *repeated])


def nats_with_cache(
    logs: np.ndarray, repeated: np.ndarray, weight: float, sharpness: float
) -> float:
    """Returns the mean -log p of network and cache combined, from the results of `read_text`."""
    return -float(np.mean(mixed(logs, repeated[:, SHARPNESS.index(sharpness)], weight)))


def best_cache(logs: np.ndarray, repeated: np.ndarray) -> tuple[float, float]:
    """Returns the weight and the sharpness that maximise the probability of a text."""
    tried = [(weight, sharpness) for weight in WEIGHTS for sharpness in SHARPNESS]
    return min(tried, key=lambda each: nats_with_cache(logs, repeated, *each))


def perplexity(nats: float) -> float:
    """Returns e to the power of the nats per word; infinity on overflow."""
    return math.exp(nats) if nats < 700 else math.inf


def ngram_perplexity(
    encoder: Words, train: Sequence[str], test: Sequence[str], order: int
) -> float:
    """Returns the perplexity of an n-gram model with Kneser–Ney smoothing, per sentence."""
    model = NGram(order, encoder.size - 1).fit(_sentences(encoder, train))
    nats, count = model.nats(_sentences(encoder, test), skip=1)
    return perplexity(nats / max(1, count))


def _sentences(encoder: Words, passages: Sequence[str]) -> list[list[int]]:
    """Returns the ids of each sentence, with the end-of-sentence id before and after it."""
    sentences, now = [], [encoder.end]
    for number in np.concatenate([np.zeros(0, int), *encoder.rows(passages)]).tolist():
        now.append(number)
        if number == encoder.end:
            sentences.append(now)
            now = [encoder.end]
    return [*sentences, now] if len(now) > 1 else sentences
