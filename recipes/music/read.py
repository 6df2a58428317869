"""MIDI, MusicXML and ABC files as frames."""

from __future__ import annotations

import io
import math
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict
from xml.etree import ElementTree

from recipes.music.keys import HIGHEST, LOWEST
from recipes.music.libraries import one_line, require, suppress_output
from recipes.music.midi import bar_starts, parse_midi
from recipes.music.piece import TOLERANCE
from zoo.errors import UsageError, ZooError

if TYPE_CHECKING:
    import music21

    from zoo.data.reading import Reading

MIDI = (".mid", ".midi")
MUSICXML = (".musicxml", ".xml", ".mxl")
ABC = (".abc",)

# Far beyond any piece.
MAX_BYTES = 10_000_000
MAX_QUARTERS = 10_000

# The position in a frame, as a fraction of its length, at which its notes are read: late enough for
# a player who is a little late, early enough for a note that is played short.
_OFFSET = 0.125


@dataclass(frozen=True)
class Excerpt:
    """A piece of music as frames, and where its bars begin.

    Attributes:
      frames: MIDI numbers of each, 21 to 108, ascending and without repetitions; empty for
        silence.
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
      bars: where bars begin, in quarter notes, ascending; at least one.
      time: time signature of the first whole bar.
    """

    spans: Sequence[tuple[float, float, int]]
    bars: Sequence[float]
    time: tuple[int, int]


def read_score(path: Path | str, quarter_length: float) -> list[tuple[int, ...]]:
    """Reads the notes of each frame of a file, as `read_excerpt` does."""
    return read_excerpt(path, quarter_length).frames


def read_excerpt(path: Path | str, quarter_length: float) -> Excerpt:
    """Reads the notes of each frame of a MIDI, MusicXML or ABC file; of several tunes, the first.

    A frame has the notes that sound an eighth of its length after its beginning: shorter notes
    between two frames are omitted. Drums, and rests before the first and after the last note, are
    omitted too. The tempo and the repeats of the file are ignored: time is counted in written
    quarter notes. Parts of transposing instruments are read as they sound.

    Args:
      path: a file that ends in `.mid`, `.midi`, `.musicxml`, `.xml`, `.mxl` or `.abc`.
      quarter_length: length of a frame in quarter notes.

    Raises:
      UsageError: the file has another ending.
      ZooError: the file is missing, damaged, or has no note, one that is not on a piano, or an
        absurd length; or music21, which reads MusicXML, is missing.
    """
    return _excerpt(path, parse_score(path), quarter_length)


