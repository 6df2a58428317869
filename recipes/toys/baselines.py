"""Simple classifiers of vectors: the most frequent class, a linear model, the nearest neighbour.

Baselines for networks on small inputs of fixed size, such as 8×8 images.
"""

from __future__ import annotations

from collections import Counter

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from zoo import metrics
from zoo.data import Examples
from zoo.scores import Scores


def vector_baselines(
    train: Examples, validation: Examples, test: Examples, vector: str, label: str = "label"
) -> dict[str, Scores]:
    """Fits classifiers of vectors on train and validation, and scores them on the test split.

    Args:
      train, validation, test: columns `vector` (numbers, in nested lists of one shape) and `label`
        (class names).
      vector, label: names of these columns.

    Returns:
      `majority`, `linear` (logistic regression of the standardised numbers) and
      `nearest-neighbour` (the class of the row with the least Euclidean distance), each to a
      `zoo.metrics.classification`.
    """
    known_labels = [*train[label], *validation[label]]
    x = _flat([*train[vector], *validation[vector]])
    test_x = _flat(test[vector])
    labels = sorted(set(train[label]))
    predictions = {"majority": [Counter(known_labels).most_common(1)[0][0]] * len(test[label])}
    methods = {
        "linear": make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000)),
        "nearest-neighbour": KNeighborsClassifier(n_neighbors=1),
    }
    for name, method in methods.items():
        predictions[name] = method.fit(x, known_labels).predict(test_x).tolist()
    return {
        name: metrics.classification(test[label], predicted, labels)
        for name, predicted in predictions.items()
    }


def _flat(rows: list) -> np.ndarray:
    """Returns `(rows, numbers)`."""
    return np.array(rows, float).reshape(len(rows), -1)
