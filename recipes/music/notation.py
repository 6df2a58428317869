"""Converts pieces and tunes to MusicXML with music21."""

from __future__ import annotations

import contextlib
import re
from fractions import Fraction
from typing import TYPE_CHECKING

from recipes.music.keys import note_name
from recipes.music.libraries import one_line, require, suppress_output
from recipes.music.piece import FOUR_VOICES, TOLERANCE, Piece
from recipes.music.repeats import sections
from recipes.music.tune import Key, Measure, NotatedTune, Pitch, Voice
from zoo.errors import ZooError

if TYPE_CHECKING:
    import music21


def musicxml(score: music21.stream.Score) -> bytes:
    """Returns a music21 score as MusicXML, the same bytes for the same score.

    Raises:
      ZooError: music21 cannot notate it.
    """
    from music21 import instrument, musicxml

    with suppress_output():
        try:
            for number, part in enumerate(score.parts, 1):
                # Without these, the library draws random ids.
                player = instrument.Piano()
                player.partId, player.instrumentId = f"P{number}", f"I{number}"
                player.partName = part.partName or "Melody"
                player.partAbbreviation = part.partAbbreviation
                part.insert(0, player)
            document = musicxml.m21ToXml.GeneralObjectExporter(score).parse()
        except Exception as error:
            raise ZooError(
                f"The piece cannot be notated as MusicXML ({one_line(error)})."
            ) from error
    # The date, and the composer and title that the library adds.
    defaults = (
        rb"<encoding-date>[^<]*</encoding-date>|<creator[^>]*>Music21</creator>|"
        rb"<movement-title>Music21 Fragment</movement-title>"
    )
    return re.sub(rb"\s*(" + defaults + rb")", b"", document)


def score(piece: Piece) -> music21.stream.Score:
    """Returns a piece as a music21 score, a part for each voice; an upbeat is a separate bar.

    Raises:
      ZooError: music21 is not installed.
    """
    require("music21")
    from music21 import clef, key, metadata, meter, note, stream, tempo
    from music21.common import opFrac

    with suppress_output():
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
            now, late = 0.0, piece.bar - piece.upbeat if piece.upbeat else 0.0
            for each in notes:
                if each.start > now + TOLERANCE:
                    part.insert(opFrac(now + late), note.Rest(opFrac(each.start - now)))
                spelled = each.pitch if piece.key is None else note_name(each.pitch, piece.key)
                tone = note.Note(spelled, quarterLength=opFrac(each.end - each.start))
                part.insert(opFrac(each.start + late), tone)
                now = each.end
            if piece.length > now + TOLERANCE:
                part.insert(opFrac(now + late), note.Rest(opFrac(piece.length - now)))
            result.insert(0, _with_upbeat(part, late) if late else part)
    return result


def _with_upbeat(part: music21.stream.Part, late: float) -> music21.stream.Part:
    """Divides a part that begins `late` into bars; the first one is an upbeat."""
    from music21 import stream
    from music21.common import opFrac

    part.makeMeasures(inPlace=True)
    part.makeTies(inPlace=True)
    for number, measure in enumerate(list(part.getElementsByClass(stream.Measure))):
        measure.number = number
        if number:
            part.setElementOffset(measure, opFrac(measure.offset - late))
            continue
        measure.paddingLeft = opFrac(late)
        measure.showNumber = stream.enums.ShowNumber.NEVER
        for element in list(measure.elements):
            if element.offset >= late:
                measure.setElementOffset(element, opFrac(element.offset - late))
    return part


def parse_abc(text: str) -> music21.stream.Score:
    """Returns the music21 score of one ABC tune.

    Raises:
      ZooError: music21 is not installed, the text is not ABC, has several tunes or no note, or a
        note is below the piano.
    """
    require("music21")
    from music21 import converter, stream

    # The library would read the octave -1 of such a note as a flat.
    if low := re.search(r"[A-G],{5,}|[a-g],{6,}", text):
        raise ZooError(f"The note {low[0]!r} of the ABC tune is not on a piano.")
    with suppress_output():
        try:
            result = converter.parseData(text, format="abc")
        except Exception as error:
            raise ZooError(
                f"This is not an ABC tune that music21 reads ({one_line(error)}): it needs the "
                "lines X:, M:, L: and K:, and notes after them."
            ) from error
        if isinstance(result, stream.Opus):
            raise ZooError("The ABC text holds several tunes: give one at a time.")
        if not any(_sounds(element) for element in result.recurse().notes):
            raise ZooError("The ABC tune has no note, so nothing can be written.")
    return result


def tune_score(tune: NotatedTune, bpm: float = 120.0) -> music21.stream.Score:
    """Returns a tune as a music21 score, as it is written: repeats, endings, ties, grace notes.

    A `:|` without a `|:` gets one where the repeat begins, so that every program plays the same.

    Args:
      tune: of `recipes.music.tune.parse_tune`.
      bpm: quarter notes a minute, where the tune gives no tempo.

    Raises:
      ZooError: music21 is not installed.
    """
    require("music21")
    from music21 import metadata, stream, tempo

    with suppress_output():
        result = stream.Score()
        result.metadata = metadata.Metadata()
        result.metadata.title = tune.title
        for voice in tune.voices:
            part = _part(voice)
            if not len(result.parts):
                first = part.getElementsByClass(stream.Measure)[0]
                first.insert(0, tempo.MetronomeMark(number=tune.bpm or bpm))
            result.insert(0, part)
    return result


