"""Declarations of datasets: their columns, and their sources.

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

# Endings of files of rows; those before .parquet are text.
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
    """One dataset: sources in the order of preference, licence, columns, and a sample.

    Attributes:
      name: short, as in `zoo data fetch NAME`.
      columns: name of each column to its description.
      sources: the first available one is used, of those that are not `on_request`.
      licence: of the data; a source may have another.
      sample: makes a dozen rows in the real format, for tests and `--data sample`.
      title: one line about it.
      homepage: URL of its description.
      label: the column of class names; `""` for none. Splits keep its proportions.
      classes: of columns that hold several classes a row, what gives the names of these. Every
        one has to be among the training rows'.
      texts: columns of text that are never empty, where there is a `reader`; all without one.
      deduplicate_by: the text column that identifies duplicate rows; `""` keeps duplicates.
      group: a column; rows with the same value never go to different splits. `""` for none.
      reader: reads a custom file that is not a table. Takes its path, our column to the file's
        name of it, and by keyword a `zoo.data.reading.Reading`; returns examples.
      unlabelled: columns of rows without a label, where there is a `reader`; `()` where there are
        no such rows. All but `label` without a `reader`.
      suffixes: suffixes of custom files in a folder of splits; those of tables by default.
      folder: reads a custom folder that does not consist of splits, such as a folder of
        recordings. Takes its path, and by keyword a `Reading`; returns its splits, notes, title
        and licence. No splits: the folder is not of that kind.
      positional: the columns that values without names stand for, such as those of a pair
        `(x, y)`, the target last; all columns in their order by default. Data in memory need
        these columns.
      in_memory: checks and completes columns in memory, as `reader` does those of a file. Takes
        and returns examples, of which columns may be missing.
      identity: returns bytes of a row, by which alone it is drawn to a split where one is missing:
        another row more moves none of the others. `None`: rows are drawn from all of them.
      splitter: splits rows that have an order in time, where a split is missing. `None`: rows
        are drawn by a fixed seed.
      hold_out: holds out those rows of custom data that the data mark as held out. Takes the
        splits so far; returns all splits, and notes. `None`: holds out nothing.
      facts: returns sentences on what a model that was trained on these splits is for, and on what
        it has never seen: language, period, lengths, classes. For the model card.
      repairs: names that the option `repair` of a `Reading` may list; `reader` makes them.
      on_request: keys of sources of other data, such as another corpus. They are used only where
        they are asked for by their key.
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
        """What `--data` takes besides paths: the keys of the sources, and `"sample"`."""
        return [*dict.fromkeys(each.key for each in self.sources), "sample"]

    def sources_of(self, key: str | None) -> list[Source]:
        """Returns the sources of a key; of `None`, those that are used where none is asked for."""
        if key is None:
            return [each for each in self.sources if each.key not in self.on_request]
        return [each for each in self.sources if each.key == key]
