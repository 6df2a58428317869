"""Pieces that people have, MIDI, MusicXML or ABC files, as frames."""

from __future__ import annotations

import io
import math
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypedDict
from xml.etree import ElementTree

from recipes.music.keys import HIGHEST, LOWEST
from recipes.music.libraries import line, quiet, require
from recipes.music.midi import bar_starts, parse_midi
from recipes.music.piece import NEAR
from zoo.errors import UsageError, ZooError

MIDI = (".mid", ".midi")
MUSICXML = (".musicxml", ".xml", ".mxl")
ABC = (".abc",)

# Far beyond any piece.
MOST_BYTES = 10_000_000
MOST_QUARTERS = 10_000

# Where in a frame it is heard what sounds: late enough for a player who is a little late, early
# enough for a note that is played short.
_LATE = 0.125


@dataclass(frozen=True)
class Excerpt:
    """A piece of music as frames, and where its bars begin.

    Attributes:
      frames: for each its MIDI numbers, 21 to 108, ascending and without repetitions; empty where
        nothing sounds.
      upbeat: quarter notes before the first bar line, 0 where the first frame begins a bar.
      time: time signature, such as `(3, 4)`.
    """

    frames: list[tuple[int, ...]]
    upbeat: float
    time: tuple[int, int]


@dataclass(frozen=True)
class Score:
    """The notes of a file.

    Attributes:
      spans: `(start, end, pitch)` of each note, in quarter notes.
      bars: where bars begin, in quarter notes, ascending; one at least.
      time: time signature of the first whole bar.
    """

    spans: Sequence[tuple[float, float, int]]
    bars: Sequence[float]
    time: tuple[int, int]


def read_score(path: Path | str, quarter_length: float) -> list[tuple[int, ...]]:
    """Reads what sounds in each frame of a file, as `read_excerpt` does."""
    return read_excerpt(path, quarter_length).frames


def read_excerpt(path: Path | str, quarter_length: float) -> Excerpt:
    """Reads what sounds in each frame of a MIDI, MusicXML or ABC file; of several tunes, the first.

    A frame has the notes that sound an eighth of its length after its beginning: shorter notes
    between two frames are left out. Drums are left out, and so are rests before the first note and
    after the last. The tempo and the repeats of the file do not matter: time is counted in the
    quarter notes that are written. Parts of transposing instruments are read as they sound.

    Args:
      path: a file that ends in `.mid`, `.midi`, `.musicxml`, `.xml`, `.mxl` or `.abc`.
      quarter_length: length of a frame in quarter notes.

    Raises:
      UsageError: the file has another ending.
      ZooError: the file is missing, damaged, or has no note, one that is not on a piano, or an
        absurd length; or music21, which reads MusicXML, is missing.
    """
    return _excerpt(path, parse_score(path), quarter_length)


def read_excerpts(path: Path | str, quarter_length: float) -> list[Excerpt]:
    """Reads all pieces of a file as `read_excerpt` does: an ABC file may have many.

    Tunes that cannot be read are left out, where one can be.
    """
    path = Path(path)
    if path.suffix.lower() not in ABC:
        return [read_excerpt(path, quarter_length)]
    from recipes.music import abc

    result, failed = [], []
    for tune in abc.split_tunes(_abc_text(path, _bytes(path))):
        try:
            result.append(_excerpt(path, abc_score(abc.whole_text(tune)), quarter_length))
        except ZooError as error:
            failed.append(error)
    if not result:
        raise failed[0] if failed else ZooError(f"{path} has no ABC tune.")
    return result


def _excerpt(path: Path | str, score: Score, quarter_length: float) -> Excerpt:
    if not (quarter_length > 0 and math.isfinite(quarter_length)):
        raise ZooError(f"quarter_length is {quarter_length}: give a number above 0.")
    first, frames = _frames(score.spans, quarter_length)
    if not frames:
        raise ZooError(
            f"{path} has no note that sounds on a frame of {quarter_length:g} quarter notes."
        )
    return Excerpt(frames, _upbeat(score.bars, first * quarter_length), score.time)


