"""Linear text classifiers on counts of words and word pairs.

Baselines for recurrent networks: they train in seconds and ignore word order beyond word pairs.
Their settings are chosen on the validation split; they are then fitted on the training and
validation splits together, and use the test split once. Results are deterministic.
"""

from __future__ import annotations

import collections
import itertools
import re
from collections.abc import Iterator, Sequence

import numpy as np
from scipy import sparse
from sklearn.feature_extraction.text import CountVectorizer, TfidfTransformer
from sklearn.linear_model import LogisticRegression
from sklearn.svm import LinearSVC

from zoo import metrics
from zoo.data import Examples
from zoo.errors import ZooError
from zoo.scores import Scores

_TAG = re.compile(r"</?[a-z][^<>]*>")
# Scripts without spaces between words: each character is a token, and pairs stand for words.
_UNSPACED = (
    r"\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
)
# Marks inside words (accents, Hebrew, Arabic and Indic vowel signs) that \w does not match.
_MARKS = (
    r"\u0300-\u036f\u0591-\u05c7\u0610-\u061a\u064b-\u065f\u0900-\u0903\u093a-\u0963\u0981-\u0dff"
)
_WORD = rf"[^\W{_UNSPACED}]"
_TOKEN = re.compile(rf"{_WORD}+(?:[{_MARKS}]+{_WORD}*)*|\S")

# n-grams that TF-IDF keeps, the most frequent ones: limits the memory with many classes.
_MAX_NGRAMS = 500_000


def linear_baselines(
    train: Examples,
    validation: Examples,
    test: Examples,
    text: str = "text",
    label: str = "label",
) -> dict[str, Scores]:
    """Scores the linear baselines, and the most frequent class, on the test split.

    Args:
      train, validation, test: columns `text` and `label` (class names); `validation` may be
        empty, then each method uses its first setting.
      text, label: names of these columns.

    Returns:
      `majority`, `tfidf-linear` and `nbsvm-bigram`, each to a `zoo.metrics.classification`.

    Raises:
      ZooError: fewer than two classes to learn, no word in any text, or no test rows.
    """
    known_labels = [*train[label], *validation[label]]
    if len(set(train[label])) < 2:
        raise ZooError("A classifier needs training rows of at least two classes; add some.")
    counts, test_counts = count_ngrams([*train[text], *validation[text]], test[text])
    split = len(train[text])
    train_counts, validation_counts = counts[:split], counts[split:]
    frequent = collections.Counter(sorted(known_labels)).most_common(1)[0][0]
    predictions = {
        "majority": [frequent] * len(test[text]),
        "tfidf-linear": tfidf_linear(
            train_counts, train[label], validation_counts, validation[label], test_counts
        ),
        "nbsvm-bigram": nbsvm(
            train_counts, train[label], validation_counts, validation[label], test_counts
        ),
    }
    labels = sorted({*known_labels, *test[label]})
    return {
        name: metrics.classification(test[label], predicted, labels)
        for name, predicted in predictions.items()
    }


def ngrams(text: str, longest: int = 2) -> list[str]:
    """Returns the words and punctuation marks of a text, lower-cased, and all pairs in a row.

    With `longest` 3, all triples too, and so on.

    HTML tags are dropped; punctuation is kept, because `! !` and `? ?` express opinions too.
    """
    words = _TOKEN.findall(_TAG.sub(" ", text.lower()))
    levels = [words]
    for _ in range(longest - 1):
        levels.append([f"{a} {b}" for a, b in zip(levels[-1], words[len(levels) :], strict=False)])
    return list(itertools.chain(*levels))


def count_ngrams(
    train: Sequence[str], test: Sequence[str]
) -> tuple[sparse.csr_matrix, sparse.csr_matrix]:
    """Counts the n-grams of the training texts, in both.

    Returns:
      float64 matrices `(rows, n-grams)`, with one column for each n-gram of `train`.

    Raises:
      ZooError: `train` has no word at all.
    """
    vectoriser = CountVectorizer(analyzer=ngrams, dtype=np.float64)
    try:
        return vectoriser.fit_transform(train), vectoriser.transform(test)
    except ValueError:  # an empty vocabulary: the only error that these arguments can cause
        raise ZooError("No training text has a word in it; check the text column.") from None


def tfidf_linear(
    train: sparse.csr_matrix,
    train_labels: Sequence[str],
    validation: sparse.csr_matrix,
    validation_labels: Sequence[str],
    test: sparse.csr_matrix,
    strengths: Sequence[float] = (10.0, 1.0, 100.0),
) -> list[str]:
    """TF-IDF with logarithmic term frequency, and multinomial logistic regression.

    Args:
      train, validation, test: counts `(rows, n-grams)`.
      train_labels, validation_labels: class names.
      strengths: values of C, the inverse of the L2 regularisation; the best on the validation
        split is used, the first of equals.

    Returns:
      A class name for each row of `test`.
    """

    def predict(
        counts: sparse.csr_matrix, labels: np.ndarray, c: float, rows: sparse.csr_matrix
    ) -> np.ndarray:
        common = np.sort(np.argsort(-counts.getnnz(axis=0), kind="stable")[:_MAX_NGRAMS])
        weighting = TfidfTransformer(sublinear_tf=True)
        features = weighting.fit_transform(counts[:, common])
        model = LogisticRegression(C=c, max_iter=1000).fit(features, labels)
        return model.predict(weighting.transform(rows[:, common]))

    labels, truth = np.array(train_labels), np.array(validation_labels, dtype=str)
    seen = train.getnnz(axis=0) > 0  # without n-grams of the validation split alone
    right = {
        c: np.sum(predict(train[:, seen], labels, c, validation[:, seen]) == truth)
        if len(truth)
        else 0
        for c in strengths
    }
    best = max(right, key=lambda c: right[c])
    both = sparse.vstack([train, validation], format="csr")
    return predict(both, np.concatenate([labels, truth]), best, test).tolist()


