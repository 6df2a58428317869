"""Declarations of datasets: columns, sources and other properties.

Light: importing this module imports neither TensorFlow nor pandas nor NumPy.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from zoo.data.sources import Examples, Parts, Source

if TYPE_CHECKING:
    from zoo.data.reading import Reading
    from zoo.data.splits import Splits, Splitter

# File name extensions of tables; those before .parquet are text.
TABLES = (
    *(".csv", ".tsv", ".tab", ".txt", ".json", ".jsonl", ".ndjson"),
    *(".parquet", ".arrow", ".feather", ".xlsx", ".xlsm"),
)


class Reader(Protocol):
    def __call__(
        self, path: Path, columns: Mapping[str, str] | None, /, *, reading: Reading | None = None
    ) -> Examples: ...


class FolderReader(Protocol):
    def __call__(
        self, path: Path, /, *, reading: Reading | None = None
    ) -> tuple[Parts, list[str], str, str]: ...


@dataclasses.dataclass(frozen=True)
class Declaration:
    """Declares a dataset: sources in order of preference, licence, columns, and a sample.

    Attributes:
      name: short, as in `zoo data fetch NAME`.
      columns: maps the name of each column to its description.
      sources: the first available source that is not in `on_request` is used.
      licence: of the data; individual sources may override it.
      sample: returns a dozen rows in the real format, for tests and `--data sample`.
      title: one-line description.
      homepage: URL of the dataset's description.
      label: the column of class names, by which splits are stratified; `""` for none.
      classes: for columns with several classes per row, a function from value to class names. Each
        class must occur in the training rows.
      texts: with a `reader`: text columns that must not be empty. Without one, none may be empty.
      deduplicate_by: the text column that identifies duplicate rows; `""` keeps duplicates.
      group: a column; rows with the same value always go to the same split. `""` for none.
      reader: reads a custom file that is not a table. Takes its path, a mapping of our column names
        to the file's, and by keyword a `zoo.data.reading.Reading`; returns examples.
      unlabelled: with a `reader`: columns of unlabelled rows, `()` if there are no such rows.
        Without one, all columns but `label`.
      suffixes: suffixes of custom files in a folder of splits; those of tables by default.
      folder: reads a custom folder that does not consist of splits, such as a folder of
        recordings. Takes its path, and by keyword a `Reading`; returns its splits, notes, title
        and licence. No splits: the folder is not of that kind.
      positional: the columns of values without names, such as those of a pair `(x, y)`, the target
        last; all columns in order by default. Data in memory must have these columns.
      in_memory: checks and completes columns in memory, as `reader` does for files. Takes and
        returns examples, in which columns may be missing.
      identity: returns bytes that identify a row. A missing split is then drawn from these alone,
        so that adding a row does not move others. `None`: the draw depends on all rows.
      splitter: splits rows that are ordered in time, if a split is missing. `None`: rows are drawn
        with a fixed seed.
      hold_out: holds out the rows that custom data mark as held out. Takes the splits so far;
        returns all splits, and notes. `None`: holds out nothing.
      facts: returns sentences for the model card: what a model trained on these splits is for, and
        what it has never seen (language, period, lengths, classes).
      repairs: names that the option `repair` of a `Reading` may list; `reader` implements them.
      on_request: keys of sources of other data, such as another corpus. They are used only if
        requested by key.
    """

    name: str
    columns: Mapping[str, str]
    sources: tuple[Source, ...]
    licence: str
    sample: Callable[[], Examples]
    title: str = ""
    homepage: str = ""
    label: str = "label"
    classes: Mapping[str, Callable[[Any], Iterable[str]]] = dataclasses.field(default_factory=dict)
    texts: tuple[str, ...] = ()
    deduplicate_by: str = "text"
    group: str = ""
    reader: Reader | None = None
    unlabelled: tuple[str, ...] = ()
    suffixes: tuple[str, ...] = TABLES
    folder: FolderReader | None = None
    positional: tuple[str, ...] = ()
    in_memory: Callable[[Examples], Examples] | None = None
    identity: Callable[[Examples, int], bytes] | None = None
    splitter: Splitter | None = None
    hold_out: Callable[[Parts], tuple[Parts, list[str]]] | None = None
    facts: Callable[[Splits], Iterable[str]] | None = None
    repairs: tuple[str, ...] = ()
    on_request: tuple[str, ...] = ()

    @property
    def keys(self) -> list[str]:
        """The values of `--data` besides paths: the keys of the sources, and `"sample"`."""
        return [*dict.fromkeys(each.key for each in self.sources), "sample"]

    def sources_of(self, key: str | None) -> list[Source]:
        """Returns the sources with a key; for `None`, the sources that are used by default."""
        if key is None:
            return [each for each in self.sources if each.key not in self.on_request]
        return [each for each in self.sources if each.key == key]
