"""ABC tunes as they are notated: voices, measures, notes; for playing and for writing scores.

`abc` converts tunes to tokens for a network and raises an error for everything else. This module
reads the ABC standard 2.1 (https://abcnotation.com/wiki/abc:standard:v2.1) and reports what it
skips. Times are in quarter notes from the beginning of a measure.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

from recipes.music import abc, modes
from recipes.music.keys import HIGHEST, KEYS, LETTERS, LOWEST
from recipes.music.piece import Note, Piece
from recipes.music.repeats import Mark, play_order
from zoo.errors import ZooError

GRACE = Fraction(1, 8)  # maximum length of a grace note, in quarter notes

_ALTERS = {"^^": 2, "^": 1, "=": 0, "_": -1, "__": -2}
_DECORATIONS = frozenset("~.HLMOPSTuvkVJR")
_JUMPS = re.compile(r"[!+](D\.?C\.?|D\.?S\.?|dacapo|dacoda|segno|coda|fine)[^!+]*[!+]", re.I)
_NOTE = r"(\^\^|\^|__|_|=)?([A-Ga-g])([,']*)([0-9]*/*[0-9]*)"
_PLAIN = r"(?:\^\^|\^|__|_|=)?[A-Ga-g][,']*[0-9]*/*[0-9]*"
_TOKEN = re.compile(
    r"(?P<field>\[[A-Za-z]:[^\]\n]*\])"
    r'|(?P<text>"[^"\n]*"?)'
    r"|(?P<grace>\{[^}\n]*\}?)"
    r"|(?P<decoration>![^!\n|]{1,40}!|\+[A-Za-z][A-Za-z0-9.()<>]*\+)"
    rf"|(?P<chord>\[(?:\s*{_PLAIN}\s*-?\s*)+\])(?P<chordlength>[0-9]*/*[0-9]*)"
    r"|(?P<bar>\[\|\]|(?:\[\||\|\]|\||:)+)"
    r"(?P<ending>\s*\[(?=[1-9])[1-9][0-9,-]*|[1-9][0-9,-]*)?"
    r"|\[(?P<alone>[1-9][0-9,-]*)"
    r"|(?P<tuplet>\([2-9](?::[1-9]?){0,2})"
    rf"|(?P<note>{_NOTE})"
    r"|(?P<rest>[zx][0-9]*/*[0-9]*)"
    r"|(?P<bars>[ZX][0-9]*)"
    r"|(?P<broken>>+|<+)"
    r"|(?P<tie>-)"
    r"|(?P<overlay>&)"
    r"|(?P<stray>[0-9]+/*[0-9]*|/+[0-9]*)"
    r"|(?P<nothing>(?:[\s)\]`\\*$#@;?y!]|\((?![2-9]))+)"
)


@dataclass(frozen=True)
class Pitch:
    """A note as it is spelled: `Pitch("F", 1, 4)` is F sharp above middle C.

    Attributes:
      letter: `C` to `B`.
      alter: semitones, -2 to 2, signature and earlier accidentals of the measure included.
      octave: 4 from middle C on.
      shift: semitones from the written to the sounding note.
      tied: whether it is tied to the next note of this pitch.
    """

    letter: str
    alter: int
    octave: int
    shift: int = 0
    tied: bool = False

    @property
    def number(self) -> int:
        """MIDI number of the sounding note."""
        return 12 * (self.octave + 1) + LETTERS[self.letter] + self.alter + self.shift


@dataclass(frozen=True)
class Event:
    """A note, a chord or a rest.

    Attributes:
      start, length: in quarter notes; `start` from the beginning of the measure.
      pitches: empty for a rest.
      lengths: of each pitch; they may differ within a chord.
      graces: the grace notes before it.
      symbol: the chord symbol over it, `""` for none.
    """

    start: Fraction
    length: Fraction
    pitches: tuple[Pitch, ...] = ()
    lengths: tuple[Fraction, ...] = ()
    graces: tuple[Pitch, ...] = ()
    symbol: str = ""


@dataclass(frozen=True)
class Measure:
    """The notes between two bar lines, or between a bar line and the beginning of an ending.

    Attributes:
      layers: events of each layer (`&`); at least one layer.
      length: of the longest layer, in quarter notes.
      mark: for the order of play.
      meter: of the measure; `None` where it is free.
      key: its signature.
    """

    layers: tuple[tuple[Event, ...], ...]
    length: Fraction
    mark: Mark
    meter: tuple[int, int] | None
    key: Key


@dataclass(frozen=True)
class Key:
    """A signature: `name` such as `"A dorian"`, `""` for a signature without a name."""

    name: str
    altered: tuple[tuple[str, int], ...]

    @property
    def sharps(self) -> int:
        """Sharps of the nearest signature; flats are negative."""
        return sum(alter for _, alter in self.altered)

    @property
    def written(self) -> str:
        """The name in `recipes.music.KEYS` of the key with this signature."""
        index = self.sharps * 7 % 12
        return KEYS[(index + 9) % 12 + 12] if self.name.endswith(" minor") else KEYS[index]


@dataclass(frozen=True)
class Voice:
    name: str
    measures: tuple[Measure, ...]


@dataclass(frozen=True)
class NotatedTune:
    """A tune.

    Attributes:
      voices: at least one, each with at least one measure.
      title: its first title.
      bpm: quarter notes a minute, `None` where the tune has no tempo.
      parts: the order of its parts (`P:`), `""` for none.
      notes: messages on skipped parts, one line each.
    """

    voices: tuple[Voice, ...]
    title: str
    bpm: float | None
    parts: str = ""
    notes: tuple[str, ...] = ()

    @property
    def meter(self) -> tuple[int, int]:
        return self.voices[0].measures[0].meter or (4, 4)

    @property
    def key(self) -> Key:
        return self.voices[0].measures[0].key


def parse_tune(text: str) -> NotatedTune:
    """Reads one ABC tune.

    Raises:
      ZooError: the text is not a tune, has several tunes or no note, or cannot be read.
    """
    if not re.search(r"(?m)^X:", text) and re.search(r"(?m)^\ufeff?K:", text):
        text = "X:1\n" + text.removeprefix("\ufeff")
    tunes = abc.split_tunes(text)
    if len(tunes) > 1:
        raise ZooError("The ABC text holds several tunes: give one at a time.")
    try:
        if not tunes:
            raise ZooError("it has no tune")
        tune = _Reader(tunes[0]).read()
    except ZooError as error:
        raise ZooError(
            f"This is not an ABC tune that can be read ({error}): it needs the lines X:, M:, L: "
            "and K:, and notes after them."
        ) from error
    if not any(event.pitches for each in tune.voices for event in _events(each.measures)):
        raise ZooError("The ABC tune has no note, so nothing can be written.")
    return tune


def to_piece(tune: NotatedTune, bpm: float = 120.0, repeats: bool = True) -> Piece:
    """Converts a tune to a piece, as it is played: repeats, endings and parts in their order.

    A tied note sounds once. A grace note takes a 32nd from the next note; several take half of it
    at most.

    Args:
      tune: of `parse_tune`.
      bpm: quarter notes a minute, where the tune gives no tempo.
      repeats: whether to play them; without, each measure is played once.

    Raises:
      ZooError: a note is not on a piano.
    """
    orders = _orders(tune) if repeats else [range(len(each.measures)) for each in tune.voices]
    notes: list[Note] = []
    bars: list[float] = []
    length = Fraction(0)
    for number, (voice, order) in enumerate(zip(tune.voices, orders, strict=True)):
        played, starts, end = _played(voice.measures, order, number)
        notes += played
        bars = bars or starts
        length = max(length, end)
    name = tune.key.name.replace("-", "♭").replace("#", "♯")
    return Piece(
        notes=tuple(sorted(notes, key=lambda note: (note.start, note.voice, note.pitch))),
        voices=tuple(voice.name for voice in tune.voices),
        length=float(length),
        bars=tuple(bars),
        time=tune.meter,
        bpm=tune.bpm or bpm,
        key=tune.key.written,
        title=", ".join(filter(None, [tune.title, "" if _names_key(tune.title, name) else name])),
    )


def _names_key(title: str, key: str) -> bool:
    """Whether a title names the key, in any spelling: `"Jig in Bb major"`."""
    plain = title.lower().replace("♭", "b").replace("♯", "#").replace(" flat", "b")
    return bool(key) and key.lower().replace("♭", "b").replace("♯", "#") in plain


def _events(measures: Sequence[Measure]) -> Iterator[Event]:
    return (event for measure in measures for layer in measure.layers for event in layer)


def _orders(tune: NotatedTune) -> list[list[int]]:
    """Returns the order of play of each voice: the first one's, if it has as many measures."""
    first = play_order([each.mark for each in tune.voices[0].measures], tune.parts)
    count = len(tune.voices[0].measures)
    return [
        first
        if len(voice.measures) == count
        else play_order([each.mark for each in voice.measures], tune.parts)
        for voice in tune.voices
    ]