def nbsvm(
    train: sparse.csr_matrix,
    train_labels: Sequence[str],
    validation: sparse.csr_matrix,
    validation_labels: Sequence[str],
    test: sparse.csr_matrix,
    strengths: Sequence[float] = (0.1, 0.01, 1.0),
    interpolations: Sequence[float] = (1.0, 0.75, 0.5, 0.25),
) -> list[str]:
    """NB-SVM: a linear SVM on presences scaled by naive Bayes' log-count ratios.

    S. Wang, C. D. Manning, "Baselines and Bigrams: Simple, Good Sentiment and Topic
    Classification", ACL 2012. The weights w of the SVM are interpolated with naive Bayes:
    w' = (1 - beta) mean|w| + beta w. More than two classes: one-vs-rest.

    Args:
      train, validation, test: counts `(rows, n-grams)`.
      train_labels, validation_labels: class names.
      strengths: values of C, the inverse of the SVM's L2 regularisation.
      interpolations: values of beta. The best pair on the validation split is used, the
        first of equals.

    Returns:
      A class name for each row of `test`.
    """
    labels, truth = np.array(train_labels), np.array(validation_labels, dtype=str)
    best, most_right = (strengths[0], interpolations[0]), -1
    seen = train.getnnz(axis=0) > 0  # without n-grams of the validation split alone
    train_counts, validation_counts = train[:, seen], validation[:, seen]
    for c in strengths if len(truth) else ():
        model = _NBSVM(train_counts, labels, c)
        for beta in interpolations:
            right = int(np.sum(model.predict(validation_counts, beta) == truth))
            if right > most_right:
                best, most_right = (c, beta), right
    both = sparse.vstack([train, validation], format="csr")
    return _NBSVM(both, np.concatenate([labels, truth]), best[0]).predict(test, best[1]).tolist()


def log_count_ratio(
    counts: sparse.csr_matrix, positive: np.ndarray, smoothing: float = 1.0
) -> np.ndarray:
    """Returns r = log((p / |p|) / (q / |q|)) of each n-gram.

    p is `smoothing` plus the number of positive rows that have the n-gram, q the same of the
    other rows, and |p| the sum of p over all n-grams.

    Args:
      counts: `(rows, n-grams)`; only where they are not 0 matters.
      positive: bool `(rows,)`.

    Returns:
      float64 `(n-grams,)`.
    """
    p = smoothing + counts[positive].getnnz(axis=0)
    q = smoothing + counts[~positive].getnnz(axis=0)
    return np.log(p / p.sum()) - np.log(q / q.sum())


def against_the_rest(
    counts: sparse.csr_matrix, labels: np.ndarray
) -> Iterator[tuple[np.ndarray, sparse.csr_matrix, np.ndarray]]:
    """Yields what a linear model of one class against the rest learns from.

    Of two classes, only the second in the order of the alphabet is yielded.

    Args:
      counts: `(rows, n-grams)`.
      labels: class names `(rows,)`.

    Yields:
      The log-count ratios `(n-grams,)`, the matrix `scaled` by them, and where the class is: bool
      `(rows,)`.
    """
    classes = np.unique(labels)
    for name in classes if len(classes) > 2 else classes[1:]:
        positive = labels == name
        ratio = log_count_ratio(counts, positive)
        yield ratio, scaled(counts, ratio), positive


class _NBSVM:
    """One fitted classifier for two classes, or one for each of more classes."""

    def __init__(self, counts: sparse.csr_matrix, labels: np.ndarray, c: float) -> None:
        self.classes = np.unique(labels)
        self.parts = []
        for ratio, features, positive in against_the_rest(counts, labels):
            # tol: liblinear's own default; scikit-learn's is ten times slower and no better.
            svm = LinearSVC(C=c, tol=0.1, dual=True, random_state=0)
            svm.fit(features, positive)
            self.parts.append((ratio, svm.coef_[0], svm.intercept_[0]))

    def predict(self, counts: sparse.csr_matrix, beta: float) -> np.ndarray:
        scores = []
        for ratio, weights, bias in self.parts:
            interpolated = (1 - beta) * np.abs(weights).mean() + beta * weights
            scores.append(scaled(counts, ratio) @ interpolated + bias)
        if len(scores) == 1:
            return self.classes[(scores[0] > 0).astype(int)]
        return self.classes[np.argmax(scores, axis=0)]


def scaled(counts: sparse.csr_matrix, ratio: np.ndarray) -> sparse.csr_matrix:
    """Returns a matrix with the ratio of each n-gram where a row has it.

    It shares its indices with `counts`. They are sorted here, together with the counts, because
    scikit-learn sorts them in place, which would change all matrices that share them.
    """
    counts.sort_indices()
    return sparse.csr_matrix((ratio[counts.indices], counts.indices, counts.indptr), counts.shape)
