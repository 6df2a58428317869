"""Translations without a network: the source as it is, and word for word by a learnt dictionary.

The dictionary is IBM Model 1 (P. Brown et al.: The Mathematics of Statistical Machine Translation,
Computational Linguistics 1993): each target word is written by one source word, or by none, with
a probability t(target | source) that does not depend on the places of the two.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from recipes.translating import metrics
from zoo.data import Examples
from zoo.errors import ZooError
from zoo.scores import Scores

EPOCHS = 8  # of the EM algorithm; the dictionary changes little from then on
MAX_WORDS = 100  # longer sentences are left out: memory grows with the product of both lengths
NOTHING = 0  # the source word that writes what no source word does


def baselines(
    train: Examples, test: Examples, source: str = "en", target: str = "fr"
) -> dict[str, Scores]:
    """Scores both on the test split.

    Args:
      train, test: columns `text` and `translation`.
      source, target: two-letter codes of the languages, which Moses' tokenizer follows.

    Returns:
      `copy` and `ibm-model-1`, each to a `recipes.translating.metrics`. The dictionary is one of
      lower-case words, so that its cased scores say little.

    Raises:
      ZooError: no training or no test rows.
    """
    sources = [text.lower().split() for text in metrics.moses(train["text"], source)]
    targets = [text.lower().split() for text in metrics.moses(train["translation"], target)]
    kept = [
        (one, other)
        for one, other in zip(sources, targets, strict=True)
        if max(len(one), len(other)) <= MAX_WORDS
    ]
    best = dictionary(*zip(*kept, strict=True)) if kept else {}
    tested = [text.lower().split() for text in metrics.moses(test["text"], source)]
    written = [" ".join(best.get(word, word) for word in words) for words in tested]
    return {
        name: metrics.translation(test["translation"], texts, language=target)
        for name, texts in (
            ("copy", test["text"]),
            ("ibm-model-1", metrics.detokenised(written, target)),
        )
    }


def dictionary(sources: Sequence[list[str]], targets: Sequence[list[str]]) -> dict[str, str]:
    """Returns the most probable target word of each source word."""
    table, given, written = model_1(sources, targets)
    names = list(dict.fromkeys(word for words in sources for word in words))
    other = list(dict.fromkeys(word for words in targets for word in words))
    # The last of equal keys stays: so sort by probability, equals by the target's first place.
    order = np.lexsort((-written, table))
    return {
        names[given[cell] - 1]: other[written[cell]] for cell in order if given[cell] != NOTHING
    }


def model_1(
    sources: Sequence[list[str]], targets: Sequence[list[str]], epochs: int = EPOCHS
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Fits t(target | source) by expectation maximisation.

    Args:
      sources, targets: words of each sentence; equally many sentences.
      epochs: passes over them.

    Returns:
      The pairs of words that occur in a pair of sentences: their probability, float64
      `(pairs,)`; the source word, int `(pairs,)`, 0 for none and from 1 in the order of
      occurrence; the target word, int `(pairs,)`, from 0 in the order of occurrence.

    Raises:
      ZooError: there is no pair of words.
    """
    numbers = _numbers(sources, 1), _numbers(targets, 0)
    size = len(numbers[1])
    keys, slots = [], []  # of each place where a target word may have been written by a source word
    slot = 0
    for source, target in zip(sources, targets, strict=True):
        x = np.array([NOTHING, *(numbers[0][word] for word in source)], np.int64)
        y = np.array([numbers[1][word] for word in target], np.int64)
        keys.append((x[np.newaxis] * size + y[:, np.newaxis]).ravel())
        slots.append(np.repeat(np.arange(slot, slot + len(y)), len(x)))
        slot += len(y)
    if not slot:
        raise ZooError("There are no words to learn a dictionary from; give at least one pair.")
    every = np.concatenate(keys)
    del keys
    pairs, cell = np.unique(every, return_inverse=True)
    del every
    place = np.concatenate(slots)
    given, written = pairs // size, pairs % size
    table = np.ones(len(pairs))
    for _ in range(epochs):
        expected = table[cell]
        expected /= np.bincount(place, expected, slot)[place]  # one of them has written it
        counts = np.bincount(cell, expected, len(pairs))
        table = counts / np.bincount(given, counts)[given]
    return table, given, written


def _numbers(sentences: Sequence[list[str]], first: int) -> dict[str, int]:
    """Returns a number for each word, in the order of occurrence."""
    words = dict.fromkeys(word for sentence in sentences for word in sentence)
    return {word: number for number, word in enumerate(words, first)}