def _played(
    measures: Sequence[Measure], order: Sequence[int], voice: int
) -> tuple[list[Note], list[float], Fraction]:
    """Returns the notes of one voice, where its bars begin, and its end."""
    notes: list[Note] = []
    bars: list[float] = []
    tied: dict[int, tuple[int, Fraction]] = {}  # pitch to its note's index and its end
    measure_start = Fraction(0)
    for position in order:
        measure = measures[position]
        bars.append(float(measure_start))
        for layer in measure.layers:
            for event in layer:
                start = measure_start + event.start
                if event.pitches:
                    start = _play_graces(event, start, notes, voice)
                for pitch, length in zip(event.pitches, event.lengths, strict=True):
                    number = pitch.number
                    end = measure_start + event.start + length
                    index, tie_end = tied.pop(number, (-1, Fraction(-1)))
                    if tie_end == measure_start + event.start:
                        notes[index] = dataclasses.replace(notes[index], end=float(end))
                    else:
                        index = len(notes)
                        notes.append(_note(start, end, pitch, voice))
                    if pitch.tied:
                        tied[number] = index, end
        measure_start += measure.length
    return notes, bars, measure_start


def _play_graces(event: Event, start: Fraction, notes: list[Note], voice: int) -> Fraction:
    """Adds the grace notes of an event; returns the start of its other notes."""
    if event.graces:
        length = min(GRACE, event.length / 2 / len(event.graces))
        for grace in event.graces:
            notes.append(_note(start, start + length, grace, voice))
            start += length
    return start