def read_excerpts(path: Path, quarter_length: float, reading: Reading) -> list[Excerpt]:
    """Reads all pieces of a file as `read_excerpt` does: an ABC file may have many.

    Tunes that cannot be read are omitted, with a note, if at least one can be read.

    Args:
      path: as for `read_excerpt`.
      quarter_length: length of a frame in quarter notes.
      reading: how an ABC file is read; receives notes.

    Raises:
      UsageError: an encoding that cannot be detected, or as `read_excerpt`.
      ZooError: no tune can be read, or as `read_excerpt`.
    """
    if path.suffix.lower() not in ABC:
        return [read_excerpt(path, quarter_length)]
    from recipes.music import abc
    from zoo.data import contents

    result, failed = [], []
    tunes = abc.split_tunes(contents.text_of(path, _bytes(path), reading))
    for tune in tunes:
        try:
            result.append(_excerpt(path, abc_score(abc.whole_text(tune)), quarter_length))
        except ZooError as error:
            failed.append(error)
    if not result:
        raise failed[0] if failed else ZooError(f"{path} has no ABC tune.")
    if failed:
        reading.note(
            f"{len(failed):,} of {len(tunes):,} tunes of {path.name} omitted that cannot be read; "
            f"the first: {one_line(failed[0])}"
        )
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
      ZooError: one is not on a piano or too late; the message begins with `name`.
    """
    for _, end, pitch in spans:
        if not LOWEST <= pitch <= HIGHEST:
            raise ZooError(
                f"{name} has the note {pitch}, which is not on a piano: MIDI numbers {LOWEST} to "
                f"{HIGHEST} are."
            )
        if end > MAX_QUARTERS:
            raise ZooError(
                f"{name} is {end:,.0f} quarter notes long; the maximum is {MAX_QUARTERS:,}."
            )


def _upbeat(bars: Sequence[float], start: float) -> float:
    """Returns the quarter notes from `start` to the next bar line, 0 at one.

    A bar that is shorter than the next one is an upbeat as a whole.
    """
    index = max((n for n, bar in enumerate(bars) if bar <= start + TOLERANCE), default=0)
    if index + 1 == len(bars):
        return 0.0
    size = bars[index + 1] - bars[index]
    short = index + 2 < len(bars) and size < bars[index + 2] - bars[index + 1] - TOLERANCE
    return bars[index + 1] - start if short or start > bars[index] + TOLERANCE else 0.0


def _bytes(path: Path) -> bytes:
    try:
        with open(path, "rb") as file:
            data = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise ZooError(f"{path} does not exist. Give the path of a music file.") from None
    except OSError as error:
        raise ZooError(f"{path} cannot be read: {error.strerror or error}.") from error
    if not data:
        raise ZooError(f"{path} is empty.")
    if len(data) > MAX_BYTES:
        raise ZooError(
            f"{path} is larger than {MAX_BYTES // 1_000_000} MB; that is too large for one piece."
        )
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
        first, last = (math.ceil(time / length - _OFFSET - TOLERANCE) for time in (start, end))
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
    return Score(file.spans, *bar_starts(file.meters, min(file.length, MAX_QUARTERS)))


def _abc(path: Path, data: bytes) -> Score:
    """Reads the first tune of an ABC file, each of its measures once."""
    from recipes.music import abc

    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ZooError(f"{path} cannot be read as ABC in UTF-8 ({one_line(error)}).") from error
    tunes = abc.split_tunes(text)
    try:
        return abc_score(abc.whole_text(tunes[0]) if tunes else text)
    except ZooError as error:
        raise ZooError(f"{path}: {error}") from error


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
        with suppress_output():
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
            f"{path} is not MusicXML, or is damaged ({one_line(error)}). Export it again."
        ) from error


def midi_number(pitch: music21.pitch.Pitch) -> int:
    """Returns the MIDI number of a music21 pitch; a quarter tone is rounded.

    The attribute `midi` of the library would move pitches below 0 or above 127 by octaves.
    """
    return round(pitch.ps)


def _unpacked(path: Path, data: bytes) -> bytes:
    """Returns the score inside a compressed MusicXML file (`.mxl`)."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        container = ElementTree.fromstring(_member(path, archive, "META-INF/container.xml"))
        root = container.find(".//{*}rootfile")
        if root is None:
            raise ZooError(f"{path} names no score in its META-INF/container.xml.")
        return _member(path, archive, root.attrib["full-path"])


def _member(path: Path, archive: zipfile.ZipFile, name: str) -> bytes:
    with archive.open(name) as file:
        data = file.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise ZooError(f"{path} unpacks to more than {MAX_BYTES // 1_000_000} MB.")
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
    """Returns `beats` and `upbeat` of the file that a piece continues, for `write_frames`.

    Args:
      answer: the generated piece with its inputs `prime`, a path, and `chord`.
      quarter_length: of a frame, in quarter notes.

    Returns:
      An empty dict without a file, or where a bar is not a whole number of quarter notes.
    """
    if not answer.get("prime"):
        return {}
    excerpt = read_excerpt(answer["prime"], quarter_length)
    numerator, denominator = excerpt.time
    if 4 * numerator % denominator:
        return {}
    beats = 4 * numerator // denominator
    chord = quarter_length if answer.get("chord") else 0  # a frame before those of the file
    return {"beats": beats, "upbeat": (excerpt.upbeat + chord) % beats}
