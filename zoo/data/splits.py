"""Splits of a dataset: drawing with a fixed seed, reduction, and fingerprints.

Light: importing this module imports neither TensorFlow nor pandas nor NumPy.
"""

from __future__ import annotations

import dataclasses
import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

from zoo.data.sources import Examples, Parts
from zoo.errors import UsageError, ZooError, quoted

SPLITS = ("train", "validation", "test")
SEED = 20110619  # of every split and of `tiny`; independent of the seed of training
TINY = {"train": 256, "validation": 64, "test": 128}
FRACTION = 0.1  # fraction of the rows for each of validation and test, if missing

Splitter: TypeAlias = Callable[[Examples, Mapping[str, float]], tuple[Parts, list[str]]]
"""Takes training rows, and name of a split to its fraction of them; returns these splits and the
remaining rows, `"train"`, and notes."""


@dataclasses.dataclass(frozen=True)
class Splits:
    """A loaded dataset.

    Attributes:
      train, validation, test: columns of equal length.
      dataset: name of the declaration; of custom data, the name of the file or folder, or
        `"in memory"`.
      source: the key of a source (`"tfds"`, `"wheel"`, …), `"sample"`, the path of custom data,
        or `"in memory"`.
      title: the printed and recorded name; states if the test split is not the official one.
      fingerprint: SHA-256 over every row of every split, in order.
      notes: how the splits were made, one line each, such as "96 duplicate texts dropped".
      licence: of the data, in words; empty for custom data.
      custom: whether the data are the user's, not from a source of the dataset.
    """

    train: Examples
    validation: Examples
    test: Examples
    dataset: str
    source: str
    title: str
    fingerprint: str
    notes: tuple[str, ...] = ()
    licence: str = ""
    custom: bool = False

    def describe(self) -> dict[str, Any]:
        """Returns the description that a run records, with numbers of rows instead of the rows."""
        return {
            "dataset": self.dataset,
            "source": self.source,
            "title": self.title,
            "rows": {name: count(getattr(self, name)) for name in SPLITS},
            "fingerprint": self.fingerprint,
            "notes": list(self.notes),
            "licence": self.licence,
        }


def complete(
    parts: Parts,
    title: str,
    *,
    label: str = "",
    group: str = "",
    deduplicate_by: str = "",
    identity: Callable[[Examples, int], bytes] | None = None,
    splitter: Splitter | None = None,
    validation: float = FRACTION,
    min_count: int = 0,
) -> tuple[Parts, list[str]]:
    """Draws the missing splits from the training rows.

    Args:
      parts: `"train"`, and perhaps `"validation"` and `"test"`.
      title: of the data, for messages.
      label: the column of class names, by which splits are stratified; `""` for none.
      group: a column; rows with the same value go to the same split. `""` for none.
      deduplicate_by: a column that identifies duplicate rows. They are dropped if there are only
        training rows; `""` keeps them.
      identity: returns bytes that alone determine the split of a row; see `drawn_alone`.
      splitter: makes the splits; `None`: rows are drawn with a fixed seed.
      validation: fraction of the training rows that become validation rows.
      min_count: classes with fewer training rows are omitted from all splits.

    Returns:
      All three splits, and notes.

    Raises:
      ZooError: there are too few rows, or too few of a class.
    """
    train, notes = parts["train"], []
    if len(parts) == 1 and deduplicate_by:
        train, dropped = without_duplicates(train, deduplicate_by)
        if dropped:
            note = f"{dropped:,} duplicate {deduplicate_by}s dropped"
            if label:
                pairs = zip(parts["train"][deduplicate_by], parts["train"][label], strict=True)
                other = len(set(pairs)) - count(train)
                note += f", {other:,} of them with another {label}" if other else ""
            notes.append(note)
    if label and min_count:
        parts, more = without_rare({**parts, "train": train}, label, min_count)
        train, notes = parts["train"], [*notes, *more]
    fractions = {"validation": validation, "test": FRACTION}
    fractions = {name: value for name, value in fractions.items() if name not in parts}
    if splitter:
        drawn, more = splitter(train, fractions) if fractions else ({}, [])
        return {name: drawn.get(name) or parts[name] for name in SPLITS}, [*notes, *more]
    if label:
        _check_classes(train, label, len(fractions) + 1, title)
    else:
        # Rows of one group go to one split.
        groups = len(set(train[group])) if group else count(train)
        if groups <= len(fractions):
            what = f"different {group}s" if group else "rows"
            raise ZooError(f"{title}: {groups} {what} are too few to be split.")
    if identity:
        drawn = drawn_alone(train, fractions, identity, label)
    else:
        drawn = cut_off(train, fractions, label, group)
    for name in fractions:
        notes.append(f"{count(drawn[name]):,} {name} rows drawn from train by a fixed seed")
    return {name: drawn.get(name) or parts[name] for name in SPLITS}, notes


