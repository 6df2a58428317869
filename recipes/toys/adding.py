"""The adding problem: generated from random numbers of a fixed seed.

S. Hochreiter, J. Schmidhuber: Long Short-Term Memory, Neural Computation 9(8), 1997, experiment 4,
in the form of Q. Le, N. Jaitly, G. Hinton: A Simple Way to Initialize Recurrent Networks of
Rectified Linear Units, 2015: numbers uniform between 0 and 1, all sequences equally long, one mark
in the first half and one in the second.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from zoo.data import Dataset, Examples, GeneratedSource
from zoo.errors import ZooError

if TYPE_CHECKING:
    from zoo.data import Splits
    from zoo.data.reading import Reading

ROWS = {"train": 20_000, "validation": 1_000, "test": 2_000}
SEED = 1997
DIGITS = 10_000  # numbers are positive multiples of 1/10,000: exact as text, never 0 (padding)


def make(length: int) -> tuple[dict[str, Examples], list[str]]:
    """Returns all splits, the same on every machine: sequences of `length` numbers."""
    import numpy as np

    parts = {}
    for number, (name, rows) in enumerate(ROWS.items()):
        # RandomState is the generator whose sequence NumPy promises to keep.
        random = np.random.RandomState([SEED, length, number])
        numbers = random.randint(1, DIGITS + 1, (rows, length)) / DIGITS  # (rows, time)
        markers = np.zeros((rows, length), "int8")
        first = random.randint(0, length // 2, rows)
        second = random.randint(length // 2, length, rows)
        for half in (first, second):
            markers[np.arange(rows), half] = 1
        parts[name] = {
            "numbers": list(numbers),
            "markers": list(markers),
            "sum": (numbers * markers).sum(axis=1).round(4).tolist(),
        }
    return parts, ["made by a program: there is no other data to measure on"]


def sample() -> Examples:
    """Returns sequences of 4 to 8 numbers."""
    import random

    generator = random.Random(SEED)
    examples: Examples = {"numbers": [], "markers": [], "sum": []}
    for row in range(10):
        length = 4 + row % 5
        numbers = [math.ceil(generator.random() * 100) / 100 for _ in range(length)]
        marked = (int(generator.random() * 2), 2 + int(generator.random() * (length - 2)))
        examples["numbers"].append(numbers)
        examples["markers"].append([float(position in marked) for position in range(length)])
        examples["sum"].append(round(sum(numbers[position] for position in marked), 4))
    return examples


def read_custom(
    path: Path, columns: Mapping[str, str] | None = None, *, reading: Reading | None = None
) -> Examples:
    """Reads a JSONL file: `{"numbers": [0.5, …], "markers": [0, 1, …]}` on each line.

    The sum is computed.

    Raises:
      UsageError: no such file.
      ZooError: some lines are invalid; the message names their numbers.
    """
    from zoo.data import tables
    from zoo.data.reading import Reading

    reading, wrong = reading or Reading(), []
    keys = [(columns or {}).get(name, name) for name in ("numbers", "markers")]
    examples: Examples = {"numbers": [], "markers": [], "sum": []}
    for number, row in tables.json_lines(path, reading):
        try:
            numbers, markers = (_floats(row[key]) for key in keys)
            valid = 0 < len(numbers) == len(markers) and {*markers} <= {0, 1}
        except (ValueError, KeyError, TypeError):
            valid = False
        if not valid:
            wrong.append(number)
            continue
        examples["numbers"].append(numbers)
        examples["markers"].append(markers)
        examples["sum"].append(sum(n * m for n, m in zip(numbers, markers, strict=True)))
    lists = f"{keys[0]!r}, a list of numbers, and {keys[1]!r}, as many 0s and 1s"
    reading.omit(path, f"is not an object with {lists}", wrong)
    if not examples["sum"]:
        raise ZooError(f"{path} has no line that can be used.")
    return examples


def in_memory(examples: Examples) -> Examples:
    """Checks columns in memory: as many markers as numbers.

    Raises:
      ZooError: a row has more of one than of the other, or none.
    """
    pairs = zip(examples.get("numbers", []), examples.get("markers", []), strict=False)
    for row, (numbers, markers) in enumerate(pairs):
        if not 0 < len(numbers) == len(markers) or not {*markers} <= {0, 1}:
            raise ZooError(
                f"Row {row} of the data: it needs as many 'markers', 0 or 1, as 'numbers', and at "
                "least one."
            )
    return examples


def _floats(values: Sequence) -> list[float]:
    floats = [float(value) for value in values]
    if not all(map(math.isfinite, floats)):
        raise ValueError
    return floats


def facts(splits: Splits) -> list[str]:
    from recipes.toys.facts import of_numbers

    return of_numbers(splits)


@functools.cache
def adding(length: int) -> Dataset:
    """Returns the problem of that length."""
    return Dataset(
        name="adding",
        title="The adding problem: sum two marked numbers of many",
        homepage="https://doi.org/10.1162/neco.1997.9.8.1735",
        licence="none needed: random numbers",
        columns={
            "numbers": "uniform between 0 and 1, as many as the sequence is long",
            "markers": "as many, 0 but for two that are 1",
            "sum": "of the two numbers whose marker is 1",
        },
        sources=(
            GeneratedSource(
                functools.partial(make, length),
                title=f"adding problem, T = {length} (made by a fixed seed)",
            ),
        ),
        sample=sample,
        label="",
        deduplicate_by="",
        facts=facts,
        reader=read_custom,
        in_memory=in_memory,
        suffixes=(".jsonl",),
    )
