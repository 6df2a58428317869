"""Decides from the training rows whether a text classifier starts from packed weights.

A pretrained network maps a text to a vector, its pooled states. If the texts resemble its training
texts, a linear model learns the classes of a few hundred rows better from these states than from
the words (TF-IDF times log-count ratios). Both linear models are therefore compared by
cross-validation on the training rows (M. Stone: Cross-Validatory Choice and Assessment of
Statistical Predictions, 1974). Packed weights are used if the states win by more than the standard
error of the per-row difference (the rule of one standard error: L. Breiman et al.: Classification
and Regression Trees, 1984).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import keras
import numpy as np
from scipy import sparse

from recipes.classifying import wide
from zoo import text
from zoo.data import Examples
from zoo.data.batching import Batches, Ragged
from zoo.layers import MaskedPooling
from zoo.recipe import Packed, Start

MAX_ROWS = 5_000  # maximum of the training split; more take long and suffice without pretraining
KNOWN = 0.6  # minimum share of known words; it is 0.3 for German and 0.4 for French
RARE = 0.1  # with a smaller share of a class, all classes have equal weight
STATE_STRENGTHS = (0.01, 0.1, 0.001)  # values of C for states with variance 1
# Settings that change the network or its input.
SAME = ("cell", "bidirectional", "layers", "units", "embedding", "pooling", "vocabulary", "vectors")


class TextConfig(Protocol):
    """Settings of a text classifier; it may lack some of `SAME`."""

    @property
    def vocabulary(self) -> int: ...

    @property
    def max_words(self) -> int: ...

    @property
    def max_bytes(self) -> int: ...


def choose(config: TextConfig, train: Examples, packed: Packed) -> Start:
    """Decides whether to start from the packed weights of a text classifier.

    Args:
      config: of the run, with the settings of the user.
      train: the training rows, columns `text` and `label`.
      packed: the packed weights of its recipe.
    """
    others = [
        f"{name}={theirs}, not {ours}"
        for name in SAME
        if (theirs := getattr(packed.config, name)) != (ours := getattr(config, name))
    ]
    if others:
        return Start(False, f"it has {'; '.join(others)}")
    if len(set(train["label"])) < 2:
        return Start(False, "the training rows have one class")
    count = len(train["text"])
    if count > MAX_ROWS:
        reason = f"the packed weights are not tried with more than {MAX_ROWS:,} training rows"
        return Start(False, reason, {"rows": count})
    predictor = packed.load()
    ids = predictor.assets.encoder.rows(train["text"])
    known = float(np.mean(ids.values != text.UNKNOWN))
    if known < KNOWN:
        reason = f"it knows {known:.0%} of the words in the training rows, less than {KNOWN:.0%}"
        return Start(False, f"{reason}: another language, or other words", {"known": known})
    words = text.learn_vocabulary(train["text"], config.vocabulary, text.RULE)
    encoder = text.WordEncoder(words, config.max_words, config.max_bytes, text.RULE)
    rows = encoder.rows(train["text"])
    states = pooled_states(predictor.model, ids)
    *_, tfidf = wide.features_of(rows, len(words) + text.RESERVED)
    return decide(states, tfidf, train["label"], known)


def pooled_states(model: keras.Model, rows: Ragged) -> np.ndarray:
    """Returns the pooled states of texts, float32 `(rows, units)`.

    Args:
      model: with a `MaskedPooling`; the last one is used.
      rows: word ids.
    """
    pooling = [layer for layer in model.layers if isinstance(layer, MaskedPooling)][-1]
    network = keras.Model(model.input, pooling.output)
    batches = Batches(rows, np.arange(len(rows)), batch_size=64)
    parts = [batches.take(index) for index in batches.sorted_order()]
    order = np.concatenate([places for _, places in parts])
    states = np.concatenate([network.predict_on_batch(ids) for ids, _ in parts])
    return states[np.argsort(order)]


def decide(
    states: np.ndarray, tfidf: sparse.csr_matrix, labels: Sequence[str], known: float
) -> Start:
    """Compares linear models on states and on TF-IDF by cross-validation on training rows.

    Args:
      states: float `(rows, units)`.
      tfidf: `(rows, n-grams)`.
      labels: class names.
      known: share of the words that the packed network knows; recorded only.
    """
    classes, truth, counts = np.unique(labels, return_inverse=True, return_counts=True)
    rare = bool(counts.min() < RARE * len(truth))
    folds = range(wide.FOLDS if len(truth) <= wide.MANY_ROWS else 1)
    spread = states.std(axis=0)
    scaled = (states - states.mean(axis=0)) / np.where(spread > 0, spread, 1)
    right = {}
    for name, features, strengths, ratios in (
        ("states", scaled, STATE_STRENGTHS, False),
        ("tfidf", tfidf, wide.STRENGTHS, True),
    ):
        found = [
            wide.held_out(
                features, truth, len(classes), strength, folds, balanced=rare, ratios=ratios
            )
            for strength in strengths
        ]
        weights = len(truth) / (len(classes) * counts) if rare else np.ones(len(classes))
        losses = [
            np.mean(wide.cross_entropies(logits, seen) * weights[seen]) for logits, seen in found
        ]
        logits, seen = found[int(np.argmin(losses))]
        # With weights, the mean is that of the classes' recalls.
        right[name] = (logits.argmax(axis=1) == seen) * weights[seen] / weights[seen].mean()
    gain, error = _mean(right["states"] - right["tfidf"])
    means = {name: _mean(values) for name, values in right.items()}
    shown = {name: f"{mean:.2f} ± {spread:.2f}" for name, (mean, spread) in means.items()}
    score = "mean recall of the classes" if rare else "accuracy"
    part = f"{len(folds)} folds" if len(folds) > 1 else "a fifth"
    start = bool(gain > error)
    reason = (
        f"on {part} of the training rows, a linear model of its states has a{'n' * (not rare)} "
        f"{score} of {shown['states']}, one of TF-IDF {shown['tfidf']}"
    )
    facts: dict[str, str | float] = {
        "score": score,
        **{name: mean for name, (mean, _) in means.items()},
        "gain": gain,
        "standard_error": error,
        "known": known,
    }
    return Start(start, reason, facts)


def _mean(values: np.ndarray) -> tuple[float, float]:
    """Returns the mean and its standard error."""
    spread = values.std(ddof=1) if len(values) > 1 else np.inf
    return float(values.mean()), float(spread / np.sqrt(len(values)))
