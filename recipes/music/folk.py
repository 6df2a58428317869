"""Folk tunes in ABC notation, with their type and key.

F. O'Neill: Music of Ireland, 1903 (1,850 tunes); W. B. Ryan: Mammoth Collection, 1883 (1,050);
J. Aird: A Selection of Scotch, English, Irish and Foreign Airs, six volumes, 1782–1801, as Jack
Campin transcribed them. All three lie in the wheel of music21 (M. S. Cuthbert, C. Ariza, ISMIR
2010) as volunteers have typed them.

A tune's type is the value of its field `R:`; without it, in O'Neill's collection, the part of the
book; without that, the type that its title names ("Quick Step" is a march); else `tune`. Rare types
are `tune` too. Its key is the value of `K:`.

Many tunes occur in several settings, under one name or several. Tunes with the same title, or with
the same 16 steps of the melody in a row, are in the same split.
"""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Hashable, Iterable, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from zoo.data import Dataset, Examples, Wheel
from zoo.errors import ZooError

if TYPE_CHECKING:
    from recipes.music import abc
    from zoo.data import Splits
    from zoo.data.reading import Reading
    from zoo.data.sources import Parts

OTHER = "tune"  # the type of tunes without one
TYPES = (
    "reel", "jig", "slip jig", "hornpipe", "strathspey", "march", "clog", "fling", "long dance",
    "air", OTHER,
)  # fmt: skip
TYPE_ALIASES = {
    "double jig": "jig",
    "slipjig": "slip jig",
    "highland fling": "fling",
    "quick step": "march",
    "quickstep": "march",
}
# O'Neill's book has a part for each type; this is the number of each part's last tune. Among the
# airs are those of O'Carolan (626 to 700).
ONEILL = {
    "air": 700, "jig": 1115, "slip jig": 1175, "reel": 1555, "hornpipe": 1781, "long dance": 1800,
}  # fmt: skip

TEMPO = {  # usual tempo of a type, in quarter notes per minute
    "reel": 200, "jig": 170, "slip jig": 170, "hornpipe": 160, "strathspey": 130, "clog": 140,
    "fling": 140, "march": 120, "long dance": 140, "air": 80, "tune": 120,
}  # fmt: skip

MIN_TUNES_PER_KEY = 10  # tunes in rarer keys are omitted
MIN_TUNES_PER_TOKEN = 5  # tunes with a rarer token are omitted
MIN_FULL_BARS = 0.75  # minimum fraction of bars that fill the metre; below, the metre is wrong
RUN_LENGTH = 16  # consecutive steps that are equal in two variants of one tune


def sample() -> Examples:
    from recipes.music import abc

    parts = {
        ("jig", "[M:6/8]"): ["GAB c2d", "e2c d2B", "cBA B2G", "A2F G3", "dBG AFD", "B2B A2A"],
        ("reel", "[M:2/2]"): ["G2BG dGBG", "c2ec g2fe", "dBGB AFDF", "G2B2 G4", "e>def g2fe"],
    }
    rows = []
    for (kind, meter), bars in parts.items():
        for key in ("G major", "D major"):
            for start in range(1, len(bars)):
                first = [*bars[start:], *bars[:start]]
                halves = [first, first[::-1]] if key == "G major" else [first[::-1], first]
                one, other = (" | ".join(part) for part in halves)
                text = f"{meter} |: {one} :| {other} |]"
                rows.append((kind, key, abc.join(abc.tokens(text)), f"{kind} in {key}, {start}"))
    return dict(zip(("type", "key", "tune", "title"), map(list, zip(*rows, strict=True)),
                    strict=True))  # fmt: skip


def read_corpus(members: Mapping[str, bytes]) -> tuple[dict[str, Examples], list[str]]:
    """Reads the files of the three collections; the notes say what was omitted and why."""
    from recipes.music import abc

    tunes = []
    for name, content in members.items():
        collection = PurePosixPath(name).parent.name
        text = content.decode("utf-8")
        tunes += [(collection, tune) for tune in abc.split_tunes(text, whole=True)]
    rows, failed = read_tunes(tunes, strict=True)
    notes = [f"{failed:,} of {len(tunes):,} tunes cannot be written with one voice, key and metre"]
    full = [full_bar_fraction(row["tokens"]) >= MIN_FULL_BARS for row in rows]
    notes.append(f"{full.count(False):,} omitted whose bars do not fill their metre")
    rows = [row for row, is_full in zip(rows, full, strict=True) if is_full]
    keys = Counter(row["key"] for row in rows)
    used = Counter(token for row in rows for token in set(row["tokens"]))
    common = [
        row
        for row in rows
        if keys[row["key"]] >= MIN_TUNES_PER_KEY
        and min(used[token] for token in row["tokens"]) >= MIN_TUNES_PER_TOKEN
    ]
    notes.append(f"{len(rows) - len(common):,} omitted in rare keys or with rare signs")
    return {"train": examples(common)}, notes


