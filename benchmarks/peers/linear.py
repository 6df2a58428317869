"""Logistic regression on the presence of word n-grams, scaled by their log-count ratios.

S. Wang, C. D. Manning: Baselines and Bigrams: Simple, Good Sentiment and Topic Classification, ACL
2012; with logistic regression as in Mesnil et al., ICLR 2015 workshop. One-vs-rest for more than
two classes. Unlike the linear teacher (`recipes.classifying.teachers`), it only has to decide: the
accuracy on the validation split chooses its strength, and it has no probabilities.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

STRENGTHS = (0.3, 1.0, 3.0, 10.0)  # values of C, the inverse of the L2 regularisation


def train(
    splits: Any, folder: Path, seed: int, until: float | None, *, words: int = 2
) -> dict[str, Any]:
    """Trains on the training split; the validation split chooses C from `STRENGTHS`."""
    import joblib
    from sklearn.feature_extraction.text import CountVectorizer
    from sklearn.linear_model import LogisticRegression

    from recipes.classifying.baselines import against_the_rest

    vectoriser = CountVectorizer(analyzer=_analyser(words), dtype=np.float64)
    counts = vectoriser.fit_transform(splits.train["text"])
    held_out = vectoriser.transform(splits.validation["text"])
    labels, truth = (np.array(part["label"]) for part in (splits.train, splits.validation))
    classes = sorted(set(labels))
    rows = [*against_the_rest(counts, labels)]
    scores, kept = {}, {}
    for strength in STRENGTHS:
        parts = []
        for ratio, features, positive in rows:
            model = LogisticRegression(C=strength, solver="liblinear", tol=0.01)
            model.fit(features, positive)
            parts.append((ratio * model.coef_[0], model.intercept_[0]))
        weights = np.stack([part for part, _ in parts], axis=1)
        bias = np.array([part for _, part in parts])
        kept[strength] = weights.astype("float32"), bias
        scores[strength] = np.mean(_choose(held_out, weights, bias, classes) == truth)
    best = max(scores, key=lambda strength: scores[strength])
    saved = {
        "words": words,
        "vocabulary": vectoriser.vocabulary_,
        "weights": kept[best][0],
        "bias": kept[best][1],
        "classes": classes,
    }
    joblib.dump(saved, folder / "model.joblib")
    return {"strength": best, "validation": float(scores[best])}


def _analyser(words: int) -> Callable[[str], list[str]]:
    from recipes.classifying.baselines import ngrams

    return lambda text: ngrams(text, words)


def _choose(counts: Any, weights: np.ndarray, bias: np.ndarray, classes: list[str]) -> np.ndarray:
    """Returns the class of each row of `counts`, `(rows, n-grams)`."""
    scores = (counts > 0).astype(weights.dtype) @ weights + bias
    if len(classes) == 2:
        return np.array(classes)[(scores[:, 0] > 0).astype(int)]
    return np.array(classes)[np.argmax(scores, axis=1)]


def load(folder: Path) -> Callable[[Mapping[str, Sequence[Any]]], list[Any]]:
    import joblib
    from sklearn.feature_extraction.text import CountVectorizer

    saved = joblib.load(folder / "model.joblib")
    vectoriser = CountVectorizer(
        analyzer=_analyser(saved["words"]), vocabulary=saved["vocabulary"], dtype=np.float32
    )

    def answer(examples: Mapping[str, Sequence[Any]]) -> list[Any]:
        counts = vectoriser.transform(examples["text"])
        return _choose(counts, saved["weights"], saved["bias"], saved["classes"]).tolist()

    return answer
