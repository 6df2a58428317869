"""Pieces as MusicXML, and ABC tunes as pieces, by music21."""

from __future__ import annotations

import re
from typing import Any

from recipes.music.keys import HIGHEST, KEYS, LOWEST, note_name
from recipes.music.libraries import line, quiet, require
from recipes.music.piece import FOUR_VOICES, NEAR, Note, Piece
from zoo.errors import ZooError


def musicxml(score: Any) -> bytes:
    """Returns a music21 score as MusicXML, the same bytes for the same score.

    Raises:
      ZooError: music21 cannot notate it.
    """
    from music21 import instrument, musicxml

    with quiet():
        try:
            for number, part in enumerate(score.parts, 1):
                # Without these, the library makes up ids at random.
                player = instrument.Piano()
                player.partId, player.instrumentId = f"P{number}", f"I{number}"
                player.partName = part.partName or "Melody"
                player.partAbbreviation = part.partAbbreviation
                part.insert(0, player)
            document = musicxml.m21ToXml.GeneralObjectExporter(score).parse()
        except Exception as error:
            raise ZooError(f"The piece cannot be notated as MusicXML ({line(error)}).") from error
    # The date, and the composer and title that the library makes up.
    made_up = (
        rb"<encoding-date>[^<]*</encoding-date>|<creator[^>]*>Music21</creator>|"
        rb"<movement-title>Music21 Fragment</movement-title>"
    )
    return re.sub(rb"\s*(" + made_up + rb")", b"", document)


def score(piece: Piece) -> Any:
    """Returns a piece as a music21 score, a part for each voice.

    Raises:
      ZooError: music21 is not installed.
    """
    require("music21")
    from music21 import clef, key, metadata, meter, note, stream, tempo
    from music21.common import opFrac

    with quiet():
        result = stream.Score()
        result.metadata = metadata.Metadata()
        for voice, name in enumerate(piece.voices):
            part = stream.Part(id=name)
            part.partName = name
            part.partAbbreviation = name[0] if piece.voices == FOUR_VOICES else ""
            notes = [each for each in piece.notes if each.voice == voice]
            middle = sum(each.pitch for each in notes) / len(notes) if notes else 60
            part.append(clef.TrebleClef() if middle >= 57 else clef.BassClef())
            if piece.key is not None:
                tonic, mode = piece.key.split()
                part.append(key.Key(tonic, mode))
            part.append(meter.TimeSignature(f"{piece.time[0]}/{piece.time[1]}"))
            if voice == 0:
                part.append(tempo.MetronomeMark(number=piece.bpm))
            place = 0.0
            for each in notes:
                if each.start > place + NEAR:
                    part.insert(opFrac(place), note.Rest(opFrac(each.start - place)))
                spelt = each.pitch if piece.key is None else note_name(each.pitch, piece.key)
                tone = note.Note(spelt, quarterLength=opFrac(each.end - each.start))
                part.insert(opFrac(each.start), tone)
                place = each.end
            if piece.length > place + NEAR:
                part.insert(opFrac(place), note.Rest(opFrac(piece.length - place)))
            result.insert(0, part)
    return result


def parse_abc(text: str) -> Any:
    """Returns the music21 score of one ABC tune.

    Raises:
      ZooError: music21 is not installed, the text is no ABC, holds several tunes or no note, or
        a note lies below all octaves.
    """
    require("music21")
    from music21 import converter, stream

    # The library would read the octave -1 of such a note as a flat.
    if low := re.search(r"[A-G],{5,}|[a-g],{6,}", text):
        raise ZooError(f"The note {low[0]!r} of the ABC tune is not on a piano.")
    with quiet():
        try:
            result = converter.parseData(text, format="abc")
        except Exception as error:
            raise ZooError(
                f"This is not an ABC tune that music21 reads ({line(error)}): it needs the lines "
                "X:, M:, L: and K:, and notes after them."
            ) from error
        if isinstance(result, stream.Opus):
            raise ZooError("The ABC text holds several tunes: give one at a time.")
        if not any(_sounds(element) for element in result.recurse().notes):
            raise ZooError("The ABC tune has no note, so nothing can be written of it.")
    return result


def from_score(score: Any, bpm: float = 120.0) -> Piece:
    """Makes a piece of a music21 score, as it is played.

    Repeats are played where the library can pair them; otherwise the score is played as it stands,
    once. Grace notes and chord symbols are left out. Each part is a voice, chords included.

    Args:
      score: a music21 score.
      bpm: quarter notes a minute, where the score gives no tempo.

    Raises:
      ZooError: a note is not on a piano.
    """
    from music21 import key, meter, repeat, tempo

    with quiet():
        parts = list(score.parts)
        played = []
        for part in parts:
            try:
                played.append(part.expandRepeats() if part.hasMeasures() else part)
            except repeat.ExpanderException:
                played.append(part)
        notes = []
        for voice, part in enumerate(played):
            for element in part.flatten().notes:
                if not _sounds(element):
                    continue
                start, length = float(element.offset), float(element.quarterLength)
                for pitch in element.pitches:
                    number = midi_number(pitch)
                    if not LOWEST <= number <= HIGHEST:
                        raise ZooError(f"The note {pitch.nameWithOctave} is not on a piano.")
                    notes.append(Note(start, start + length, number, voice))
        flat = played[0].flatten()
        signatures = flat.getElementsByClass(meter.TimeSignature)
        time = signatures[0] if signatures else meter.TimeSignature("4/4")
        signs = flat.getElementsByClass(key.KeySignature)
        tempi = [mark for mark in flat.getElementsByClass(tempo.MetronomeMark) if mark.number]
        length = max(float(part.highestTime) for part in played)
        bars = sorted({float(bar.offset) for bar in played[0].getElementsByClass("Measure")})
        return Piece(
            notes=tuple(sorted(notes, key=lambda note: (note.start, note.voice, note.pitch))),
            voices=tuple(part.partName or f"Voice {n}" for n, part in enumerate(parts, 1))
            if len(parts) > 1
            else ("Melody",),
            length=length,
            bars=tuple(bar for bar in bars if bar < length - NEAR) or (0.0,),
            time=(time.numerator, time.denominator),
            bpm=float(tempi[0].getQuarterBPM()) if tempi else bpm,
            key=_signature(signs[0]) if signs else None,
            title=", ".join(filter(None, [_title(score), *map(_name, signs[:1])])),
        )


def midi_number(pitch: Any) -> int:
    """Returns the MIDI number of a music21 pitch, of a quarter tone the next one's.

    The library's own moves what is below 0 or above 127 by octaves until it fits.
    """
    return round(pitch.ps)


def _sounds(element: Any) -> bool:
    """Whether a music21 element is a note or a chord that lasts, and no chord symbol."""
    from music21 import harmony

    return (
        not isinstance(element, harmony.Harmony)
        and bool(element.pitches)
        and element.quarterLength > 0
    )


def _signature(sign: Any) -> str:
    """Returns the key that a music21 signature is written for; of other modes, the major key."""
    index = sign.sharps * 7 % 12
    return KEYS[(index + 9) % 12 + 12] if getattr(sign, "mode", None) == "minor" else KEYS[index]


def _title(score: Any) -> str:
    return (score.metadata.title or "") if score.metadata is not None else ""


def _name(sign: Any) -> str:
    """Returns the name of a key of any mode, such as `"E dorian"`; none of a bare signature."""
    mode = getattr(sign, "mode", None)
    return f"{sign.tonic.name.replace('-', '♭').replace('#', '♯')} {mode}" if mode else ""
