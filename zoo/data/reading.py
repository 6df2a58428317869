"""Options for reading custom files, and notes about the files.

Light: importing this module imports neither TensorFlow nor pandas nor NumPy.
"""

from __future__ import annotations

import codecs
import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias, get_type_hints

from zoo.errors import (
    UsageError,
    ZooError,
    check_flag,
    check_integer,
    check_mapping,
    check_text,
    quoted,
    suggest,
)

SEPARATORS = {"comma": ",", "semicolon": ";", "tab": "\t", "pipe": "|", "none": ""}
QUOTINGS = ("csv", "none")
MAX_SHOWN = 5  # line numbers in a message before "and N more"
MAX_QUOTED = 40  # characters of each name in a list of names
REMEDY = "Correct the file, or drop such rows with --drop-bad."
DECIMALS = {"point": ".", "comma": ","}
# Options that say how a file is written, and options that say what is in the cells of a table.
FILE_OPTIONS = ("sep", "encoding", "quoting", "sheet", "records")
TABLE_OPTIONS = ("sep", "quoting", "decimal", "dayfirst", "sheet", "records")


@dataclasses.dataclass(frozen=True)
class ReadOptions:
    """Specifies how files are written. Options that are not given are detected from the file.

    Attributes:
      sep: separator of the columns: a name or character in `SEPARATORS`, or another single
        character; `"none"`: each line is a single cell.
      encoding: of the text, by its Python name, such as `"cp1252"`.
      quoting: `"csv"`: cells may be enclosed in quotation marks; `"none"`: a quotation mark is
        an ordinary character, and each line is a row.
      decimal: the decimal sign: `"point"` or `"comma"`, or the sign itself.
      dayfirst: whether 03/04/2024 is in April.
      sheet: of a workbook, by name or by number from 1.
      records: path of the list of rows in a JSON file, such as `"data.items"`.
      drop_bad: whether rows that cannot be used are omitted.
      repair: names of repairs that a reader offers in its messages, separated by commas.
      min_count: classes with fewer training rows are omitted; 0 keeps all.

    Raises:
      UsageError: an invalid value, or one of another type.
    """

    sep: str = ""
    encoding: str = ""
    quoting: str = ""
    decimal: str = ""
    dayfirst: bool | None = None
    sheet: str = ""
    records: str = ""
    drop_bad: bool = False
    repair: str = ""
    min_count: int = 0

    def __post_init__(self) -> None:
        for name, kind in get_type_hints(ReadOptions).items():
            value = _checked(f"The reading option {name!r}", getattr(self, name), kind)
            object.__setattr__(self, name, value)  # the fields are frozen
        if len(self.sep) > 1 and self.sep not in (*SEPARATORS, "\\t"):
            raise UsageError(
                f"--sep must be one character, or {', '.join(SEPARATORS)}; got {quoted(self.sep)}."
            )
        if self.sep in ("\n", "\r", '"'):
            raise UsageError(f"--sep cannot be {quoted(self.sep)}, which has another meaning.")
        if self.encoding:
            try:
                text_encoding = codecs.lookup(self.encoding)._is_text_encoding
            except (LookupError, ValueError):
                text_encoding = False
            if not text_encoding:
                raise UsageError(
                    f"Python knows no encoding {quoted(self.encoding)}; such names are utf-8, "
                    "utf-16, cp1252, latin-1, gb18030, shift_jis."
                )
        if self.quoting not in ("", *QUOTINGS):
            raise UsageError(f"Unknown quoting {quoted(self.quoting)}.{suggest('', QUOTINGS)}")
        if self.decimal not in ("", *DECIMALS, *DECIMALS.values()):
            raise UsageError(
                f"--decimal must be {' or '.join(DECIMALS)}; got {quoted(self.decimal)}."
            )
        if self.min_count < 0:
            raise UsageError(f"--min-count must be 0 or more; got {self.min_count}.")

    @property
    def separator(self) -> str | None:
        """The column separator; `""` if each line is a single cell; None if not given."""
        if self.sep == "\\t":
            return "\t"
        return SEPARATORS.get(self.sep, self.sep) if self.sep else None

    @property
    def decimal_sign(self) -> str:
        """`"."`, `","`, or `""` if not given."""
        return DECIMALS.get(self.decimal, self.decimal)

    def to_json(self) -> dict[str, Any]:
        """Returns the given options as recorded by a run; `reading_of` restores them."""
        default = ReadOptions()
        return {
            field.name: getattr(self, field.name)
            for field in dataclasses.fields(self)
            if getattr(self, field.name) != getattr(default, field.name)
        }


ReadingLike: TypeAlias = "Reading | ReadOptions | Mapping[str, Any] | None"
"""The types of a `reading` argument."""


