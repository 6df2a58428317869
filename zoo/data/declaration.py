"""Declarations of datasets: their columns, and their sources.

Light: importing this module imports neither TensorFlow nor pandas nor NumPy.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from zoo.data.sources import Examples, Parts, Source

if TYPE_CHECKING:
    from zoo.data.splits import Splitter


@dataclasses.dataclass(frozen=True)
class Declaration:
    """One dataset: sources in the order of preference, licence, columns, and a sample.

    Attributes:
      name: short, as in `zoo data fetch NAME`.
      columns: name of each column to its description.
      sources: the first available one is used.
      licence: of the data; a source may have another.
      sample: makes a dozen rows in the real format, for tests and `--data sample`.
      title: one line about it.
      homepage: URL of its description.
      label: the column of class names; `""` for none. Splits keep its proportions.
      deduplicate_by: the text column that identifies duplicate rows; `""` keeps duplicates.
      group: a column; rows with the same value never go to different splits. `""` for none.
      reader: reads a custom file that is not a table. Takes its path, and our column to the
        file's name of it; returns examples.
      suffixes: suffixes of custom files in a folder of splits; those of tables by default.
      folder: reads a custom folder that does not consist of splits, such as a folder of
        recordings; returns its splits, notes, title and licence.
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
    """

    name: str
    columns: Mapping[str, str]
    sources: tuple[Source, ...]
    licence: str
    sample: Callable[[], Examples]
    title: str = ""
    homepage: str = ""
    label: str = "label"
    deduplicate_by: str = "text"
    group: str = ""
    reader: Callable[[Path, Mapping[str, str] | None], Examples] | None = None
    suffixes: tuple[str, ...] = ()
    folder: Callable[[Path], tuple[Parts, list[str], str, str]] | None = None
    positional: tuple[str, ...] = ()
    in_memory: Callable[[Examples], Examples] | None = None
    identity: Callable[[Examples, int], bytes] | None = None
    splitter: Splitter | None = None
    hold_out: Callable[[Parts], tuple[Parts, list[str]]] | None = None

    @property
    def keys(self) -> list[str]:
        """What `--data` takes besides paths: the keys of the sources, and `"sample"`."""
        return [*dict.fromkeys(each.key for each in self.sources), "sample"]
