"""Scores of classifiers, by scikit-learn and SciPy."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from sklearn.metrics import precision_recall_fscore_support

from zoo.errors import ZooError
from zoo.metrics.intervals import shares
from zoo.scores import ConfusionMatrix, Scores


def classification(
    truth: Sequence[str],
    predicted: Sequence[str],
    labels: Sequence[str],
    confidence: Sequence[float] | None = None,
) -> Scores:
    """Scores predicted class names against the true ones.

    Args:
      truth: true class names, one per row.
      predicted: predicted class names, one per row.
      labels: all class names, in the order of the result.
      confidence: the probability of each prediction, if available.

    Returns:
      The values `accuracy`; `macro_f1`, the mean F1 of the classes that occur in `truth` or
      `predicted` (scikit-learn's default), both fractions of 1; `ece`, from
      `expected_calibration_error`, if `confidence` is given; and `rows`. The table
      `per_class`: label to `precision`, `recall`, `f1` (0 where undefined) and `support` (rows of
      that class). The confusion matrix of all `labels`.

    Raises:
      ZooError: no rows, unequal lengths, or a class name that is not in `labels`.
    """
    if len(truth) != len(predicted):
        raise ZooError(
            f"There are {len(predicted)} predictions for {len(truth)} rows; "
            "predict each row once, in the same order."
        )
    if not truth:
        raise ZooError("There are no rows to score; give at least one labelled row.")
    true, prediction = _codes(truth, labels, "label"), _codes(predicted, labels, "prediction")
    codes = range(len(labels))
    precision, recall, f1, support = precision_recall_fscore_support(
        true, prediction, labels=codes, zero_division=0.0
    )
    # Not sklearn's confusion_matrix: it warns about a single class even if `labels` has only one.
    confusion = np.zeros((len(labels), len(labels)), int)
    np.add.at(confusion, (true, prediction), 1)
    occurring = np.union1d(true, prediction)
    classes = {
        label: {
            "precision": float(precision[i]),
            "recall": float(recall[i]),
            "f1": float(f1[i]),
            "support": int(support[i]),
        }
        for i, label in enumerate(labels)
    }
    calibration = {}
    if confidence is not None:
        calibration["ece"] = expected_calibration_error(true == prediction, np.array(confidence))
    return Scores(
        values={
            "accuracy": float(np.mean(true == prediction)),
            "macro_f1": float(np.mean(f1[occurring])),
            **calibration,
            "rows": len(truth),
        },
        tables={"per_class": classes},
        confusion=ConfusionMatrix([*labels], confusion.tolist()),
        units={"accuracy": shares("rows", true == prediction)},
    )


def expected_calibration_error(
    correct: np.ndarray, confidence: np.ndarray, bins: int = 15
) -> float:
    """Returns the expected calibration error of predicted probabilities.

    The mean over bins of equal width of |accuracy - mean confidence|, weighted by their rows
    (Guo, Pleiss, Sun & Weinberger: On Calibration of Modern Neural Networks, ICML 2017).

    Args:
      correct: whether each prediction is right, bool `(rows,)`.
      confidence: probability of each prediction, float `(rows,)`, 0 to 1.
      bins: number of bins.
    """
    place = np.clip(np.ceil(confidence * bins).astype(int) - 1, 0, bins - 1)
    difference = np.bincount(place, correct - np.asarray(confidence, "float64"), bins)
    return float(np.abs(difference).sum() / len(correct))


def _codes(names: Sequence[str], labels: Sequence[str], what: str) -> np.ndarray:
    """Returns the position of each name in `labels`: int array of shape (rows,)."""
    position = {label: i for i, label in enumerate(labels)}
    unknown: dict[str, list[int]] = {}
    for row, name in enumerate(names, start=1):
        if name not in position:
            unknown.setdefault(name, []).append(row)
    if unknown:
        description = "; ".join(
            f"{name!r} in row{'s' if len(rows) > 1 else ''} {_some(rows)}"
            for name, rows in list(unknown.items())[:5]
        )
        if len(unknown) > 5:
            description += f"; and {len(unknown) - 5} more"
        raise ZooError(
            f"Unknown {what} {description}. Known are: {_some(labels)}. Correct or remove these "
            "rows."
        )
    return np.array([position[name] for name in names])


def _some(values: Sequence[object], limit: int = 10) -> str:
    """Returns the first few values, and the number of the others."""
    first = ", ".join(map(str, values[:limit]))
    return first + (f" and {len(values) - limit} more" if len(values) > limit else "")
