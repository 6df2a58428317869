"""Loads datasets from the first available source, or from custom data.

Light: importing this module imports neither TensorFlow nor pandas nor NumPy.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from zoo.data.declaration import Declaration
from zoo.data.sources import Examples, Source, Tfds
from zoo.errors import UsageError, ZooError, nearest, quoted, suggest

if TYPE_CHECKING:
    from zoo.data.fetch import Log
    from zoo.data.origin import DataLike, Origin
    from zoo.data.reading import Reading, ReadingLike, ReadOptions
    from zoo.data.splits import Splits

T = TypeVar("T")


class Dataset(Declaration):
    """A declared dataset that can be loaded: see `zoo.data.declaration.Declaration`."""

    def load(
        self,
        source: DataLike = None,
        *,
        columns: Mapping[str, str] | None = None,
        reading: ReadingLike = None,
        tiny: bool = False,
        validation: float = 0.1,
        add_validation: float = 0.0,
        unlabelled: str | Path | None = None,
        log: Log | None = None,
    ) -> Splits:
        """Loads one source and returns its splits.

        If a source has only training rows, duplicates are dropped and the rows are split 80/10/10.
        If only the validation split is missing, it is drawn from the training rows. Both use a
        fixed seed and are stratified by class.

        Args:
          source: the key of a source (`"tfds"`, `"wheel"`, …), `"sample"`, the path of a
            custom file or of a folder with `train.*` and perhaps `validation.*` and `test.*`,
            a dict of columns, or a dict of splits of columns. `None`: the first available
            source; unavailable ones are in the notes.
          columns: maps our column names to those in custom data.
          reading: how custom files are written, if it cannot be detected.
          tiny: load only a few hundred rows, drawn with a fixed seed.
          validation: fraction of the training rows that become validation rows.
          add_validation: share of the validation rows that become training rows, drawn with a
            fixed seed.
          unlabelled: what `load_unlabelled` will read with the same `columns` and `reading`. If it
            is a file, they may be given although the source is not custom data.
          log: called with each progress line; prints to stderr by default.

        Raises:
          UsageError: no such source, column or file, or validation rows that cannot be added.
          ZooError: the data are unavailable or invalid.
        """
        from zoo.data import custom  # lazy: these imports take a tenth of the time of `zoo list`
        from zoo.data import splits as splitting
        from zoo.data.origin import Custom, Named, parse_origin
        from zoo.data.reading import reading_of
        from zoo.data.splits import SPLITS, Splits, count

        origin = parse_origin(source, self.keys)
        reading = reading_of(reading)
        self.check_columns(origin, columns, reading, unlabelled)
        if add_validation and self.splitter:
            raise UsageError(
                f"--add-validation cannot be used: the rows of {self.name!r} are in order. Omit it."
            )
        name, licence = self.name, self.licence
        if isinstance(origin, Custom):
            parts, notes, title, licence = custom.load_custom(
                self, origin, columns, reading=reading
            )
            key, name = origin.recorded, origin.name
        elif origin == Named("sample"):
            parts, notes = {"train": self.sample()}, []
            key, title = "sample", f"{self.name} (sample of {count(parts['train'])} rows)"
        else:
            line = log or _default_log()
            chosen, (parts, more), failures = self._first_available(
                origin.key if isinstance(origin, Named) else None, lambda each: each.load(line)
            )
            key, title, notes = chosen.key, chosen.title, [*failures, *more]
            licence = chosen.licence or licence
        parts, more = splitting.complete(
            parts,
            title,
            label=self.label,
            group=self.group,
            deduplicate_by=self.deduplicate_by,
            identity=self.identity,
            splitter=self.splitter,
            validation=validation,
            min_count=reading.options.min_count,
        )
        notes = [*notes, *more]
        if add_validation:
            parts, note = splitting.with_validation(
                parts,
                add_validation,
                title,
                label=self.label,
                group=self.group,
                identity=self.identity,
            )
            notes.append(note)
        if tiny:
            parts = splitting.tiny(parts, self.label, long_rows=self.splitter is not None)
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
            fingerprint=splitting.fingerprint(parts),
            notes=tuple(notes),
            licence=licence,
            custom=isinstance(origin, Custom),
        )

    def load_unlabelled(
        self,
        source: str | Path,
        *,
        columns: Mapping[str, str] | None = None,
        reading: Reading | None = None,
    ) -> Examples:
        """Loads unlabelled rows.

        Args:
          source: the key of a source that has such rows, or the path of a table.
          columns: maps our column names to those in the table. A table that lacks such a name is
            read by ours, because they may be those of the labelled rows.
          reading: how the table is written; receives notes.

        Returns:
          All columns except the label column, which is not read even if the table has it.

        Raises:
          UsageError: no such source or file, or the source has no such rows.
          ZooError: the data are unavailable or invalid.
        """
        from zoo.data import formats, tables
        from zoo.data.reading import Reading

        chosen = self.find_unlabelled(source)
        if not isinstance(chosen, Path):
            return chosen.load_unlabelled(self.label, _default_log())
        names = {name: to for name, to in (columns or {}).items() if name != self.label}
        texts = self.unlabelled or [name for name in self.columns if name != self.label]
        reading = reading or Reading()
        wanted = {name: names.get(name, name) for name in texts}
        records = formats.read_records(chosen, reading, wanted.values())
        for name, theirs in wanted.items():
            if theirs not in records.present and name in records.present:
                del names[name]
        return tables.read(chosen, texts, names=names, reading=reading, records=records).columns

    def find_unlabelled(self, source: str | Path) -> Tfds | Path:
        """Returns the source, or the path of a table, that `load_unlabelled` reads.

        Raises:
          UsageError: there is no such source or file, or it has no rows without a label.
        """
        from zoo.data.origin import CustomFile, find_custom

        able = {
            each.key: each for each in self.sources if isinstance(each, Tfds) and each.unlabelled
        }
        if source in able:
            return able[str(source)]
        custom = find_custom(source)
        if self.reader is not None and not self.unlabelled:
            raise UsageError(f"{self.name!r} cannot use unlabelled rows. Omit --unlabelled.")
        if isinstance(custom, CustomFile):
            return custom.path
        raise UsageError(
            f"{quoted(str(source))} holds no unlabelled rows: give a table such as a .csv or .jsonl"
            f"{''.join(f', or {key!r}' for key in able)}.{nearest(str(source), able)}"
        )

    def check_columns(
        self,
        origin: Origin,
        columns: Mapping[str, str] | None,
        reading: Reading | None = None,
        unlabelled: str | Path | None = None,
    ) -> None:
        """Checks that `columns` and `reading` are used only with custom data.

        Args:
          origin: of the labelled rows.
          columns, reading: as for `load`.
          unlabelled: a file of further rows is custom data, too.

        Raises:
          UsageError: the data are not custom, or the dataset has no such column, repair or classes;
            data in memory have no file to be described; a column name is not a str.
        """
        from zoo.data.origin import Custom, InMemory, InMemorySplits
        from zoo.data.reading import check_column_names, refuse_file_options

        if reading:
            self.check_repair(reading.options)
            if reading.options.min_count and not self.label:
                raise UsageError(
                    f"--min-count cannot be used: a row of {self.name!r} has no single class."
                )
        from_file = unlabelled is not None and isinstance(self.find_unlabelled(unlabelled), Path)
        custom = isinstance(origin, Custom) or from_file
        if reading and not custom and (said := reading.options.to_json()):
            option = next(iter(said)).replace("_", "-")
            raise UsageError(
                f"--{option} is for custom data only: give a file of your own, or omit it."
            )
        in_memory = isinstance(origin, InMemory | InMemorySplits)
        if reading and in_memory and not from_file:
            refuse_file_options(reading.options, "the data are")
        if columns and not custom:
            raise UsageError("Column names can be set for custom data only.")
        if unknown := sorted(set(columns or ()) - set(self.columns)):
            raise UsageError(f"Unknown column {unknown[0]!r}.{suggest(unknown[0], self.columns)}")
        if not in_memory:
            check_column_names(columns)

    def check_repair(self, options: ReadOptions) -> None:
        """Checks that the dataset offers the requested repairs.

        Raises:
          UsageError: it does not.
        """
        if options.repair and not self.repairs:
            raise UsageError(f"--repair cannot be used: {self.name!r} has no repairs.")

    def fetch(self, key: str | None = None, *, log: Log | None = None) -> tuple[Source, Path]:
        """Downloads one source into the cache.

        Args:
          key: of the source; `None`: the first available one.
          log: called with each progress line; prints to stderr by default.

        Returns:
          The source, and the path of its data.

        Raises:
          UsageError: no source has that key.
          ZooError: it is unavailable.
        """
        keys = [each.key for each in self.sources]
        if key is not None and key not in keys:
            raise UsageError(f"{self.name!r} has no source {key!r}.{suggest(key, keys)}")
        line = log or _default_log()
        source, path, _ = self._first_available(key, lambda each: each.fetch(line))
        return source, path

    def _first_available(
        self, key: str | None, use: Callable[[Source], T]
    ) -> tuple[Source, T, list[str]]:
        """Calls `use` on the first available source, or on the source with the given key.

        Returns:
          The source, the result of `use`, and a note on each source that failed.
        """
        from zoo.data.fetch import Unavailable

        notes: list[str] = []
        tried = self.sources_of(key)
        for each in tried:
            try:
                return each, use(each), notes
            except Unavailable as error:
                notes.append(f"{each.title} is not available from {each.key}: {error}")
        if not self.sources:
            raise UsageError(
                f"There is no public source of {self.name!r}; give your own file with --data."
            )
        others = [f"--data {each.key}" for each in self.sources if each not in tried]
        raise ZooError(
            f"The data {self.name!r} are not available: {'; '.join(notes)}. Connect to a network, "
            f"set ZOO_MIRROR, or use {', '.join([*others, 'your own file'])}."
        )


def _default_log() -> Log:
    from zoo.data import fetch

    return fetch.log