@dataclasses.dataclass
class Reading:
    """The options for reading files, and the notes collected while reading.

    Attributes:
      options: how the files are written.
    """

    options: ReadOptions = dataclasses.field(default_factory=ReadOptions)
    _found: dict[str, dict[str, None]] = dataclasses.field(default_factory=dict)
    _notes: list[str] = dataclasses.field(default_factory=list)

    def found(self, path: Path | str, what: str) -> None:
        """Records what was detected about a file, such as `"separated by semicolons"`."""
        self._found.setdefault(Path(path).name, {})[what] = None

    def note(self, line: str) -> None:
        """Records a separate line."""
        if line not in self._notes:
            self._notes.append(line)

    def omit(self, path: Path | str, what: str, lines: Sequence[int], unit: str = "line") -> None:
        """Records that rows are omitted, if there are any and the options allow it.

        Args:
          path: of the file.
          what: is wrong with them, as for `complaint`.
          lines: their numbers.
          unit: what the numbers count.

        Raises:
          ZooError: `drop_bad` is not set.
        """
        if not lines:
            return
        wrong = complaint(what, lines, unit)
        if not self.options.drop_bad:
            raise ZooError(f"{path}: {wrong}. {REMEDY}")
        self.note(f"{Path(path).name}: {wrong}; omitted")

    def take(self, other: Reading) -> None:
        """Copies what another reading has recorded, such as one made for a trial."""
        for name, found in other._found.items():
            self._found.setdefault(name, {}).update(found)
        for line in other._notes:
            self.note(line)

    @property
    def notes(self) -> list[str]:
        """One line for each file that is not the plain case, then the lines of `note`."""
        files = [f"{name}: {', '.join(found)}" for name, found in self._found.items()]
        return [*files, *self._notes]


def reading_of(value: ReadingLike) -> Reading:
    """Converts a `reading` argument to a `Reading`; a `Reading` is returned unchanged.

    In a mapping, `sheet` may also be an integer.

    Raises:
      UsageError: an unknown option, or an invalid value.
    """
    if isinstance(value, Reading):
        return value
    if isinstance(value, ReadOptions):
        return Reading(value)
    check_mapping("reading", value)
    given = dict(value or {})
    known = [field.name for field in dataclasses.fields(ReadOptions)]
    for name in given:
        if name not in known:
            raise UsageError(f"Unknown reading option {quoted(name)}.{suggest(name, known)}")
    if isinstance(given.get("sheet"), int) and not isinstance(given["sheet"], bool):
        given["sheet"] = str(given["sheet"])
    return Reading(ReadOptions(**given))


def check_column_names(columns: Mapping[str, str] | None) -> None:
    """Checks the names in the data that `columns` gives.

    Raises:
      UsageError: one is not a str.
    """
    for ours, theirs in (columns or {}).items():
        check_text(f"The name of the column {quoted(ours)}", theirs)


def refuse_min_count(options: ReadOptions) -> None:
    """Checks that `min_count` is not given for rows that are not for training.

    Raises:
      UsageError: it is.
    """
    if options.min_count:
        raise UsageError(
            "--min-count counts the training rows of each class, but these rows are not for "
            "training. Omit it."
        )


def refuse_table_options(
    where: Path | str, columns: Mapping[str, str] | None, options: ReadOptions
) -> None:
    """Checks that columns and their options are not given for data that are no table.

    Args:
      where: the file or folder, for messages.
      columns: as for `zoo.train`.
      options: as given.

    Raises:
      UsageError: they are.
    """
    given = [name for name in options.to_json() if name in TABLE_OPTIONS]
    if columns:
        given.insert(0, "column")
    if given:
        raise UsageError(f"--{given[0]} is for tables, but {where} is none. Omit it.")


def refuse_file_options(options: ReadOptions, what: str) -> None:
    """Checks that options that say how a file is written are not given for other data.

    Args:
      options: as given.
      what: the other data and a verb, such as `"the data are"`.

    Raises:
      UsageError: they are.
    """
    given = [name for name in options.to_json() if name in FILE_OPTIONS]
    if given:
        raise UsageError(f"--{given[0]} is for files, but {what} in memory. Omit it.")


def _checked(name: str, value: Any, kind: object) -> Any:
    """Returns a value as the type of its field: JSON has no numbers of NumPy.

    Args:
      name: begins the message.
      value: as given.
      kind: the annotation of the field.

    Raises:
      UsageError: the value is of another type.
    """
    if kind is str:
        check_text(name, value)
    elif kind is int:
        check_integer(name, value)
        return int(value)
    elif value is not None or kind is bool:
        check_flag(name, value)
        return bool(value)
    return value


def numbers(lines: Sequence[int], what: str = "line") -> str:
    """Returns `"line 3"`, `"lines 3, 7"`, or the first few and the number of further lines."""
    first = ", ".join(str(line) for line in lines[:MAX_SHOWN])
    more = f" and {len(lines) - MAX_SHOWN:,} more" if len(lines) > MAX_SHOWN else ""
    return f"{what}{'s' if len(lines) > 1 else ''} {first}{more}"


def some(names: Sequence[str]) -> str:
    """Returns the first few names, quoted, and the number of further names."""
    more = f" and {len(names) - 10} more" if len(names) > 10 else ""
    return ", ".join(quoted(name, MAX_QUOTED) for name in names[:10]) + more


def complaint(what: str, lines: Sequence[int], unit: str = "line") -> str:
    """Returns `"lines 3, 7 have no text"` for `"has no text"`."""
    verb, _, rest = what.partition(" ")
    if len(lines) > 1:
        verb = {"has": "have", "is": "are", "lacks": "lack"}[verb]
    return f"{numbers(lines, unit)} {verb} {rest}"