def parse_score(path: Path | str) -> Score:
    """Reads the notes of a file; see `read_excerpt`."""
    path = Path(path)
    ending = path.suffix.lower()
    if ending not in (*MIDI, *MUSICXML, *ABC):
        raise UsageError(
            f"{path} is neither MIDI ({', '.join(MIDI)}) nor MusicXML ({', '.join(MUSICXML)}) nor "
            f"ABC ({', '.join(ABC)}) by its ending."
        )
    data = _bytes(path)
    read = _midi if ending in MIDI else _abc if ending in ABC else _musicxml
    score = read(path, data)
    if not score.spans:
        raise ZooError(f"{path} has no note (drums are not read).")
    check_spans(str(path), score.spans)
    return score


def check_spans(name: str, spans: Iterable[tuple[float, float, int]]) -> None:
    """Checks that notes are on a piano, and end in time.

    Raises:
      ZooError: they are or do not; the message begins with `name`.
    """
    for _, end, pitch in spans:
        if not LOWEST <= pitch <= HIGHEST:
            raise ZooError(
                f"{name} has the note {pitch}, which is not on a piano: MIDI numbers {LOWEST} to "
                f"{HIGHEST} are."
            )
        if end > MOST_QUARTERS:
            raise ZooError(
                f"{name} is {end:,.0f} quarter notes long; files are read of {MOST_QUARTERS:,} at "
                "most."
            )


def _upbeat(bars: Sequence[float], start: float) -> float:
    """Returns the quarter notes from `start` to the next bar line, 0 at one.

    A bar that is shorter than the next one is an upbeat as a whole.
    """
    place = max((n for n, bar in enumerate(bars) if bar <= start + NEAR), default=0)
    if place + 1 == len(bars):
        return 0.0
    size = bars[place + 1] - bars[place]
    short = place + 2 < len(bars) and size < bars[place + 2] - bars[place + 1] - NEAR
    return bars[place + 1] - start if short or start > bars[place] + NEAR else 0.0


def _bytes(path: Path) -> bytes:
    try:
        with open(path, "rb") as file:
            data = file.read(MOST_BYTES + 1)
    except FileNotFoundError:
        raise ZooError(f"{path} does not exist. Give the path of a music file.") from None
    except OSError as error:
        raise ZooError(f"{path} cannot be read: {error.strerror or error}.") from error
    if not data:
        raise ZooError(f"{path} is empty.")
    if len(data) > MOST_BYTES:
        raise ZooError(f"{path} is larger than {MOST_BYTES // 1_000_000} MB; that is no one piece.")
    return data


def _frames(
    spans: Iterable[tuple[float, float, int]], length: float
) -> tuple[int, list[tuple[int, ...]]]:
    """Makes frames of notes given as `(start, end, pitch)` in quarter notes.

    Returns:
      The number of the first frame that sounds, and the frames from it to the last one.
    """
    sounding: dict[int, set[int]] = {}
    for start, end, pitch in spans:
        first, last = (math.ceil(place / length - _LATE - NEAR) for place in (start, end))
        for index in range(max(first, 0), last):
            sounding.setdefault(index, set()).add(pitch)
    if not sounding:
        return 0, []
    first = min(sounding)
    return first, [
        tuple(sorted(sounding.get(index, ()))) for index in range(first, max(sounding) + 1)
    ]


def _midi(path: Path, data: bytes) -> Score:
    try:
        file = parse_midi(data)
    except ZooError as error:
        raise ZooError(
            f"{path} is not a MIDI file, or is damaged ({error}). Export it again."
        ) from error
    check_spans(str(path), file.spans)
    return Score(file.spans, *bar_starts(file.meters, min(file.length, MOST_QUARTERS)))


def _abc(path: Path, data: bytes) -> Score:
    """Reads the first tune of an ABC file, each of its measures once."""
    from recipes.music import abc

    text = _abc_text(path, data)
    tunes = abc.split_tunes(text)
    try:
        return abc_score(abc.whole_text(tunes[0]) if tunes else text)
    except ZooError as error:
        raise ZooError(f"{path}: {error}") from error