def _note(start: Fraction, end: Fraction, pitch: Pitch, voice: int) -> Note:
    if not LOWEST <= pitch.number <= HIGHEST:
        sign = {2: "##", 1: "#", -1: "b", -2: "bb"}.get(pitch.alter, "")
        raise ZooError(
            f"The note {pitch.letter}{sign}{pitch.octave} of the ABC tune is not on a piano."
        )
    return Note(float(start), float(end), pitch.number, voice)


# Fields.


def parse_signature(text: str) -> Key:
    """Reads a `K:` field: `"Ador"`, `"HP"`, `"none"`, `"D exp ^f"`, `"G ^c clef=treble"`.

    Raises:
      UsageError: it is not a key.
    """
    name, _ = modes.split_key(text)
    if name in ("HP", "Hp"):  # Highland pipes play these, whether the signature is written or not
        return Key("", (("F", 1), ("C", 1)))
    if name.lower() in ("", "none"):
        return Key("", ())
    accidentals = [
        match
        for word in name.split()
        if (match := re.fullmatch(r"(\^\^|\^|__|_|=)([A-Ga-g])", word))
    ]
    plain = " ".join(word for word in name.split() if word[0] not in "^_=")
    explicit = re.fullmatch(r"(.*?)\s*exp", plain)
    known = "" if explicit else modes.parse_key(plain)
    altered = dict(modes.signature(known)) if known else {}
    for match in accidentals:
        altered[match[2].upper()] = _ALTERS[match[1]]
    return Key("" if accidentals else known, tuple(altered.items()))


