"""Declarations of datasets, and how they are loaded and split.

Light: importing this module imports neither TensorFlow nor pandas nor NumPy.
"""

from __future__ import annotations

import dataclasses
import json
import os
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from zoo.data.sources import Examples, Parts, Source
from zoo.errors import UsageError, ZooError, suggest

if TYPE_CHECKING:
    from zoo.data.fetch import Say

T = TypeVar("T")

SPLITS = ("train", "validation", "test")
SEED = 20110619  # of every split and of `tiny`; never the seed of a training
TINY = {"train": 256, "validation": 64, "test": 128}
SHARE = 0.1  # of the rows that go to each of validation and test when there is no split


@dataclasses.dataclass(frozen=True)
class Splits:
    """A loaded dataset.

    Attributes:
      train, validation, test: columns of equal length.
      dataset: name of the declaration; of one's own data, the name of the file or folder.
      source: the key of a source (`"tfds"`, `"wheel"`, …), `"sample"`, or the path of one's own
        data.
      title: the name that is printed and recorded; says so when the test split is not the
        official one.
      fingerprint: SHA-256 over every row of every split, in order.
      notes: what was done on the way, one line each ("96 duplicate texts dropped").
      licence: of the data, in words; empty for one's own.
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

    def describe(self) -> dict[str, Any]:
        """Returns what a run records: everything but the rows, and their numbers."""
        return {
            "dataset": self.dataset,
            "source": self.source,
            "title": self.title,
            "rows": {name: count(getattr(self, name)) for name in SPLITS},
            "fingerprint": self.fingerprint,
            "notes": list(self.notes),
            "licence": self.licence,
        }


@dataclasses.dataclass(frozen=True)
class Dataset:
    """One dataset: sources in the order of preference, licence, columns, and a sample.

    Attributes:
      name: short, as in `zoo data fetch NAME`.
      columns: what each column holds, in words.
      sources: the first one that can be had is used.
      licence: what the data's owner says about its use; a source may have another.
      sample: makes a dozen rows of the real shape, for tests and `--data sample`.
      title: one line about it.
      homepage: where to read about it.
      label: the column of class names; `""` for none. Splits keep its proportions.
      unique: the column of text by which duplicate rows are recognised; `""` keeps them.
      group: a column; rows that are equal in it never go to different splits. `""` for none.
      reader: reads one's own file where it need not be a table: its path, and our column to the
        file's name of it, to examples.
      suffixes: what names of one's own files end in, in a folder of splits; those of tables by
        default.
      folder: reads one's own folder that is none of splits, such as one of recordings; returns
        its splits, notes, title, and licence.
      splitter: how rows that have an order in time are split, where a split is missing: the
        training rows, and name to share of each split that is to be cut off, to all of these
        splits and the rest, `"train"`. Rows are drawn by a fixed seed when it is `None`.
      divide: holds out rows of one's own files where it says which: their splits so far, to all
        that there are then, and notes. Nothing is held out by it when it is `None`.
    """

    name: str
    columns: Mapping[str, str]
    sources: tuple[Source, ...]
    licence: str
    sample: Callable[[], Examples]
    title: str = ""
    homepage: str = ""
    label: str = "label"
    unique: str = "text"
    group: str = ""
    reader: Callable[[Path, Mapping[str, str] | None], Examples] | None = None
    suffixes: tuple[str, ...] = ()
    folder: Callable[[Path], tuple[Parts, list[str], str, str]] | None = None
    splitter: Callable[[Examples, Mapping[str, float]], Parts] | None = None
    divide: Callable[[Parts], tuple[Parts, list[str]]] | None = None

    @property
    def keys(self) -> list[str]:
        """What `--data` takes besides paths: the keys of the sources, and `"sample"`."""
        return [*dict.fromkeys(each.key for each in self.sources), "sample"]

    def load(
        self,
        source: str | Path | None = None,
        *,
        columns: Mapping[str, str] | None = None,
        tiny: bool = False,
        validation: float = SHARE,
        say: Say | None = None,
    ) -> Splits:
        """Loads the rows of one source, split.

        A source with training rows only loses its duplicates and is split 80/10/10; where
        only the validation rows are missing, they are cut from the training rows. Both by a
        fixed seed, with the proportions of the classes kept.

        Args:
          source: the key of a source (`"tfds"`, `"wheel"`, …), `"sample"`, or the path of
            one's own file or of a folder with `train.*` and perhaps `validation.*` and
            `test.*`. `None`: the first source that can be had; the ones that cannot are
            in the notes.
          columns: our column to the name that it has in one's own file.
          tiny: only a few hundred rows, drawn by a fixed seed.
          validation: share of the training rows that become validation rows.
          say: takes progress lines; they go to stderr by default.

        Raises:
          UsageError: no such source, column or file.
          ZooError: the data cannot be had, or is not right.
        """
        from zoo.data import fetch

        say = say or fetch.say
        self.check_columns(source, columns)
        name, licence = self.name, self.licence
        if source == "sample":
            parts, notes = {"train": self.sample()}, []
            key, title = "sample", f"{self.name} (sample of {count(parts['train'])} rows)"
        elif source is None or not self.is_own(source):
            chosen, (parts, more), failures = self._had(source, lambda each: each.load(say))
            key, title, notes = chosen.key, chosen.title, [*failures, *more]
            licence = chosen.licence or licence
        else:
            path = self._own(source)
            parts, notes, title, licence = self._own_parts(path, columns)
            key, name = str(path), path.name
        parts = self._split(parts, validation, title, notes)
        if tiny:
            parts = self._tiny(parts)
            title += ", tiny part"
            notes.append(
                "only {train:,} training, {validation:,} validation and {test:,} test rows "
                "used".format(**{name: count(parts[name]) for name in SPLITS})
            )
        return Splits(
            **parts,
            dataset=name,
            source=key,
            title=title,
            fingerprint=fingerprint(parts),
            notes=tuple(notes),
            licence=licence,
        )

    def is_own(self, source: str | Path | None) -> bool:
        """Whether `source` names one's own file or folder."""
        return source is not None and source not in self.keys

    def is_own_file(self, source: str | Path | None) -> bool:
        """Whether `source` names a file of one's own, which has no splits; it may be missing."""
        return self.is_own(source) and not Path(str(source)).expanduser().is_dir()

    def check_columns(self, source: str | Path | None, columns: Mapping[str, str] | None) -> None:
        """Checks that columns are renamed only where there are names to choose.

        Raises:
          UsageError: the source is not one's own, or we have no such column.
        """
        if columns and not self.is_own(source):
            raise UsageError("Column names can be set for one's own files only.")
        if unknown := sorted(set(columns or ()) - set(self.columns)):
            raise UsageError(f"Unknown column {unknown[0]!r}.{suggest(unknown[0], self.columns)}")

    def fetch(self, key: str | None = None, *, say: Say | None = None) -> tuple[Source, Path]:
        """Brings one source into the cache.

        Args:
          key: which one; the first that can be had when `None`.
          say: takes progress lines; they go to stderr by default.

        Returns:
          The source, and where its data lie.

        Raises:
          UsageError: no source has that key.
          ZooError: it cannot be had.
        """
        from zoo.data import fetch

        line = say or fetch.say
        keys = [each.key for each in self.sources]
        if key is not None and key not in keys:
            raise UsageError(f"{self.name!r} has no source {key!r}.{suggest(key, keys)}")
        source, path, _ = self._had(key, lambda each: each.fetch(line))
        return source, path

    def _had(
        self, key: str | Path | None, use: Callable[[Source], T]
    ) -> tuple[Source, T, list[str]]:
        """Uses the first source, that of the key if one is given, that can be had.

        Returns:
          The source, what `use` made of it, and a note on each source that failed.
        """
        from zoo.data.fetch import Unavailable

        notes: list[str] = []
        for each in self.sources:
            if key in (None, each.key):
                try:
                    return each, use(each), notes
                except Unavailable as error:
                    notes.append(f"{each.title} is not available from {each.key}: {error}")
        if not self.sources:
            raise UsageError(
                f"There is no public source of {self.name!r}; name your own file with --data."
            )
        raise ZooError(
            f"The data {self.name!r} cannot be had: {'; '.join(notes)}. Connect to a network, "
            "set ZOO_MIRROR, or use another source or your own file."
        )

    def _own(self, source: str | Path) -> Path:
        """Returns the path of one's own data."""
        path = Path(source).expanduser()
        if path.exists():
            return path.resolve()
        text = str(source)
        if path.suffix or os.sep in text:
            raise UsageError(f"There is no file or folder {text}.")
        raise UsageError(
            f"Unknown source {text!r}; files and folders are sources too.{suggest(text, self.keys)}"
        )

    def _own_parts(
        self, path: Path, columns: Mapping[str, str] | None
    ) -> tuple[Parts, list[str], str, str]:
        """Reads one's own file or folder; returns its splits, notes, title and licence."""
        title = f"{path.name} (own data)"
        if path.is_file():
            parts: Parts = {"train": load_examples(self, path, columns)}
            return *(self.divide(parts) if self.divide else (parts, [])), title, ""
        if self.folder and not list(path.glob("train.*")):
            return self.folder(path)
        from zoo.data import tables

        suffixes = self.suffixes or tables.SUFFIXES
        found = {}
        for name in SPLITS:
            there = [
                file
                for file in sorted(path.glob(f"{name}.*"))
                if file.name.lower().removesuffix(".gz").endswith(suffixes)
            ]
            if len(there) > 1:
                raise UsageError(f"{path} has both {there[0].name} and {there[1].name}.")
            if there:
                found[name] = there[0]
        if "train" not in found:
            raise UsageError(
                f"{path} has no train file: a folder needs train{' or '.join(suffixes)}, and "
                "may have validation.* and test.*."
            )
        parts = {}
        known = None
        for name, file in found.items():
            parts[name] = load_examples(self, file, columns, labels=known)
            if name == "train" and self.label:
                known = sorted(set(parts[name][self.label]))
        parts, notes = self.divide(parts) if self.divide else (parts, [])
        for name in list(parts)[1:]:
            key = self.unique or self.group
            seen = set(parts["train"][key]) if key else set()
            both = sum(value in seen for value in parts[name][key]) if seen else 0
            if both:
                notes.append(f"{both:,} {key}s of {name} are also in train")
        return parts, notes, title, ""

    def _split(self, parts: Parts, validation: float, where: str, notes: list[str]) -> Parts:
        """Makes all three splits from those that there are; adds to `notes`."""
        train = parts["train"]
        if len(parts) == 1 and self.unique:
            train, dropped = without_duplicates(train, self.unique)
            if dropped:
                note = f"{dropped:,} duplicate {self.unique}s dropped"
                if self.label:
                    pairs = zip(
                        parts["train"][self.unique], parts["train"][self.label], strict=True
                    )
                    other = len(set(pairs)) - count(train)
                    note += f", {other:,} of them with another {self.label}" if other else ""
                notes.append(note)
        shares = {"validation": validation, "test": SHARE}
        shares = {name: share for name, share in shares.items() if name not in parts}
        if self.splitter:
            cut = self.splitter(train, shares) if shares else {}
            if shares:
                notes.append(f"{' and '.join(shares)}: the last days of the training rows")
            for name, rows in cut.items():
                if count(rows) < count(train):
                    notes.append(
                        f"{name} has {count(rows)} of {count(train)} series: the others "
                        "have too few days in it"
                    )
            return {name: cut.get(name) or parts[name] for name in SPLITS}
        if self.label:
            self._check_classes(train, len(shares) + 1, where)
        else:
            # Rows of one group go to one split.
            groups = len(set(train[self.group])) if self.group else count(train)
            if groups <= len(shares):
                what = f"different {self.group}s" if self.group else "rows"
                raise ZooError(f"{where}: {groups} {what} are too few to be split.")
        cut = cut_off(train, shares, self.label, self.group)
        for name in shares:
            notes.append(f"{count(cut[name]):,} {name} rows drawn from train by a fixed seed")
        return {name: cut.get(name) or parts[name] for name in SPLITS}

    def _check_classes(self, train: Examples, needed: int, where: str) -> None:
        sizes = Counter(train[self.label])
        if len(sizes) < 2:
            raise ZooError(
                f"{where}: every row has the {self.label} {next(iter(sizes))!r}; there must be "
                "two classes or more."
            )
        rare = sorted(name for name, rows in sizes.items() if rows < needed)
        if rare:
            shown = ", ".join(f"{name!r} ({sizes[name]})" for name in rare[:5])
            more = f" and {len(rare) - 5} more" if len(rare) > 5 else ""
            raise ZooError(
                f"{where}: a class needs {needed} different rows to be in every split; too few "
                f"have {shown}{more}."
            )

    def _tiny(self, parts: Parts) -> Parts:
        """Returns a few rows of each split; every class of it stays in the training rows."""
        tiny = {}
        known: set[str] = set()
        if self.splitter:  # rows are few and long; those of all splits belong together
            return {name: take(rows, range(min(4, count(rows)))) for name, rows in parts.items()}
        for name in SPLITS:
            order = permutation(count(parts[name]), f"tiny {name}")
            if self.label:
                labels = parts[name][self.label]
                if name == "train":
                    first: dict[str, int] = {}
                    for row in order:
                        first.setdefault(labels[row], row)
                    order = list(dict.fromkeys([*first.values(), *order]))
                    known = set(first)
                else:
                    order = [row for row in order if labels[row] in known]
            size = max(TINY[name], len(known) if name == "train" else 0)
            tiny[name] = take(parts[name], sorted(order[:size]))
        return tiny


