"""Pieces that people have, MIDI or MusicXML files, as frames."""

from __future__ import annotations

import io
import math
import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from recipes.music.keys import HIGHEST, LOWEST
from recipes.music.libraries import line, quiet, require
from recipes.music.notation import midi_number
from recipes.music.piece import NEAR
from zoo.errors import UsageError, ZooError

MIDI = (".mid", ".midi")
MUSICXML = (".musicxml", ".xml", ".mxl")

# Far beyond any piece.
MOST_BYTES = 10_000_000
MOST_QUARTERS = 10_000

# Where in a frame it is heard what sounds: late enough for a player who is a little late, early
# enough for a note that is played short.
_LATE = 0.125
_DRUMS = 9


def read_score(path: Path | str, quarter_length: float) -> list[tuple[int, ...]]:
    """Reads what sounds in each frame of a MIDI or MusicXML file.

    A frame has the notes that sound an eighth of its length after its beginning: shorter notes
    between two frames are left out. Drums are left out, and so are rests before the first note and
    after the last. The tempo and the repeats of the file do not matter: time is counted in the
    quarter notes that are written.

    Args:
      path: a file that ends in `.mid`, `.midi`, `.musicxml`, `.xml` or `.mxl`.
      quarter_length: length of a frame in quarter notes.

    Returns:
      For each frame its MIDI numbers, 21 to 108, ascending and without repetitions; empty where
      nothing sounds.

    Raises:
      UsageError: the file has another ending.
      ZooError: the file is missing, damaged, or has no note, one that is not on a piano, or an
        absurd length; or a library of the extra `[music]` is missing.
    """
    path = Path(path)
    if not (quarter_length > 0 and math.isfinite(quarter_length)):
        raise ZooError(f"quarter_length is {quarter_length}: give a number above 0.")
    ending = path.suffix.lower()
    if ending not in (*MIDI, *MUSICXML):
        raise UsageError(
            f"{path} is neither MIDI ({', '.join(MIDI)}) nor MusicXML ({', '.join(MUSICXML)}) by "
            "its ending."
        )
    data = _bytes(path)
    spans = _midi(path, data) if ending in MIDI else _musicxml(path, data)
    if not spans:
        raise ZooError(f"{path} has no note (drums are not read).")
    for _, end, pitch in spans:
        if not LOWEST <= pitch <= HIGHEST:
            raise ZooError(
                f"{path} has the note {pitch}, which is not on a piano: MIDI numbers {LOWEST} to "
                f"{HIGHEST} are."
            )
        if end > MOST_QUARTERS:
            raise ZooError(
                f"{path} is {end:,.0f} quarter notes long; files are read of {MOST_QUARTERS:,} at "
                "most."
            )
    frames = _frames(spans, quarter_length)
    if not frames:
        raise ZooError(
            f"{path} has no note that sounds on a frame of {quarter_length:g} quarter notes."
        )
    return frames


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


def _frames(spans: Iterable[tuple[float, float, int]], length: float) -> list[tuple[int, ...]]:
    """Makes frames of notes given as `(start, end, pitch)` in quarter notes."""
    sounding: dict[int, set[int]] = {}
    for start, end, pitch in spans:
        first, last = (math.ceil(place / length - _LATE - NEAR) for place in (start, end))
        for index in range(max(first, 0), last):
            sounding.setdefault(index, set()).add(pitch)
    if not sounding:
        return []
    return [
        tuple(sorted(sounding.get(index, ()))) for index in range(min(sounding), max(sounding) + 1)
    ]


def _midi(path: Path, data: bytes) -> list[tuple[float, float, int]]:
    """Returns the notes of a MIDI file as `(start, end, pitch)`, in quarter notes."""
    require("mido", "pretty_midi")
    import mido
    import pretty_midi

    try:
        with quiet():
            file = mido.MidiFile(file=io.BytesIO(data))
            quarter = file.ticks_per_beat
            if quarter <= 0:
                raise ZooError(
                    f"{path} counts time in frames of film (SMPTE), which has no quarter notes."
                )
            ticks = max((sum(event.time for event in track) for track in file.tracks), default=0)
            # Before a table of all ticks is made.
            if ticks > MOST_QUARTERS * quarter:
                raise ZooError(
                    f"{path} is {ticks / quarter:,.0f} quarter notes long; files are read of "
                    f"{MOST_QUARTERS:,} at most."
                )
            file.tracks = [track for track in file.tracks if track]
            music = pretty_midi.PrettyMIDI(mido_object=file) if file.tracks else None
    except ZooError:
        raise
    except Exception as error:
        raise ZooError(
            f"{path} is not a MIDI file, or is damaged ({line(error)}). Export it again."
        ) from error
    if music is None:
        return []
    return [
        (
            music.time_to_tick(note.start) / quarter,
            music.time_to_tick(note.end) / quarter,
            note.pitch,
        )
        for instrument in music.instruments
        if not instrument.is_drum
        for note in instrument.notes
    ]


def _musicxml(path: Path, data: bytes) -> list[tuple[float, float, int]]:
    """Returns the notes of a MusicXML file as `(start, end, pitch)`, in quarter notes."""
    require("music21")
    from music21 import converter, harmony

    try:
        document = _unpacked(path, data) if zipfile.is_zipfile(io.BytesIO(data)) else data
        # The library reads UTF-8 only, and its errors do not say line and column.
        text = ElementTree.tostring(ElementTree.fromstring(document), encoding="unicode")
        with quiet():
            score = converter.parseData(text, format="musicxml")
            return [
                (
                    float(element.offset),
                    float(element.offset + element.quarterLength),
                    midi_number(pitch),
                )
                for element in score.flatten().notes
                if not isinstance(element, harmony.Harmony)
                for pitch in element.pitches
            ]
    except ZooError:
        raise
    except Exception as error:
        raise ZooError(
            f"{path} is not MusicXML, or is damaged ({line(error)}). Export it again."
        ) from error


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
