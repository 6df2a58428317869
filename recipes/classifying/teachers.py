"""Linear teacher: networks learn its knowledge of words from its answers on more texts.

Log-count ratios of naive Bayes times logistic regression on words, pairs and triples (Wang &
Manning 2012; Mesnil et al.: Ensemble of Generative and Discriminative Techniques for Sentiment
Analysis of Movie Reviews, ICLR 2015 workshop). One-vs-rest for more than two classes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from scipy import sparse
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression

from recipes.classifying.baselines import against_the_rest, ngrams, scaled
from zoo.data import Examples, Splits
from zoo.errors import ZooError

LONGEST = 3  # words of an n-gram
STRENGTHS = (1.0, 0.3, 3.0, 10.0)  # values of C, the inverse of the L2 regularisation


def fit_linear(splits: Splits) -> Callable[[Examples], list[dict[str, object]]]:
    """Fits the classifier on the training rows; the validation rows choose its strength.

    It does not use labels of validation rows otherwise, so that they can be used for its students.

    Args:
      splits: columns `text` and `label`; the test split is not read.

    Returns:
      A function of examples that returns a dict per row: `label`, `score` and `probabilities`,
      class name to number.

    Raises:
      ZooError: fewer than two classes, or no word in any text.
    """
    labels = np.array(splits.train["label"])
    classes = sorted(set(splits.train["label"]))
    if len(classes) < 2:
        raise ZooError("A classifier needs training rows of at least two classes; add some.")
    vectoriser = CountVectorizer(analyzer=_ngrams, dtype=np.float64)
    try:
        train = vectoriser.fit_transform(splits.train["text"])
    except ValueError:  # an empty vocabulary: the only error that these arguments can cause
        raise ZooError("No training text has a word in it; check the text column.") from None
    validation = vectoriser.transform(splits.validation["text"])
    truth = np.array(splits.validation["label"], dtype=str)

    parts = [*against_the_rest(train, labels)]

    def fit(strength: float) -> list[LogisticRegression]:
        return [_regression(strength).fit(features, truth) for _, features, truth in parts]

    def probabilities(
        models: Sequence[LogisticRegression], counts: sparse.csr_matrix
    ) -> np.ndarray:
        """Returns float64 `(rows, classes)`."""
        columns = [
            model.predict_proba(scaled(counts, ratio))[:, 1]
            for model, (ratio, _, _) in zip(models, parts, strict=True)
        ]
        if len(columns) == 1:
            return np.stack([1 - columns[0], columns[0]], axis=1)
        stacked = np.stack(columns, axis=1)
        return stacked / stacked.sum(axis=1, keepdims=True)

    best, least = fit(STRENGTHS[0]), np.inf
    for strength in STRENGTHS if len(truth) else ():
        models = fit(strength)
        # By cross-entropy: a teacher's probabilities matter, not only its decisions.
        scores = probabilities(models, validation)
        right = scores[np.arange(len(truth)), np.searchsorted(classes, truth)]
        loss = -np.log(np.maximum(right, 1e-12)).mean()
        if loss < least:
            best, least = models, loss

    def answer(examples: Examples) -> list[dict[str, object]]:
        scores = probabilities(best, vectoriser.transform(examples["text"]))
        return [
            {
                "label": classes[int(row.argmax())],
                "score": float(row.max()),
                "probabilities": dict(zip(classes, row.tolist(), strict=True)),
            }
            for row in scores
        ]

    return answer


def _ngrams(text: str) -> list[str]:
    return ngrams(text, LONGEST)


def _regression(strength: float) -> LogisticRegression:
    return LogisticRegression(C=strength, solver="liblinear", dual=True, tol=0.1, random_state=0)