def parse_tempo(text: str, unit: Fraction) -> float | None:
    """Returns the quarter notes a minute of a `Q:` field: `"3/8=100"` gives 150.

    Args:
      text: the value of the field; words in quotes are ignored.
      unit: `L:`, for the old `Q:120`.
    """
    text = re.sub(r'"[^"]*"', "", text).strip()
    if match := re.fullmatch(r"((?:[0-9]+/[0-9]+\s*)+)=\s*([0-9]+(?:\.[0-9]+)?)", text):
        try:
            beat = sum((Fraction(each) for each in match[1].split()), Fraction(0))
        except ZeroDivisionError:
            return None
        return float(beat * 4) * float(match[2]) or None
    if match := re.fullmatch(r"(?:C\s*=\s*)?([0-9]+(?:\.[0-9]+)?)", text):
        return float(unit * 4) * float(match[1]) or None
    return None


def parse_measure(text: str) -> tuple[int, int] | None:
    """Returns a metre as numerator and denominator; `None` where it is free.

    Raises:
      ZooError: it is not a metre.
    """
    text = {"C": "4/4", "C|": "2/2"}.get(text.strip(), text.strip())
    if text.lower() in ("", "none"):
        return None
    match = re.fullmatch(r"\(?([0-9]+(?:\s*\+\s*[0-9]+)*)\)?\s*/\s*(1|2|4|8|16|32|64)", text)
    numerator = sum(map(int, match[1].split("+"))) if match else 0
    if match is None or not 0 < numerator < 100:
        raise ZooError(f"{text!r} is not a metre; write it as 6/8.")
    return numerator, int(match[2])


# The body.


class _Layer:
    """A voice while it is read: its measures so far, and its current key, metre and unit."""

    def __init__(self, name: str, key: Key, meter: tuple[int, int] | None, unit: Fraction) -> None:
        self.name = name
        self.key, self.meter, self.unit = key, meter, unit
        self.shift = 0  # semitones from the written to the sounding note
        self.measures: list[Measure] = []
        self.mark = Mark(part=1)
        self.layers: list[list[Event]] = [[]]
        self.local: dict[str, int] = {}  # accidentals of the measure
        self.held: dict[tuple[str, int], int] = {}  # accidentals of notes that are tied to the next
        self.factor, self.left = Fraction(1), 0  # of the tuplet; its notes still to come
        self.broken = Fraction(0)  # factor of the next note's length; 0 for none
        self.graces: tuple[Pitch, ...] = ()
        self.symbol = ""

    def add(self, length: Fraction, pitches: Sequence[Pitch], lengths: Sequence[Fraction]) -> None:
        scale = self.broken or Fraction(1)
        self.broken = Fraction(0)
        if self.left:
            scale *= self.factor
            self.left -= 1
        events = self.layers[-1]
        start = events[-1].start + events[-1].length if events else Fraction(0)
        events.append(
            Event(
                start,
                length * scale,
                tuple(pitches),
                tuple(each * scale for each in lengths),
                self.graces if pitches else (),
                self.symbol,
            )
        )
        self.graces, self.symbol = (), ""

    def stretch(self, sign: str) -> None:
        """Applies broken rhythm to the last note and to the next one."""
        if not (events := self.layers[-1]):
            return
        small = Fraction(1, 2 ** len(sign))
        factor = 2 - small if sign[0] == ">" else small
        last = events[-1]
        events[-1] = dataclasses.replace(
            last, length=last.length * factor, lengths=tuple(each * factor for each in last.lengths)
        )
        self.broken = 2 - factor

    def tie(self) -> None:
        if (events := self.layers[-1]) and events[-1].pitches:
            tied = tuple(dataclasses.replace(each, tied=True) for each in events[-1].pitches)
            events[-1] = dataclasses.replace(events[-1], pitches=tied)
            self.hold(tied)

    def hold(self, pitches: Sequence[Pitch]) -> None:
        self.held |= {(each.letter, each.octave): each.alter for each in pitches if each.tied}

    def end_measure(self, back: int = 0, closes: bool = False) -> None:
        """Ends the measure if it has a note or a rest."""
        if any(self.layers):
            layers = tuple(tuple(events) for events in self.layers)
            length = max(events[-1].start + events[-1].length for events in layers if events)
            mark = dataclasses.replace(self.mark, back=back, closes=closes)
            self.measures.append(Measure(layers, length, mark, self.meter, self.key))
            self.layers, self.mark = [[]], Mark()
        elif self.measures and (back or closes):  # bar lines without a note between them
            last = self.measures[-1]
            mark = dataclasses.replace(
                last.mark, back=max(back, last.mark.back), closes=closes or last.mark.closes
            )
            self.measures[-1] = dataclasses.replace(last, mark=mark)