def read_file(
    path: Path, columns: Mapping[str, str] | None = None, *, reading: Reading | None = None
) -> Examples:
    """Reads a custom ABC file, or the melody of a MIDI or MusicXML file.

    Raises:
      UsageError: no such file, columns or their options are given, or an encoding that cannot be
        detected.
      ZooError: it cannot be read, or holds no tune of one voice, key and metre.
    """
    from zoo.data.reading import Reading, refuse_table_options

    reading = reading or Reading()
    refuse_table_options(path, columns, reading.options)
    rows, note = read_rows(path, reading)
    if note:
        reading.note(note)
    return examples(rows)


def read_rows(path: Path, reading: Reading) -> tuple[list[dict], str]:
    """Returns the rows of a file, and a note on the omitted tunes, `""` for none."""
    from recipes.music import abc
    from recipes.music.read import ABC
    from zoo.data import contents

    if path.suffix.lower() not in ABC:
        return [melody(path)], ""
    tunes = abc.split_tunes(contents.read_text(path, reading))
    rows, failed = read_tunes(("", tune) for tune in tunes)
    if not rows:
        raise ZooError(
            f"{path} has {len(tunes):,} ABC tunes, none of which has one voice, key and metre. A "
            "tune needs the fields X:, M:, L: and K:, then its notes."
        )
    note = (
        f"{failed:,} of {len(tunes):,} tunes of {path.name} omitted: they cannot be written with "
        "one voice, key and metre"
    )
    return rows, note if failed else ""


def melody(path: Path) -> dict:
    """Returns the row of a MIDI or MusicXML file; the title and type are those of its name."""
    from recipes.music import abc
    from recipes.music.melody import to_tune
    from recipes.music.read import parse_score

    score = parse_score(path)
    try:
        key, tokens = to_tune(score)
    except ZooError as error:
        raise ZooError(f"{path} cannot be written as a tune: {error}") from error
    name = re.sub(r"[_-]+", " ", path.stem)
    kind = type_of(abc.Tune({"T": [name]}, ()))
    return {"type": kind, "key": key, "title": plain_title(name) or name, "tokens": tokens}


def read_folder(path: Path, *, reading: Reading | None = None) -> tuple[Parts, list[str], str, str]:
    """Reads a folder of ABC, MIDI and MusicXML files; returns its splits, notes, title, licence."""
    from recipes.music import corpus
    from zoo.data.reading import Reading

    how, notes = reading or Reading(), list[str]()

    def read(files: Sequence[Path]) -> tuple[Examples, list[tuple[Path, str]]]:
        rows, failed = [], []
        for file in files:
            try:
                more, note = read_rows(file, how)
            except ZooError as error:
                failed.append((file, str(error)))
                continue
            rows += more
            notes.extend([note] if note else [])
        return examples(rows), failed

    parts, more = corpus.read_folder(path, read)
    return parts, [*notes, *more], f"{path.name} (custom data)", ""


def read_prime(path: Path) -> dict[str, str]:
    """Reads an ABC, MIDI or MusicXML file that a new tune continues.

    Returns:
      `prime`: the notes of its first tune in canonical form, without the bar line that ends it;
      and `type` and `key`, where the file has them.

    Raises:
      ZooError: it cannot be read.
    """
    from recipes.music import abc
    from recipes.music.read import MIDI, MUSICXML

    if path.suffix.lower() in (*MIDI, *MUSICXML):
        row = melody(path)
        return {
            "prime": abc.join([*row["tokens"][:-1], "|"]),
            "key": row["key"],
            "type": row["type"],
        }
    text = read_text(path)
    try:
        tunes = abc.split_tunes(text if re.search(r"(?m)^X:", text) else f"X:1\n{text}")
        if tunes:
            key, tokens = abc.read_tune(tunes[0])
            labels = {"key": key, "type": type_of(tunes[0])}
        else:  # notes without any field
            tokens, labels = abc.canonical(text.split("\n"), allowed=abc.IGNORED_FIELDS), {}
    except ZooError as error:
        raise ZooError(f"{path} is not a tune in one voice, key and metre: {error}") from error
    if tokens[-1] in ("|]", ":|"):
        tokens = [*tokens[:-1], "|"]
    return {"prime": abc.join(tokens), **labels}


def read_text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise ZooError(f"{path} cannot be read as ABC in UTF-8 ({error}).") from error


def read_tunes(
    tunes: Iterable[tuple[str, abc.Tune]], strict: bool = False
) -> tuple[list[dict], int]:
    """Returns the rows of the tunes that can be read, and the number of the others.

    `strict` is that of `abc.read_tune`. A row has `type`, `key`, `title` and `tokens`.
    """
    from recipes.music import abc

    rows, failed = [], 0
    for collection, tune in tunes:
        try:
            key, tokens = abc.read_tune(tune, strict)
        except ZooError:
            failed += 1
            continue
        title = plain_title(tune.first("T")) or abc.join(tokens)
        rows.append(
            {"type": type_of(tune, collection), "key": key, "title": title, "tokens": tokens}
        )
    return rows, failed