def with_validation(
    parts: Parts,
    share: float,
    title: str,
    *,
    label: str = "",
    group: str = "",
    identity: Callable[[Examples, int], bytes] | None = None,
) -> tuple[Parts, str]:
    """Moves a share of the validation rows, drawn with a fixed seed, to the training rows.

    Args:
      parts: all three splits.
      share: of the validation rows, above 0 and below 1.
      title: of the data, for messages.
      label: a column by which the rows are stratified; a validation row of every class is kept.
      group: a column; rows with the same value stay together.
      identity: returns bytes that identify a row, without `group`; equal rows stay together.

    Returns:
      All three splits, and a note.

    Raises:
      UsageError: no row can be moved.
    """
    validation = parts["validation"]
    rows = count(validation)
    if identity and not group:
        group = "identity of a row"
        validation = {**validation, group: [identity(validation, row) for row in range(rows)]}
    drawn = {
        name: {column: part[column] for column in parts["validation"]}
        for name, part in cut_off(validation, {"validation": 1 - share}, label, group).items()
    }
    moved = count(drawn["train"])
    if not moved:
        raise UsageError(
            f"{title}: none of {rows:,} validation rows can be added to the training rows. Omit "
            "--add-validation."
        )
    train = {name: [*values, *drawn["train"][name]] for name, values in parts["train"].items()}
    note = f"{moved:,} of {rows:,} validation rows added to the training rows by a fixed seed"
    return {**parts, "train": train, "validation": drawn["validation"]}, note


def _check_classes(train: Examples, label: str, needed: int, title: str) -> None:
    sizes = Counter(train[label])
    if len(sizes) < 2:
        raise ZooError(
            f"{title}: every row has the {label} {next(iter(sizes))!r}; training "
            "needs at least two classes."
        )
    rare = sorted(name for name, rows in sizes.items() if rows < needed)
    if rare:
        classes = ", ".join(f"{name!r} ({sizes[name]})" for name in rare[:5])
        more = f" and {len(rare) - 5} more" if len(rare) > 5 else ""
        drop = f", or drop such classes with --min-count {needed}"
        raise ZooError(
            f"{title}: a class needs {needed} different rows to be in every split; too few "
            f"have {classes}{more}. Give more rows{drop * (len(sizes) - len(rare) >= 2)}."
        )


def without_rare(parts: Parts, label: str, min_count: int) -> tuple[Parts, list[str]]:
    """Drops classes with fewer than `min_count` training rows; also returns notes.

    Raises:
      ZooError: no row of a split would be left.
    """
    sizes = Counter(parts["train"][label])
    rare = sorted(name for name, rows in sizes.items() if rows < min_count)
    if len(rare) == len(sizes):
        raise ZooError(
            f"No class has {min_count:,} rows; the largest has {max(sizes.values()):,}. Use a "
            "lower --min-count."
        )
    if not rare:
        return parts, []
    left = {}
    for name, part in parts.items():
        kept = [row for row, value in enumerate(part[label]) if value not in rare]
        if not kept:
            raise ZooError(
                f"No row of {name} would be left: its classes have fewer than {min_count:,} rows "
                "of train. Use a lower --min-count, or give other rows."
            )
        left[name] = take(part, kept)
    shown = ", ".join(f"{quoted(name, 40)} ({sizes[name]:,})" for name in rare[:5])
    more = f" and {len(rare) - 5:,} more" if len(rare) > 5 else ""
    return left, [f"classes of fewer than {min_count:,} rows omitted: {shown}{more}"]


def tiny(parts: Parts, label: str = "", *, long_rows: bool = False) -> Parts:
    """Returns a few rows of each split; the training rows keep every class.

    Args:
      parts: all three splits.
      label: the column of class names; `""` for none.
      long_rows: keep the first four rows of each split; for few, long rows, such as time series,
        whose splits are aligned.
    """
    if long_rows:
        return {name: take(rows, range(min(4, count(rows)))) for name, rows in parts.items()}
    reduced = {}
    known: set[str] = set()
    for name in SPLITS:
        order = permutation(count(parts[name]), f"tiny {name}")
        if label:
            labels = parts[name][label]
            if name == "train":
                first: dict[str, int] = {}
                for row in order:
                    first.setdefault(labels[row], row)
                order = list(dict.fromkeys([*first.values(), *order]))
                known = set(first)
            else:
                order = [row for row in order if labels[row] in known]
        size = max(TINY[name], len(known) if name == "train" else 0)
        reduced[name] = take(parts[name], sorted(order[:size]))
    return reduced