@dataclass
class _Reader:
    """Reads the body of one tune."""

    tune: abc.Tune
    notes: list[str] = field(default_factory=list)
    bpm: float | None = None
    propagate: str = "pitch"

    def read(self) -> NotatedTune:
        tune = self.tune
        meter = parse_measure(tune.first("M"))
        unit = default_unit(tune.first("M"))
        if tune.first("L"):
            unit = _unit(tune.first("L"))
        key_text = tune.first("K")
        key = parse_signature(key_text)
        if "Q" in tune.fields:
            self.bpm = parse_tempo(tune.first("Q"), unit)
        self.voices: dict[str, _Layer] = {}
        self.new = lambda name: _Layer(name, key, meter, unit)
        self.shift = modes.split_key(key_text)[1]
        self.now: _Layer | None = None
        named = tune.fields.get("V", ())
        for value in named:
            self._voice(value)
        if self.voices:
            self.now = next(iter(self.voices.values()))
        for line in tune.body:
            self._line(line)
        voices = []
        for layer in self.voices.values():
            layer.end_measure()
            if layer.measures:
                voices.append(Voice(layer.name, tuple(layer.measures)))
        if not voices:
            raise ZooError("there is no note in it")
        if len(voices) == 1:
            voices = [Voice("Melody", voices[0].measures)]
        if "m" in tune.fields:
            self._skip("macros (m:)")
        parts = tune.first("P")
        return NotatedTune(
            tuple(voices), tune.first("T"), self.bpm, parts, tuple(dict.fromkeys(self.notes))
        )

    def _skip(self, what: str) -> None:
        self.notes.append(f"{what} skipped")

    @property
    def voice(self) -> _Layer:
        if self.now is None:
            self._voice("1")
        assert self.now is not None
        return self.now

    def _voice(self, value: str) -> None:
        """Continues a voice; the value of `V:` has its id and its name."""
        name, _, rest = value.strip().partition(" ")
        if name not in self.voices:
            match = re.search(r'\b(?:name|nm)\s*=\s*(?:"([^"]*)"|(\S+))', rest)
            label = (match[1] or match[2] or "").replace(r"\n", " ") if match else ""
            self.voices[name] = self.new(label or f"Voice {name}")
            self.voices[name].shift = self.shift
        self.now = self.voices[name]
        if rest and (shift := modes.split_key(f"C {rest}")[1]):
            self.now.shift = self.shift + shift

    def _line(self, line: str) -> None:
        if line.startswith("%%"):
            match = re.match(r"%%propagate-accidentals\s+(not|octave|pitch)", line)
            self.propagate = match[1] if match else self.propagate
            return
        line = line.partition("%")[0]
        if match := re.match(r"([A-Za-z+]):(?![|:])(.*)", line):
            self._field(match[1], match[2].strip())
        elif line.strip():
            self._music(line)

    def _field(self, letter: str, value: str) -> None:
        if letter == "V":
            self._voice(value)
            return
        if letter not in "KMLPQI":
            return  # names, words, remarks: they change no note
        voice = self.voice
        if letter == "K":
            voice.end_measure()
            name, shift = modes.split_key(value)
            voice.key = parse_signature(value) if name else voice.key
            voice.shift = shift
            voice.local = {}
        elif letter == "M":
            voice.end_measure()
            voice.meter = parse_measure(value)
        elif letter == "L":
            voice.unit = _unit(value)
        elif letter == "P":
            voice.end_measure(closes=True)
            label = value.strip()[:1]
            voice.mark = dataclasses.replace(
                voice.mark, part=max(1, voice.mark.part), label=label if label.isalpha() else ""
            )
        elif letter == "Q":
            tempo = parse_tempo(value, voice.unit)
            if self.bpm is None and not any(each.measures for each in self.voices.values()):
                self.bpm = tempo
            elif tempo != self.bpm:
                self._skip("a change of tempo (Q:)")
        elif match := re.match(r"propagate-accidentals\s+(not|octave|pitch)", value):
            self.propagate = match[1]

    def _music(self, line: str) -> None:
        if _JUMPS.search(line):
            self._skip("a jump (such as D.C. or D.S.)")
        position = 0
        while position < len(line):
            match = _TOKEN.match(line, position)
            if match is None:
                if line[position] in _DECORATIONS or self._defined(line[position]):
                    position += 1
                    continue
                raise ZooError(f"{line[position : position + 10]!r} cannot be read")
            position = match.end()
            self._token(match)

    def _defined(self, sign: str) -> bool:
        """Whether a `U:` field defines a sign; it is then a decoration."""
        return any(value.startswith(sign) for value in self.tune.fields.get("U", ()))

    def _token(self, match: re.Match[str]) -> None:
        kind = match.lastgroup
        text = match[0]
        if match["field"]:
            self._field(text[1], text[3:-1].strip())
            return
        voice = self.voice
        if match["chord"]:
            self._chord(match["chord"], match["chordlength"])
        elif match["bar"]:
            self._bar(match["bar"])
            if match["ending"]:
                self._ending(match["ending"].strip(" \t[,-"))
        elif kind == "alone":
            voice.end_measure()
            self._ending(match["alone"].rstrip(",-"))
        elif kind == "text":
            if text[1:2] not in "^_<>@":
                voice.symbol = text.strip('"')
        elif kind == "grace":
            local = dict(voice.local)
            voice.graces = tuple(
                self._pitch(*parts[:3]) for parts in re.findall(_NOTE, text.strip("{/}"))
            )
            voice.local = local
        elif kind == "tuplet":
            count, *more = text[1:].split(":")
            time = int(more[0]) if more and more[0] else self._tuplet_time(int(count))
            voice.factor = Fraction(time, int(count))
            voice.left = int(more[1]) if len(more) > 1 and more[1] else int(count)
        elif match["note"]:
            accidental, letter, octave, size = re.fullmatch(_NOTE, match["note"]).groups()  # type: ignore[union-attr]
            length = voice.unit * 4 * _length(size)
            pitch = self._pitch(accidental, letter, octave)
            voice.held = {}
            voice.add(length, [pitch], [length])
        elif kind == "rest":
            voice.held = {}
            voice.add(voice.unit * 4 * _length(text[1:]), (), ())
        elif kind == "bars":
            self._rest_bars(int(text[1:] or 1))
        elif kind == "broken":
            voice.stretch(text)
        elif kind == "tie":
            voice.tie()
        elif kind == "overlay":
            voice.layers.append([])
        elif kind == "stray":
            self._skip(f"the length {text!r}, which belongs to no note,")

    def _tuplet_time(self, count: int) -> int:
        numerator, denominator = self.voice.meter or (4, 4)
        return abc.tuplet_time(count, f"{numerator}/{denominator}")

    def _rest_bars(self, count: int) -> None:
        numerator, denominator = self.voice.meter or (4, 4)
        for number in range(min(count, 1000)):
            if number:
                self.voice.end_measure()
            self.voice.add(Fraction(4 * numerator, denominator), (), ())

    def _bar(self, text: str) -> None:
        voice = self.voice
        voice.local = {}
        colons = [len(each) for each in re.findall(":+", text)]
        back = colons[0] if text.startswith(":") else 0
        opens = text.endswith(":")
        if set(text) == {":"}:
            back, opens = max(1, len(text) // 2), len(text) > 1
        final = "|]" in text and text != "[|]"
        part = 2 if final else bool(back) or (len(text.strip(":")) > 1 and text != "[|]")
        voice.end_measure(back, bool(part or opens))
        voice.mark = dataclasses.replace(
            voice.mark, opens=voice.mark.opens or opens, part=max(voice.mark.part, int(part))
        )

    def _ending(self, text: str) -> None:
        """Begins an ending: `1`, `1,3` or `1-3`."""
        passes: set[int] = set()
        for each in filter(None, text.split(",")):
            first, _, last = each.partition("-")
            passes |= set(range(int(first), min(int(last or first), 9) + 1))
        self.voice.mark = dataclasses.replace(self.voice.mark, endings=frozenset(passes))

    def _chord(self, text: str, size: str) -> None:
        voice = self.voice
        scale = voice.unit * 4 * _length(size)
        pitches, lengths = [], []
        for accidental, letter, octave, factor, tie in re.findall(_NOTE + r"\s*(-?)", text[1:-1]):
            pitch = self._pitch(accidental, letter, octave)
            pitches.append(dataclasses.replace(pitch, tied=bool(tie)))
            lengths.append(scale * _length(factor))
        voice.held = {}
        voice.add(lengths[0], pitches, lengths)
        voice.hold(pitches)

    def _pitch(self, accidental: str | None, letter: str, octave: str) -> Pitch:
        voice = self.voice
        name = letter.upper()
        height = 4 + letter.islower() + octave.count("'") - octave.count(",")
        local = name if self.propagate == "pitch" else f"{name}{height}"
        if accidental:
            alter = _ALTERS[accidental]
            if self.propagate != "not":
                voice.local[local] = alter
        elif (name, height) in voice.held and not voice.layers[-1]:
            alter = voice.held[name, height]  # of the note that is tied over the bar line
        else:
            alter = voice.local.get(local, dict(voice.key.altered).get(name, 0))
        return Pitch(name, alter, height, voice.shift)


def default_unit(meter: str) -> Fraction:
    """Returns the unit of a tune without `L:`: 1/16 where the metre is below 3/4, else 1/8.

    Args:
      meter: the value of `M:`; a free metre gives 1/8.

    Raises:
      ZooError: it is not a metre.
    """
    parsed = parse_measure(meter)
    return abc.default_unit(f"{parsed[0]}/{parsed[1]}") if parsed else abc.UNIT


def _unit(text: str) -> Fraction:
    match = re.fullmatch(r"([0-9]+)(?:/([0-9]+))?", text.strip())
    if match is None or not int(match[1]) or not int(match[2] or 1):
        raise ZooError(f"{text!r} is not a unit of length; write it as 1/8")
    return Fraction(int(match[1]), int(match[2] or 1))


def _length(text: str) -> Fraction:
    return abc.parse_length(text) if text else Fraction(1)
