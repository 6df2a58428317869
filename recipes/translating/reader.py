"""Reads sentence pairs in common file formats.

    a table with columns named text and translation, source and target, or by the languages
    {"translation": {"en": "A dog.", "fr": "Un chien."}}
    two files whose lines are aligned (Moses): corpus.en and corpus.fr
    TMX: <tu><tuv xml:lang="en"><seg>A dog.</seg></tuv> …</tu>
    lines without a header, as in Tatoeba: A dog.<TAB>Un chien.<TAB>CC-BY …

Light: importing this module imports neither TensorFlow nor NumPy.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from zoo.data import contents, dialects, folders, formats, tables
from zoo.data.formats import Records
from zoo.data.reading import Reading, refuse_table_options, some
from zoo.errors import UsageError, ZooError, quoted

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

    from zoo.data.sources import Examples, Parts

TMX = (".tmx",)
LANGUAGES = {  # two-letter code to other names of the language
    "az": ("aze", "azerbaijani"),
    "be": ("bel", "belarusian"),
    "cs": ("ces", "cze", "czech"),
    "da": ("dan", "danish"),
    "de": ("deu", "ger", "german", "deutsch"),
    "el": ("ell", "gre", "greek"),
    "en": ("eng", "english"),
    "es": ("spa", "spanish"),
    "fi": ("fin", "finnish"),
    "fr": ("fra", "fre", "french"),
    "gl": ("glg", "galician"),
    "he": ("heb", "hebrew"),
    "hu": ("hun", "hungarian"),
    "it": ("ita", "italian"),
    "ja": ("jpn", "japanese"),
    "ko": ("kor", "korean"),
    "nl": ("nld", "dut", "dutch"),
    "no": ("nor", "norwegian"),
    "pl": ("pol", "polish"),
    "pt": ("por", "portuguese"),
    "ro": ("ron", "rum", "romanian"),
    "ru": ("rus", "russian"),
    "sv": ("swe", "swedish"),
    "tr": ("tur", "turkish"),
    "uk": ("ukr", "ukrainian"),
    "zh": ("zho", "chi", "chinese"),
}
SIDES = {"text": ("source", "src"), "translation": ("target", "tgt", "trg")}
# Elements of TMX sentences that contain formatting codes instead of text.
CODES = {"bpt", "ept", "ph", "it", "ut"}
LANG = "{http://www.w3.org/XML/1998/namespace}lang"


@dataclasses.dataclass(frozen=True)
class PairReader:
    """Reads sentence pairs of two languages.

    Attributes:
      source, target: two-letter codes of the languages of `text` and `translation`.
    """

    source: str
    target: str

    def read(
        self,
        path: Path,
        columns: Mapping[str, str] | None = None,
        reading: Reading | None = None,
    ) -> Examples:
        """Reads a file of sentence pairs; serves as the `reader` of a `Dataset`.

        Returns:
          `text` and `translation`.

        Raises:
          UsageError: the file does not exist or is ambiguous, or columns or their options are given
            for aligned files or TMX.
          ZooError: the file is damaged, or has invalid pairs; the message lists their lines.
        """
        reading, names = reading or Reading(), dict(columns or {})
        name = contents.inner_name(path)
        if self._side(path) or name.endswith(TMX):
            refuse_table_options(path, columns, reading.options)
        if self._side(path):
            return self._aligned(path, reading)
        if name.endswith(TMX):
            return self._tmx(path, reading)
        if name.endswith((".txt", ".tsv", ".csv", ".tab")) and path.is_file():
            rows = self._without_header(path, names, reading)
            if rows is not None:
                return rows
        records = formats.read_records(path, reading)
        names = names or self._named(path, records, reading)
        table = tables.read(path, SIDES, "", names, reading=reading, records=records)
        return table.columns

    def folder(
        self, folder: Path, reading: Reading | None = None
    ) -> tuple[Parts, list[str], str, str]:
        """Reads a folder of aligned files: `train.en`, `train.fr`, optionally `dev.*`, `test.*`."""
        reading = reading or Reading()
        found: dict[str, Path] = {}
        others, unread = [], []  # others: files that belong to no split
        for path in sorted(folder.iterdir()):
            if not path.is_file() or not contents.is_data(path.name):
                continue
            side = self._side(path)
            if not side:
                unread.append(path.name)
            elif side == "text":
                split = folders.split_of(_stem(path))
                if split in found:
                    raise UsageError(f"{folder} has both {found[split].name} and {path.name}.")
                if split:
                    found[split] = path
                else:
                    others.append(path)
        if "train" not in found and len(others) == 1:
            found["train"] = others.pop()
        if "train" not in found:
            raise UsageError(
                f"{folder} has no training pairs: it needs train.csv (or .tsv, .jsonl, .tmx, …) "
                f"or two aligned files, train.{self.source} and train.{self.target}."
            )
        parts = {split: self._aligned(path, reading) for split, path in found.items()}
        notes = folders.Layout({}, [*unread, *(path.name for path in others)]).note()
        return parts, notes, f"{folder.resolve().name} (custom data)", ""

    def _names(self, side: str) -> tuple[str, ...]:
        code = self.source if side == "text" else self.target
        return (code, *LANGUAGES.get(code, ()))

    def _side(self, path: Path) -> str:
        """Returns the side of an aligned file according to its suffix, `""` for other files."""
        ending = contents.inner_name(path).rpartition(".")[2] if "." in path.name else ""
        return next((side for side in SIDES if ending in self._names(side)), "")

    def _aligned(self, path: Path, reading: Reading) -> Examples:
        """Reads two aligned files, given the path of one of them."""
        pair = {self._side(path): path}
        other = "translation" if "text" in pair else "text"
        stem = _stem(path)
        partners = [
            each
            for each in sorted(path.parent.iterdir())
            if each.is_file() and self._side(each) == other and _stem(each) == stem
        ]
        if not path.is_file():
            raise UsageError(f"There is no file {path}.")
        if len(partners) != 1:
            wanted = f"{stem}.{self.target if other == 'translation' else self.source}"
            raise UsageError(
                f"{path} needs the file of its {other} beside it, {wanted}."
                if not partners
                else f"Beside {path} are both {partners[0].name} and {partners[1].name}."
            )
        pair[other] = partners[0]
        reading.found(path, f"with {partners[0].name}, line by line")
        sides = {
            side: contents.split_lines(contents.read_text(pair[side], reading))
            for side in ("text", "translation")
        }
        sizes = {side: len(lines) for side, lines in sides.items()}
        if sizes["text"] != sizes["translation"]:
            raise ZooError(
                f"{pair['text']} has {sizes['text']:,} lines and {pair['translation'].name} "
                f"{sizes['translation']:,}: they are not aligned. Correct the files."
            )
        numbers = list(range(1, sizes["text"] + 1))
        rows = list(zip(sides["text"], sides["translation"], strict=True))
        return _pairs(path, rows, numbers, reading)

    def _tmx(self, path: Path, reading: Reading) -> Examples:
        """Reads a TMX translation memory."""
        from xml.etree import ElementTree

        try:
            root = ElementTree.fromstring(contents.read_bytes(path))
        except ElementTree.ParseError as error:
            raise ZooError(f"{path} is not TMX, or is damaged ({error}).") from None
        rows, numbers, languages = [], [], set()
        for number, unit in enumerate(root.iter("tu"), 1):
            said: dict[str, str] = {}
            for variant in unit.iter("tuv"):
                language = (variant.get(LANG) or variant.get("lang") or "").lower()
                segment = variant.find("seg")
                languages.add(language)
                if segment is not None:
                    code = language.replace("_", "-").partition("-")[0]
                    said.setdefault(code, "".join(_said(segment)))
            sides = {
                side: next((said[name] for name in self._names(side) if name in said), None)
                for side in SIDES
            }
            if any(value is not None for value in sides.values()):
                rows.append((sides["text"], sides["translation"]))
                numbers.append(number)
        if not any(None not in row for row in rows):
            raise ZooError(
                f"{path} has no pair of {self.source} and {self.target}; its languages are: "
                f"{some(sorted(languages))}."
            )
        return _pairs(path, rows, numbers, reading, "unit")

    def _named(self, path: Path, records: Records, reading: Reading) -> dict[str, str]:
        """Maps our column names to those of a table that uses other common names."""
        present = list(records.present)
        for row in records.rows[:1]:
            present += [name for name in formats.paths_of(row) if name not in present]
        if not {"text", "translation"} - set(present):
            nested = isinstance((records.rows or [{}])[0].get("translation"), Mapping)
            if not nested:
                return {}
        names = {}
        for side in SIDES:
            found = [name for name in present if self._means(name, side)]
            exact = [name for name in found if name.lower() in self._names(side)]
            if len(exact or found) == 1:
                names[side] = (exact or found)[0]
        if set(names) != set(SIDES):
            return {}
        listed = ", ".join(f"{side} from {quoted(name, 40)}" for side, name in names.items())
        reading.found(path, listed)
        return names

    def _means(self, column: str, side: str) -> bool:
        """Whether a column name denotes a language or a side: `en`, `translation.en`, `English`."""
        words = re.findall(r"[a-z]+", column.lower().rpartition(".")[2])
        return any(word in (*self._names(side), *SIDES[side]) for word in words)

    def _without_header(
        self, path: Path, names: Mapping[str, str], reading: Reading
    ) -> Examples | None:
        """Reads pairs from lines without a header; returns None if there is a header."""
        suffix = Path(contents.inner_name(path)).suffix
        tried = Reading(reading.options)
        text = contents.read_text(path, tried)
        usual = ".tsv" if suffix == ".txt" else suffix
        _, rows, said = dialects.sniff(text, path, usual, reading.options)
        first = rows[0][1]
        numbered = bool(names) and all(name.isdigit() for name in names.values())
        if not numbered and (names or self._is_header(first, suffix)):
            return None
        widths = sorted(len(row) for _, row in rows)
        width = widths[len(widths) // 2]
        if width < 2:
            return None
        reading.take(tried)
        for what in said:
            reading.found(path, what)
        at = {"text": 0, "translation": 1}
        if width >= 4 and all(row[0].isdigit() and row[2].isdigit() for _, row in rows[:50]):
            at = {"text": 1, "translation": 3}  # Tatoeba: the other columns are sentence numbers
        at |= {side: int(name) - 1 for side, name in names.items()}
        if not numbered:
            one, two = at["text"] + 1, at["translation"] + 1
            reading.found(
                path,
                f"no header, {self.source} in column {one} and {self.target} in column {two} "
                f"(--column text={two} --column translation={one} turns them round)",
            )
        if max(at.values()) >= width or min(at.values()) < 0:
            raise UsageError(f"{path} has {width} columns. Name two of them.")
        pairs = [
            tuple(row[column] if column < len(row) else None for column in at.values())
            for _, row in rows
        ]
        return _pairs(path, pairs, [number for number, _ in rows], reading)

    def _is_header(self, cells: Sequence[str], suffix: str) -> bool:
        """Whether a first line is a header: known column names, or cells that look like names."""
        names = [cell.strip().lower() for cell in cells]
        if {"text", "translation"} <= set(names):
            return True
        if all(any(self._means(name, side) for name in names) for side in SIDES):
            return all(len(name) < 40 for name in names)
        if suffix == ".txt":
            return False
        return all(re.fullmatch(r"[\w #/_-]{1,30}", name) for name in names)


def _stem(path: Path) -> str:
    return contents.inner_name(path).rpartition(".")[0]


def _said(segment: Element) -> list[str]:
    """Returns the text of a TMX sentence without formatting codes."""
    parts = [segment.text or ""]
    for child in segment:
        if child.tag not in CODES:
            parts += _said(child)
        parts.append(child.tail or "")
    return parts


def _pairs(
    path: Path,
    rows: Sequence[tuple[str | None, ...]],
    numbers: Sequence[int],
    reading: Reading,
    unit: str = "line",
) -> Examples:
    """Returns the pairs that have both sides; empty rows are ignored.

    Raises:
      ZooError: some pairs lack a side and must not be omitted, or there are no pairs.
    """
    texts, translations, wrong = [], [], []
    for number, (text, translation) in zip(numbers, rows, strict=True):
        sides = [bool(side and side.strip()) for side in (text, translation)]
        if all(sides):
            texts.append(text)
            translations.append(translation)
        elif any(sides):
            wrong.append(number)
    if wrong:
        reading.omit(path, "lacks a text or its translation", wrong, unit)
    if not texts:
        raise ZooError(f"{path} has no pair of sentences.")
    return {"text": texts, "translation": translations}