def load_examples(
    dataset: Dataset,
    path: str | Path,
    columns: Mapping[str, str] | None = None,
    *,
    labels: Sequence[str] | None = None,
) -> Examples:
    """Reads the whole of one's own file, without splitting it.

    Args:
      dataset: says which columns there must be.
      path: CSV, TSV or JSONL file.
      columns: our column to the file's name of it.
      labels: the class names that may occur; any when `None`.

    Raises:
      UsageError: no such file.
      ZooError: the file is not right; one line with the line numbers.
    """
    from zoo.data import tables

    if dataset.reader:
        examples = dataset.reader(Path(path).expanduser(), columns)
        if labels is not None and dataset.label:
            strange = sorted(set(examples[dataset.label]) - set(labels))
            if strange:
                raise ZooError(
                    f"{path} has the {dataset.label} {strange[0]!r}, which is not one of "
                    f"{', '.join(map(repr, labels[:10]))}{' …' * (len(labels) > 10)}. Correct or "
                    "leave out such rows."
                )
        return examples
    texts = [column for column in dataset.columns if column != dataset.label]
    table = tables.read(Path(path).expanduser(), texts, dataset.label, columns)
    if labels is not None and dataset.label:
        tables.check_labels(table, dataset.label, labels)
    return table.columns


def count(examples: Examples) -> int:
    """Returns the number of rows."""
    return len(next(iter(examples.values())))


