"""Scores and their direction (higher or lower is better): `Metric`, `Monitor` and `Scores`.

Standard library only: recipe pages import this at their top.

In JSON (`metrics.json`, `results/`, `zoo evaluate --json`) scores are one flat object, also in
files of earlier versions:

    {"accuracy": 0.9, "rows": 100,                           values
     "per_class": {"good": {"f1": 0.8, "support": 50}, …},   each table, under its name
     "confusion": [[40, 10], [3, 47]],                       rows: the true class
     "signature": {"bleu": "nrefs:1|case:mixed|…"}}          how a value was computed

`labels` of the confusion matrix are stored only if no table has them as its rows.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from zoo.errors import ZooError, quoted

if TYPE_CHECKING:
    from zoo.metrics.intervals import Units

Direction = Literal["higher", "lower"]
Number = float | int
Table = dict[str, dict[str, Number]]  # row to column to number

RESERVED = ("confusion", "labels", "signature")  # keys that are neither values nor tables in JSON


@dataclasses.dataclass(frozen=True)
class _Directed:
    """A named number and the direction in which it improves."""

    name: str
    better: Direction

    def __post_init__(self) -> None:
        if self.better not in ("higher", "lower"):
            raise ValueError(
                f"{type(self).__name__}({self.name!r}) has the direction better={self.better!r}; "
                'write better="higher" or better="lower".'
            )

    def improved(self, new: float, best: float | None) -> bool:
        """Returns whether `new` is better than `best`. NaN is worse than any number.

        Args:
          new: a score.
          best: the best score so far; None if there is none yet, so that any score is better.
        """
        if best is None:
            return True
        if new != new or best != best:
            return new == new
        return new < best if self.better == "lower" else new > best

    def best(self, scores: Sequence[float]) -> int:
        """Returns the index of the best score, the first of equals.

        Raises:
          ValueError: there are no scores.
        """
        if not scores:
            raise ValueError("There are no scores to choose the best from.")
        best = 0
        for index, score in enumerate(scores):
            if self.improved(score, scores[best]):
                best = index
        return best

    def sort_key(self, score: float) -> float:
        """Returns a sort key that puts the best score first."""
        return score if self.better == "lower" else -score


@dataclasses.dataclass(frozen=True)
class Metric(_Directed):
    """The main score of a recipe, as usually reported for its task.

    Attributes:
      name: key of a value of the `Scores` that `evaluate` returns.
      better: `"higher"` or `"lower"`.
      format: format specification for display, such as `".4f"` or `".2%"`.

    Raises:
      ValueError: an unknown direction.
    """

    format: str = ".4f"

    def text(self, score: float) -> str:
        """Returns a score as text; below 0.001 with two significant digits."""
        if self.format.endswith("f") and 0 < abs(score) < 1e-3:
            return f"{score:.1e}"
        return format(score, self.format)


@dataclasses.dataclass(frozen=True)
class Monitor(_Directed):
    """The validation value that selects the best epoch.

    Attributes:
      name: key in Keras' logs of an epoch, such as `"val_loss"`.
      better: `"higher"` or `"lower"`.

    Raises:
      ValueError: an unknown direction.
    """


@dataclasses.dataclass(frozen=True)
class ConfusionMatrix:
    """Counts of rows by true and predicted class.

    Attributes:
      labels: class names, in the order of rows and columns.
      matrix: int `(classes, classes)`, nested lists; one row per true class, one column per
        predicted class.

    Raises:
      ValueError: the matrix has another shape.
    """

    labels: list[str]
    matrix: list[list[int]]

    def __post_init__(self) -> None:
        size = len(self.labels)
        if [len(row) for row in self.matrix] != [size] * size:
            raise ValueError(f"A confusion matrix of {size} labels must be {size} by {size}.")


@dataclasses.dataclass(frozen=True)
class Scores:
    """Result of an evaluation. `scores["accuracy"]` is one of its values.

    Attributes:
      values: name to number.
      tables: name to a table: row name to column name to number. In a name like `"per_class"`,
        "class" is the heading of the rows. Rows may lack columns.
      confusion: the confusion matrix of a classifier.
      signatures: name of a value to a line that describes its exact computation, such as that of
        sacrebleu.
      units: name of a value to the units it was computed from, for its interval; not in JSON.

    Raises:
      ZooError: a value is not an int or a float, or a name is used twice.
    """

    values: dict[str, Number]
    tables: dict[str, Table] = dataclasses.field(default_factory=dict)
    confusion: ConfusionMatrix | None = None
    signatures: dict[str, str] = dataclasses.field(default_factory=dict)
    units: dict[str, Units] = dataclasses.field(default_factory=dict, compare=False, repr=False)

    def __post_init__(self) -> None:
        conflicts = [name for name in self.values if name in self.tables]
        conflicts += [name for name in (*self.values, *self.tables) if name in RESERVED]
        if conflicts:
            raise ZooError(f"Scores cannot have a value or a table {conflicts[0]!r}: rename it.")
        cells = [*self.values.items()]
        for rows in self.tables.values():
            cells += [cell for row in rows.values() for cell in row.items()]
        for name, value in cells:
            if not isinstance(value, int | float):
                raise ZooError(
                    f"Score {name!r} is of type {type(value).__name__}; "
                    "scores are of type int or float: convert it."
                )

    def __getitem__(self, name: str) -> Number:
        return self.values[name]

    def to_json(self) -> dict[str, Any]:
        """Returns the flat object that the docstring of the module describes."""
        result: dict[str, Any] = {**self.values, **self.tables}
        if self.confusion:
            result["confusion"] = self.confusion.matrix
            if _labels(self.confusion.matrix, self.tables) != self.confusion.labels:
                result["labels"] = self.confusion.labels
        if self.signatures:
            result["signature"] = self.signatures
        return result

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Scores:
        """Reads the result of `to_json`, also of earlier versions; other keys are ignored."""
        scores = {name: value for name, value in stored.items() if name not in RESERVED}
        tables = {name: value for name, value in scores.items() if _is_table(value)}
        matrix, confusion = stored.get("confusion"), None
        if matrix:
            labels = stored.get("labels") or _labels(matrix, tables)
            confusion = ConfusionMatrix(labels, matrix)
        return cls(
            values={
                name: value for name, value in scores.items() if isinstance(value, int | float)
            },
            tables=tables,
            confusion=confusion,
            signatures=stored.get("signature", {}),
        )


def evenness(scores: Scores) -> list[str]:
    """Returns lines on how evenly a classifier treats its classes; none for other scores.

    These are the mean F1 of the classes, the recall of the rarest class, and a warning if it always
    predicts the same class.
    """
    classes = scores.tables.get("per_class", {})
    present = {name: row for name, row in classes.items() if row.get("support")}
    if not scores.confusion or "macro_f1" not in scores.values or len(present) < 2:
        return []
    rarest = min(present, key=lambda name: present[name]["support"])
    row = present[rarest]
    rows = f"{row['support']:,} row{'s' * (row['support'] != 1)}"
    lines = [
        f"macro-F1 {scores['macro_f1']:.4f}; recall of the rarest class {quoted(rarest, 40)} "
        f"({rows}) {row['recall']:.4f}"
    ]
    if warning := one_class(scores):
        lines.append(f"warning: {warning}")
    return lines


def one_class(scores: Scores) -> str:
    """Returns a warning if a classifier predicts the same class for every row; else `""`."""
    if not scores.confusion or sum(map(any, scores.confusion.matrix)) < 2:
        return ""
    columns = zip(*scores.confusion.matrix, strict=True)
    answered = [
        name for name, rows in zip(scores.confusion.labels, columns, strict=True) if any(rows)
    ]
    if len(answered) != 1:
        return ""
    return (
        f"it answers {quoted(answered[0], 40)} to every row. Train longer (--epochs), weight the "
        "classes (--class-weight balanced), or give more rows of the others."
    )


def heading(table: str) -> str:
    """Returns the heading of the row names of a table: `"class"` for `"per_class"`."""
    return table.removeprefix("per_").replace("_", " ")


def _is_table(value: Any) -> bool:
    return isinstance(value, dict) and all(
        isinstance(row, dict) and all(isinstance(cell, int | float) for cell in row.values())
        for row in value.values()
    )


def _labels(matrix: Sequence[Sequence[int]], tables: Mapping[str, Table]) -> list[str]:
    """Returns the row names of the first table with as many rows, or else numbers."""
    for rows in tables.values():
        if len(rows) == len(matrix):
            return [*rows]
    return [str(number) for number in range(len(matrix))]