def _part(voice: Voice) -> music21.stream.Part:
    """Returns a voice as a music21 part with measures, endings and ties."""
    from music21 import bar, clef, meter, spanner, stream
    from music21.common import opFrac

    part = stream.Part()
    part.partName = voice.name
    repeated = [each for each in sections([m.mark for m in voice.measures]) if each.times > 1]
    # A `|:` without a `:|` is omitted, because programs play it differently.
    opening = {each.start for each in repeated if each.start or voice.measures[0].mark.opens}
    events = [event for m in voice.measures for layer in m.layers for event in layer]
    middle = [pitch.number for event in events for pitch in event.pitches]
    number = 0
    measures = []
    before: Measure | None = None
    for index, written in enumerate(voice.measures):
        mark, last = written.mark, index + 1 == len(voice.measures)
        lacking = Fraction(0)
        if written.meter:
            lacking = Fraction(4 * written.meter[0], written.meter[1]) - written.length
        upbeat = lacking > 0 and bool(not index or mark.part or mark.opens)
        number += not upbeat
        measure = stream.Measure(number=number)
        if upbeat and index:
            measure.numberSuffix = "X"  # the upbeat of a part; numbers are unique in a file
        if upbeat:
            measure.showNumber = stream.enums.ShowNumber.NEVER
        if lacking > 0:  # otherwise it is filled with rests
            side = "paddingLeft" if upbeat else "paddingRight"
            setattr(measure, side, opFrac(lacking))
        if before is None:
            bass = sum(middle) < 57 * len(middle)
            measure.append(clef.BassClef() if bass else clef.TrebleClef())
        if before is None or before.key != written.key:
            measure.append(_key_signature(written.key))
        if written.meter and (before is None or before.meter != written.meter):
            measure.append(meter.TimeSignature(f"{written.meter[0]}/{written.meter[1]}"))
        if index in opening:
            measure.leftBarline = bar.Repeat(direction="start")
        if mark.back:
            measure.rightBarline = bar.Repeat(
                direction="end", times=mark.back + 1 if mark.back > 1 else None
            )
        elif mark.closes or last:
            measure.rightBarline = bar.Barline("final" if last else "double")
        _fill(measure, written)
        part.append(measure)
        measures.append(measure)
        before = written
    for section in repeated:
        for start, end, passes in section.endings:
            bracket = spanner.RepeatBracket(measures[start:end], number=sorted(passes))
            part.insert(0, bracket)
    _tie(part, voice)
    return part


def _fill(measure: music21.stream.Measure, written: Measure) -> None:
    """Puts the events of a measure into a music21 one, each layer into a separate voice."""
    from music21 import chord, harmony, note, stream
    from music21.common import opFrac

    for number, layer in enumerate(written.layers, 1):
        if not layer:
            continue
        target = stream.Voice(id=str(number)) if len(written.layers) > 1 else measure
        for event in layer:
            for grace in event.graces:
                target.insert(opFrac(event.start), note.Note(_pitch(grace)).getGrace())
            if event.symbol:
                with contextlib.suppress(Exception):  # the text is not the name of a chord
                    target.insert(opFrac(event.start), harmony.ChordSymbol(event.symbol))
            length = opFrac(event.length)
            if not event.pitches:
                element = note.Rest(quarterLength=length)
            elif len(event.pitches) == 1:
                element = note.Note(_pitch(event.pitches[0]), quarterLength=length)
            else:
                element = chord.Chord(list(map(_pitch, event.pitches)), quarterLength=length)
            target.insert(opFrac(event.start), element)
        if target is not measure:
            measure.insert(0, target)


def _tie(part: music21.stream.Part, voice: Voice) -> None:
    """Ties the notes of a music21 part to the next note of the same pitch, where `tied` says so."""
    from music21 import chord, tie

    written = [event for m in voice.measures for layer in m.layers for event in layer]
    elements = [each for each in part.recurse().notesAndRests
                if not each.duration.isGrace and "Harmony" not in each.classes]  # fmt: skip
    if len(elements) != len(written) or any(len(m.layers) > 1 for m in voice.measures):
        return
    going: set[int] = set()
    for index, (event, element) in enumerate(zip(written, elements, strict=True)):
        after = written[index + 1].pitches if index + 1 < len(written) else ()
        following = {pitch.number for pitch in after}
        stopping, going = going, set()
        parts = element.notes if isinstance(element, chord.Chord) else [element]
        for pitch in event.pitches:
            number = pitch.number
            starts, stops = pitch.tied and number in following, number in stopping
            going |= {number} if starts else set()
            kind = {(1, 1): "continue", (1, 0): "start", (0, 1): "stop"}.get((starts, stops))
            for each in parts:
                if kind and each.pitch.midi == number:
                    each.tie = tie.Tie(kind)


def _pitch(pitch: Pitch) -> music21.pitch.Pitch:
    from music21 import pitch as pitches

    result = pitches.Pitch(step=pitch.letter, octave=pitch.octave)
    if pitch.alter:
        result.accidental = pitches.Accidental(pitch.alter)
    return result.transpose(pitch.shift) if pitch.shift else result


def _key_signature(signature: Key) -> music21.key.KeySignature:
    from music21 import key

    if signature.name:
        tonic, mode = signature.name.split()
        return key.Key(tonic if mode != "minor" else tonic.lower(), mode)
    return key.KeySignature(signature.sharps)


def _sounds(element: music21.note.GeneralNote) -> bool:
    """Whether a music21 element is a note or a chord with a duration, not a chord symbol."""
    from music21 import harmony

    return (
        not isinstance(element, harmony.Harmony)
        and bool(element.pitches)
        and element.quarterLength > 0
    )
