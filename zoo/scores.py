"""What is measured, and which way is better: `Metric`, `Monitor` and `Scores`.

Standard library only: recipe pages import this at their top.

In JSON (`metrics.json`, `results/`, `zoo evaluate --json`) scores are one flat object, today as in
files of earlier versions:

    {"accuracy": 0.9, "rows": 100,                           values
     "per_class": {"good": {"f1": 0.8, "support": 50}, …},   each table, under its name
     "confusion": [[40, 10], [3, 47]],                       rows: the true class
     "signature": {"bleu": "nrefs:1|case:mixed|…"}}          how a value was computed

`labels` of the confusion matrix are stored only where no table has them as its rows.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from zoo.errors import ZooError

Direction = Literal["higher", "lower"]
Number = float | int
Table = dict[str, dict[str, Number]]  # row to column to number

RESERVED = ("confusion", "labels", "signature")  # keys that are neither values nor tables in JSON


@dataclasses.dataclass(frozen=True)
class _Directed:
    """A number that has a name, and a direction in which it improves."""

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
          best: the best score so far; None if there is none yet, which any score improves.
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
            raise ValueError("There are no scores, so none is the best.")
        found = 0
        for index, score in enumerate(scores):
            if self.improved(score, scores[found]):
                found = index
        return found

    def sort_key(self, score: float) -> float:
        """Returns a key by which the best score is sorted first."""
        return score if self.better == "lower" else -score


@dataclasses.dataclass(frozen=True)
class Metric(_Directed):
    """The score that the field quotes.

    Attributes:
      name: key of a value of the `Scores` that `evaluate` returns.
      better: `"higher"` or `"lower"`.
      format: format specification in which people read it, such as `".4f"` or `".2%"`.

    Raises:
      ValueError: another direction.
    """

    format: str = ".4f"

    def text(self, score: float) -> str:
        """Returns a score as people read it; below a thousandth, with two significant digits."""
        if self.format.endswith("f") and 0 < abs(score) < 1e-3:
            return f"{score:.1e}"
        return format(score, self.format)


@dataclasses.dataclass(frozen=True)
class Monitor(_Directed):
    """The validation log that picks the best epoch.

    Attributes:
      name: key of Keras' logs after an epoch, such as `"val_loss"`.
      better: `"higher"` or `"lower"`.

    Raises:
      ValueError: another direction.
    """


@dataclasses.dataclass(frozen=True)
class ConfusionMatrix:
    """Counts of rows by true and predicted class.

    Attributes:
      labels: class names, in the order of rows and columns.
      matrix: int `(classes, classes)`, nested lists; a row for each true class, a column for each
        predicted one.

    Raises:
      ValueError: the matrix is not of that shape.
    """

    labels: list[str]
    matrix: list[list[int]]

    def __post_init__(self) -> None:
        size = len(self.labels)
        if [len(row) for row in self.matrix] != [size] * size:
            raise ValueError(f"A confusion matrix of {size} labels must be {size} by {size}.")


@dataclasses.dataclass(frozen=True)
class Scores:
    """What an evaluation measured. `scores["accuracy"]` is one of its values.

    Attributes:
      values: name to number.
      tables: name to a table: row name to column name to number. A name like `"per_class"` says
        what a row is; the heading is then "class". Rows may lack columns.
      confusion: the confusion matrix of a classifier.
      signatures: name of a value to the line that says exactly how it was computed, such as
        sacrebleu's.

    Raises:
      ZooError: a value is not an int or a float, or a name is taken twice.
    """

    values: dict[str, Number]
    tables: dict[str, Table] = dataclasses.field(default_factory=dict)
    confusion: ConfusionMatrix | None = None
    signatures: dict[str, str] = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        twice = [name for name in self.values if name in self.tables]
        twice += [name for name in (*self.values, *self.tables) if name in RESERVED]
        if twice:
            raise ZooError(f"Scores cannot have a value or a table {twice[0]!r}: rename it.")
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
        """Returns the flat object that the module's docstring describes."""
        found: dict[str, Any] = {**self.values, **self.tables}
        if self.confusion:
            found["confusion"] = self.confusion.matrix
            if _labels(self.confusion.matrix, self.tables) != self.confusion.labels:
                found["labels"] = self.confusion.labels
        if self.signatures:
            found["signature"] = self.signatures
        return found

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Scores:
        """Reads what `to_json` wrote, or an earlier version; what is no score is ignored."""
        free = {name: value for name, value in stored.items() if name not in RESERVED}
        tables = {name: value for name, value in free.items() if _is_table(value)}
        matrix, confusion = stored.get("confusion"), None
        if matrix:
            labels = stored.get("labels") or _labels(matrix, tables)
            confusion = ConfusionMatrix(labels, matrix)
        return cls(
            values={name: value for name, value in free.items() if isinstance(value, int | float)},
            tables=tables,
            confusion=confusion,
            signatures=stored.get("signature", {}),
        )


def heading(table: str) -> str:
    """Returns what stands above the row names of a table: `"class"` for `"per_class"`."""
    return table.removeprefix("per_").replace("_", " ")


def _is_table(value: Any) -> bool:
    return isinstance(value, dict) and all(
        isinstance(row, dict) and all(isinstance(cell, int | float) for cell in row.values())
        for row in value.values()
    )


def _labels(matrix: Sequence[Sequence[int]], tables: Mapping[str, Table]) -> list[str]:
    """Returns the rows of the first table of as many, or else numbers."""
    for rows in tables.values():
        if len(rows) == len(matrix):
            return [*rows]
    return [str(number) for number in range(len(matrix))]