def count(examples: Examples) -> int:
    """Returns the number of rows."""
    return len(next(iter(examples.values())))


def take(examples: Examples, rows: Sequence[int]) -> Examples:
    """Returns the rows with these numbers, in this order."""
    return {column: [values[row] for row in rows] for column, values in examples.items()}


def without_duplicates(examples: Examples, column: str) -> tuple[Examples, int]:
    """Keeps the first row for each value of `column`; also returns the number of dropped rows."""
    first: dict[Any, int] = {}
    for row, value in enumerate(examples[column]):
        first.setdefault(value, row)
    return take(examples, list(first.values())), count(examples) - len(first)


def permutation(rows: int, salt: str = "") -> list[int]:
    """Returns a permutation of 0 … rows-1, the same on every machine and Python version."""
    import random

    # `random()` is the only method whose sequence Python guarantees.
    generator = random.Random(f"{SEED} {salt}")
    return sorted(range(rows), key=lambda _: generator.random())


def cut_off(
    examples: Examples, fractions: Mapping[str, float], label: str = "", group: str = ""
) -> Parts:
    """Draws fractions of the examples with a fixed seed; the remaining rows are `"train"`.

    Args:
      examples: rows to split.
      fractions: maps split names to fractions of the rows.
      label: a column by which splits are stratified; every class has a row in each split.
      group: a column; rows with the same value stay together, in the class of the first one.
    """
    order = permutation(count(examples))
    grouped: dict[Any, list[int]] = {}  # rows that go to the same split
    for row in order:
        grouped.setdefault(examples[group][row] if group else row, []).append(row)
    classes: dict[Any, list[list[int]]] = {}
    for rows in grouped.values():
        classes.setdefault(examples[label][rows[0]] if label else None, []).append(rows)
    assigned: dict[int, str] = {}
    for groups in classes.values():
        start = 0
        for name, fraction in fractions.items():
            end = start + max(1, round(fraction * len(groups)))
            assigned |= {row: name for rows in groups[start:end] for row in rows}
            start = end
    parts: dict[str, list[int]] = {name: [] for name in ("train", *fractions)}
    for row in order:
        parts[assigned.get(row, "train")].append(row)
    return {name: take(examples, rows) for name, rows in parts.items()}


def drawn_alone(
    examples: Examples,
    fractions: Mapping[str, float],
    identity: Callable[[Examples, int], bytes],
    label: str = "",
) -> Parts:
    """Draws about these fractions of the examples, each row independently; the rest is `"train"`.

    A row's split depends only on its content, not on the other rows: adding a row does not move
    others. The exception is a class so rare that a split has no row of it: a row of this class is
    then moved to that split. The rows of a split keep their order.

    Args:
      examples: rows to split.
      fractions: maps split names to fractions of the rows.
      identity: returns bytes that identify the row with a number; equal rows go to the same split.
      label: a column of classes; every class has a row in each split.
    """
    import hashlib

    places = []
    for row in range(count(examples)):
        digest = hashlib.sha256(f"{SEED} ".encode() + identity(examples, row)).digest()
        places.append(int.from_bytes(digest[:8], "big") / 2**64)  # 0 to 1
    classes: dict[Any, list[int]] = {}
    for row in range(len(places)):
        classes.setdefault(examples[label][row] if label else None, []).append(row)
    assigned = dict.fromkeys(range(len(places)), "train")
    start = 0.0
    for name, fraction in fractions.items():
        assigned |= {
            row: name for row, place in enumerate(places) if start <= place < start + fraction
        }
        start += fraction
    for rows in classes.values():
        for name in (*fractions, "train"):
            if all(assigned[row] != name for row in rows):
                sizes = Counter(assigned[row] for row in rows)
                spare = [row for row in rows if sizes[assigned[row]] > 1]
                if spare:
                    assigned[min(spare, key=lambda row: (places[row], row))] = name
    return {
        name: take(examples, [row for row, split in assigned.items() if split == name])
        for name in ("train", *fractions)
    }


def fingerprint(parts: Parts) -> str:
    """Returns the SHA-256 over every row of every split, in order."""
    import hashlib

    digest = hashlib.sha256()
    for name in SPLITS:
        columns = sorted(parts[name])
        digest.update(json.dumps([name, columns]).encode() + b"\n")
        for row in zip(*(parts[name][column] for column in columns), strict=True):
            digest.update(json.dumps(row, default=_plain).encode() + b"\n")
    return digest.hexdigest()


def _plain(value: Any) -> Any:
    """Converts an array to JSON values; long arrays, such as audio, to their SHA-256."""
    if value.size < 1000:
        return value.tolist()
    import hashlib

    return [*value.shape, str(value.dtype), hashlib.sha256(value.tobytes()).hexdigest()]