def take(examples: Examples, rows: Sequence[int]) -> Examples:
    """Returns some rows, in the order given."""
    return {column: [values[row] for row in rows] for column, values in examples.items()}


def without_duplicates(examples: Examples, column: str) -> tuple[Examples, int]:
    """Keeps the first of the rows that are equal in `column`; also returns how many went."""
    first: dict[Any, int] = {}
    for row, value in enumerate(examples[column]):
        first.setdefault(value, row)
    return take(examples, list(first.values())), count(examples) - len(first)


def permutation(rows: int, salt: str = "") -> list[int]:
    """Returns 0 … rows-1 in an order that is the same on every machine and version."""
    import random

    # `random()` is the one method whose sequence Python promises to keep.
    generator = random.Random(f"{SEED} {salt}")
    return sorted(range(rows), key=lambda _: generator.random())


def cut_off(
    examples: Examples, shares: Mapping[str, float], label: str = "", group: str = ""
) -> Parts:
    """Cuts shares off the examples, by a fixed seed; what is left is `"train"`.

    Args:
      examples: rows to split.
      shares: name of a split to its share of the rows.
      label: a column whose proportions all parts keep; every class has a row in each part.
      group: a column; rows that are equal in it stay together, in the class of the first.
    """
    order = permutation(count(examples))
    together: dict[Any, list[int]] = {}  # rows that go to the same part
    for row in order:
        together.setdefault(examples[group][row] if group else row, []).append(row)
    classes: dict[Any, list[list[int]]] = {}
    for rows in together.values():
        classes.setdefault(examples[label][rows[0]] if label else None, []).append(rows)
    part_of: dict[int, str] = {}
    for groups in classes.values():
        start = 0
        for name, share in shares.items():
            end = start + max(1, round(share * len(groups)))
            part_of |= {row: name for rows in groups[start:end] for row in rows}
            start = end
    parts: dict[str, list[int]] = {name: [] for name in ("train", *shares)}
    for row in order:
        parts[part_of.get(row, "train")].append(row)
    return {name: take(examples, rows) for name, rows in parts.items()}


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
    """Returns an array as what JSON can hold: a long one, such as sound, by its SHA-256."""
    if value.size < 1000:
        return value.tolist()
    import hashlib

    return [*value.shape, str(value.dtype), hashlib.sha256(value.tobytes()).hexdigest()]
