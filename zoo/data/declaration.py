"""Declarations of datasets: what columns there are, and where they come from.

Light: importing this module imports neither TensorFlow nor pandas nor NumPy.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from pathlib import Path

from zoo.data.sources import Examples, Parts, Source
from zoo.data.splits import Splitter


@dataclasses.dataclass(frozen=True)
class Declaration:
    """One dataset: sources in the order of preference, licence, columns, and a sample.

    Attributes:
      name: short, as in `zoo data fetch NAME`.
      columns: what each column holds, in words.
      sources: the first available one is used.
      licence: what the data's owner says about its use; a source may have another.
      sample: makes a dozen rows of the real shape, for tests and `--data sample`.
      title: one line about it.
      homepage: where to read about it.
      label: the column of class names; `""` for none. Splits keep its proportions.
      deduplicate_by: the column of text by which duplicate rows are recognised; `""` keeps them.
      group: a column; rows that are equal in it never go to different splits. `""` for none.
      reader: reads a custom file where it need not be a table: its path, and our column to the
        file's name of it, to examples.
      suffixes: what names of custom files end in, in a folder of splits; those of tables by
        default.
      folder: reads a custom folder that is none of splits, such as one of recordings; returns
        its splits, notes, title, and licence.
      splitter: how rows that have an order in time are split, where a split is missing. Rows are
        drawn by a fixed seed when it is `None`.
      hold_out: holds out rows of custom data where they say which: their splits so far, to all
        splits that there are then, and notes. Nothing is held out by it when it is `None`.
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
    splitter: Splitter | None = None
    hold_out: Callable[[Parts], tuple[Parts, list[str]]] | None = None

    @property
    def keys(self) -> list[str]:
        """What `--data` takes besides paths: the keys of the sources, and `"sample"`."""
        return [*dict.fromkeys(each.key for each in self.sources), "sample"]