def examples(rows: list[dict]) -> Examples:
    """Converts rows to columns; variants of one tune get the same title."""
    from recipes.music import abc

    titles = families([(row["title"], runs(row["tokens"])) for row in rows])
    return {
        "type": [row["type"] for row in rows],
        "key": [row["key"] for row in rows],
        "tune": [abc.join(row["tokens"]) for row in rows],
        "title": titles,
    }


def type_of(tune: abc.Tune, collection: str = "") -> str:
    """Returns one of `TYPES`, by the rule in the module's docstring."""
    kind = tune.first("R").lower().strip()
    if kind:
        kind = TYPE_ALIASES.get(kind, kind)
        return kind if kind in TYPES else OTHER
    number = re.match(r"[0-9]+", tune.first("X"))
    if collection == "oneills1850" and number:
        part = next((name for name, last in ONEILL.items() if int(number[0]) <= last), "")
        if part:
            return part
    titles = " ".join(tune.fields.get("T", ())).lower()
    names = sorted([*TYPES[:-1], *TYPE_ALIASES], key=len, reverse=True)  # "slip jig" before "jig"
    match = re.search(rf"\b({'|'.join(names)})s?\b", titles)
    return TYPE_ALIASES.get(match[1], match[1]) if match else OTHER


def plain_title(title: str) -> str:
    """Returns a title without case, article and type: both `"Cup of Tea Jig, The"` and
    `"CUP OF TEA -- JIG"` are `"cup of tea"`."""
    title = re.sub(r" *--? .*|, *the *$|^(the|a|an) ", "", re.sub(r"[.']", "", title.lower()))
    words = " ".join(re.findall(r"[a-z0-9]+", title))
    return re.sub(rf" ({'|'.join([*TYPES, *TYPE_ALIASES])})$", "", words)


def runs(tokens: list[str]) -> list[tuple[int, ...]]:
    """Returns each run of `RUN_LENGTH` steps of a melody, in degrees of its scale.

    A run is the same in any key and rhythm. Runs with fewer than three different steps, such as
    scales, are omitted: they are in too many tunes.
    """
    from recipes.music import abc

    heights = abc.heights(tokens)
    steps = [after - before for before, after in itertools.pairwise(heights)]
    windows = (
        tuple(steps[start : start + RUN_LENGTH]) for start in range(len(steps) - RUN_LENGTH + 1)
    )
    return [run for run in windows if len(set(run)) >= 3]


def families(tunes: list[tuple[str, list[tuple[int, ...]]]]) -> list[str]:
    """Returns one title for all tunes that are connected by an equal title or run."""
    parent: dict[Hashable, Hashable] = {}

    def root(node: Hashable) -> Hashable:
        while parent.setdefault(node, node) != node:
            parent[node] = parent[parent[node]]
            node = parent[node]
        return node

    for title, title_runs in tunes:
        for run in title_runs:
            parent[root(run)] = root(title)
    first: dict[Hashable, str] = {}
    for title, _ in tunes:
        first.setdefault(root(title), title)
    return [first[root(title)] for title, _ in tunes]


def full_bar_fraction(tokens: list[str]) -> float:
    from recipes.music import abc

    full = abc.full_bars(abc.bars(tokens), abc.meter_of(tokens))
    return sum(full) / len(full)


def facts(splits: Splits) -> list[str]:
    from recipes.music.facts import of_tunes

    return of_tunes(splits)


FOLK = Dataset(
    name="folk",
    title="Folk tunes of O'Neill's, Ryan's and Aird's collections",
    homepage="https://www.music21.org/music21docs/about/referenceCorpus.html",
    licence="the tunes are in the public domain; their transcribers are named in the files",
    columns={
        "type": "what the tune is for, such as jig or air",
        "key": "tonic and mode, such as A dorian",
        "tune": "its metre and notes, in ABC with eighths as the unit",
        "title": "a title that all its variants share",
    },
    sources=(
        Wheel(
            "music21==10.5.1",
            title="Folk tunes (O'Neill, Ryan, Aird)",
            member="music21/corpus/[ora][nyi][ear]*/*.abc",
            sha256="dc3309498c4c95cebdf8d4f20c868deb6b63bce1d929cad4f51a7ccc982987b1",
            size=20_118_992,
            read=read_corpus,
        ),
    ),
    sample=sample,
    label="",
    deduplicate_by="tune",
    group="title",
    facts=facts,
    reader=read_file,
    suffixes=(".abc",),
    folder=read_folder,
)


def known(assets: Mapping[str, Sequence[str]], examples: Examples) -> Examples:
    """Returns the rows whose type and key occur in training tunes; only these can be scored.

    In the built-in corpora these are all rows. In a small custom corpus, a key may occur in the
    test split only.

    Args:
      assets: `types` and `keys` of the training tunes.
      examples: with the columns `type` and `key`.

    Raises:
      ZooError: no row is left.
    """
    pairs = zip(examples["type"], examples["key"], strict=True)
    is_known = [kind in assets["types"] and key in assets["keys"] for kind, key in pairs]
    if not any(is_known):
        raise ZooError("No tune has a type and key of the training tunes. Give more tunes.")
    return {
        name: [value for value, keep in zip(values, is_known, strict=True) if keep]
        for name, values in examples.items()
    }