def _abc_text(path: Path, data: bytes) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ZooError(f"{path} cannot be read as ABC in UTF-8 ({line(error)}).") from error


def abc_score(text: str) -> Score:
    """Returns the notes of one ABC tune, each of its measures once.

    Raises:
      ZooError: it cannot be read.
    """
    from recipes.music.tune import parse_tune, to_piece

    piece = to_piece(parse_tune(text), repeats=False)
    spans = [(note.start, note.end, note.pitch) for note in piece.notes]
    return Score(spans, (*piece.bars, piece.length), piece.time)


def _musicxml(path: Path, data: bytes) -> Score:
    require("music21")
    from music21 import converter, harmony, meter, stream

    try:
        document = _unpacked(path, data) if zipfile.is_zipfile(io.BytesIO(data)) else data
        # The library reads UTF-8 only, and its errors do not say line and column.
        text = ElementTree.tostring(ElementTree.fromstring(document), encoding="unicode")
        with quiet():
            score = converter.parseData(text, format="musicxml").toSoundingPitch()
            spans = [
                (
                    float(element.offset),
                    float(element.offset + element.quarterLength),
                    midi_number(pitch),
                )
                for element in score.flatten().notes
                if not isinstance(element, harmony.Harmony)
                for pitch in element.pitches
            ]
            measures = list(score.parts[0].getElementsByClass(stream.Measure))
            bars = [float(each.offset) for each in measures]
            ends = [float(measures[-1].offset + measures[-1].highestTime)] if measures else []
            times = list(score.recurse().getElementsByClass(meter.TimeSignature))
            time = (times[0].numerator, times[0].denominator) if times else (4, 4)
            return Score(spans, [*bars, *ends] or [0.0], time)
    except ZooError:
        raise
    except Exception as error:
        raise ZooError(
            f"{path} is not MusicXML, or is damaged ({line(error)}). Export it again."
        ) from error


def midi_number(pitch: Any) -> int:
    """Returns the MIDI number of a music21 pitch, of a quarter tone the next one's.

    The library's own moves what is below 0 or above 127 by octaves until it fits.
    """
    return round(pitch.ps)


def _unpacked(path: Path, data: bytes) -> bytes:
    """Returns the score inside a compressed MusicXML file (`.mxl`)."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        container = ElementTree.fromstring(_member(path, archive, "META-INF/container.xml"))
        root: Any = container.find(".//{*}rootfile")
        if root is None:
            raise ZooError(f"{path} names no score in its META-INF/container.xml.")
        return _member(path, archive, root.attrib["full-path"])


def _member(path: Path, archive: zipfile.ZipFile, name: str) -> bytes:
    with archive.open(name) as file:
        data = file.read(MOST_BYTES + 1)
    if len(data) > MOST_BYTES:
        raise ZooError(f"{path} unpacks to more than {MOST_BYTES // 1_000_000} MB.")
    return data


class Bars(TypedDict, total=False):
    """Arguments of `write_frames`.

    Attributes:
      beats: quarter notes in a bar.
      upbeat: quarter notes before the first full bar.
    """

    beats: int
    upbeat: float


def bars_of(answer: Mapping[str, Any], quarter_length: float) -> Bars:
    """Returns `beats` and `upbeat` of the file that a piece goes on from, for `write_frames`.

    Args:
      answer: what was generated, with what it was to begin with: `prime`, a path, and `chord`.
      quarter_length: of a frame, in quarter notes.

    Returns:
      Nothing without a file, and for a metre that is no whole number of quarter notes.
    """
    if not answer.get("prime"):
        return {}
    excerpt = read_excerpt(answer["prime"], quarter_length)
    above, below = excerpt.time
    if 4 * above % below:
        return {}
    beats = 4 * above // below
    chord = quarter_length if answer.get("chord") else 0  # a frame before those of the file
    return {"beats": beats, "upbeat": (excerpt.upbeat + chord) % beats}
