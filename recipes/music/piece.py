"""A piece as the notes of its voices, and the conversion of frames to a piece."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass

from recipes.music.keys import HIGHEST, LOWEST, parse_key
from zoo.errors import ZooError

FOUR_VOICES = ("Soprano", "Alto", "Tenor", "Bass")

# Cost of the entry of a voice that has not sounded yet, in semitones of movement.
_ENTRY_COST = 12
# Positions are sums of floats: positions nearer than this, in quarter notes, are equal.
TOLERANCE = 1e-6


@dataclass(frozen=True)
class Note:
    """A note, in quarter notes from the beginning of its piece.

    Attributes:
      start: when it begins.
      end: when it ends.
      pitch: MIDI number.
      voice: index of its voice, 0 for the highest.
    """

    start: float
    end: float
    pitch: int
    voice: int


@dataclass(frozen=True)
class Piece:
    """Notes, and the data to write and draw them.

    Attributes:
      notes: by start, then by voice.
      voices: names of the voices, the highest first.
      length: quarter notes, rests at the end included.
      bars: where each bar begins, in quarter notes.
      time: time signature, such as `(4, 4)`.
      bpm: quarter notes a minute.
      key: name in `KEYS` of the key whose signature is written; None for no signature.
      title: for people, such as its key.
    """

    notes: tuple[Note, ...]
    voices: tuple[str, ...]
    length: float
    bars: tuple[float, ...]
    time: tuple[int, int]
    bpm: float
    key: str | None = None
    title: str = ""

    @property
    def seconds(self) -> float:
        return self.length * 60 / self.bpm

    @property
    def bar(self) -> float:
        """Quarter notes of a full bar."""
        return 4 * self.time[0] / self.time[1]

    @property
    def beat(self) -> float:
        """Quarter notes of a beat: three eighths in 6/8, 9/8 and 12/8."""
        count, unit = self.time
        return 4 / unit * (3 if unit >= 8 and count > 3 and count % 3 == 0 else 1)

    @property
    def upbeat(self) -> float:
        """Quarter notes before the first bar line, 0 where the piece begins with a full bar."""
        size = self.bars[1] - self.bars[0] if len(self.bars) > 1 else self.bar
        return size if size < self.bar - TOLERANCE else 0.0


def from_frames(
    frames: Sequence[Sequence[int]],
    *,
    quarter_length: float,
    key: str | None = None,
    bpm: float = 80.0,
    voices: int | None = None,
    strike: float = 1.0,
    beats: int = 4,
    upbeat: float = 0.0,
) -> Piece:
    """Makes a piece of frames by the rules in `recipes.music.write.write_frames`.

    Raises:
      ZooError: there is no note, one is not on a piano, or a length is not above 0.
    """
    for name, value in (("quarter_length", quarter_length), ("bpm", bpm), ("strike", strike)):
        if not value > 0 or (math.isinf(value) and name != "strike"):
            raise ZooError(f"{name} is {value}: give a number above 0.")
    if beats < 1:
        raise ZooError(f"beats is {beats}: a bar has at least one.")
    if not 0 <= upbeat < beats:
        raise ZooError(f"upbeat is {upbeat:g}: give quarter notes, fewer than {beats}.")
    parts = assign_voices(frames, voices)
    if not any(map(len, frames)):
        raise ZooError("There is no note in the piece, so nothing can be written.")
    length = len(frames) * quarter_length
    key = None if key is None else parse_key(key)
    bars = (upbeat + bar for bar in range(0, math.ceil(length - upbeat - TOLERANCE), beats))
    return Piece(
        notes=tuple(_join(parts, quarter_length, strike, upbeat)),
        voices=_names(len(parts[0])),
        length=length,
        bars=(*((0.0,) if upbeat > 0 else ()), *map(float, bars)),
        time=(beats, 4),
        bpm=bpm,
        key=key,
        title=(key or "").replace("-", "♭").replace("#", "♯"),
    )


def assign_voices(
    frames: Sequence[Sequence[int]], voices: int | None = None
) -> list[tuple[int | None, ...]]:
    """Assigns the notes of each frame to voices, the highest note to the highest voice.

    In a frame with fewer notes than voices, neighbouring voices sing in unison (pieces of up to
    four voices), or some voices rest (more voices). The assignment minimises the movement of all
    voices together. No voice sings in an empty frame.

    Args:
      frames: pitches of each frame, in any order.
      voices: the least number of voices; None: the number of notes of the fullest frame.

    Returns:
      For each frame, the pitch of each voice from the highest down; None is a rest.

    Raises:
      ZooError: a note is not on a piano.
    """
    chords = [tuple(sorted({int(pitch) for pitch in frame}, reverse=True)) for frame in frames]
    for index, chord in enumerate(chords):
        for pitch in chord:
            if not LOWEST <= pitch <= HIGHEST:
                raise ZooError(
                    f"Frame {index + 1} has the note {pitch}, which is not on a piano: notes are "
                    f"MIDI numbers from {LOWEST} to {HIGHEST}."
                )
    count = max([voices or 1, *map(len, chords)])
    before: tuple[int | None, ...] = (None,) * count
    parts = []
    for chord in chords:
        part = _arrange(chord, before, unison=count <= len(FOUR_VOICES))
        before = tuple(old if new is None else new for old, new in zip(before, part, strict=True))
        parts.append(part)
    return parts


@functools.lru_cache(maxsize=4096)
def _arrange(
    chord: tuple[int, ...], before: tuple[int | None, ...], unison: bool
) -> tuple[int | None, ...]:
    """Returns the pitch of each voice, in the order of `chord`, with the least movement."""
    voices, notes = len(before), len(chord)
    if notes in (0, voices):
        return chord or (None,) * voices

    @functools.cache
    def cheapest(voice: int, note: int) -> tuple[float, tuple[int | None, ...]]:
        """Returns the least cost and its assignment of the notes from `note` on to the voices."""
        if notes - note > voices - voice:
            return math.inf, ()
        if voice == voices:
            return 0.0, ()
        options: list[tuple[float, tuple[int | None, ...]]] = []
        if note < notes:
            last = before[voice]
            move = _ENTRY_COST if last is None else abs(chord[note] - last)
            # The next voice sings the next note, or the same one in unison; all remaining voices
            # sing the last note.
            following = [note + 1] if not unison else [note + 1, note]
            if unison and note + 1 == notes:
                following = [note] if voice + 1 < voices else [notes]
            for step in following:
                cost, part = cheapest(voice + 1, step)
                options.append((move + cost, (chord[note], *part)))
        if not unison:
            cost, part = cheapest(voice + 1, note)
            options.append((cost, (None, *part)))
        return min(options, key=lambda option: option[0])

    return cheapest(0, 0)[1]


def _join(
    parts: list[tuple[int | None, ...]], quarter_length: float, strike: float, upbeat: float
) -> list[Note]:
    """Joins the pitches of each voice in each frame to notes."""
    first = 0.0 if math.isinf(strike) else upbeat % strike  # where the first beat is
    notes = []
    for voice in range(len(parts[0])):
        begin = 0
        for index in range(1, len(parts) + 1):
            pitch = parts[begin][voice]
            if index < len(parts) and parts[index][voice] == pitch:
                beat, last_beat = (
                    math.floor((frame * quarter_length - first + TOLERANCE) / strike)
                    for frame in (index, index - 1)
                )
                if beat == last_beat:
                    continue
            if pitch is not None:
                notes.append(Note(begin * quarter_length, index * quarter_length, pitch, voice))
            begin = index
    return sorted(notes, key=lambda note: (note.start, note.voice))


def _names(count: int) -> tuple[str, ...]:
    if count == 1:
        return ("Melody",)
    if count == len(FOUR_VOICES):
        return FOUR_VOICES
    return tuple(f"Voice {voice + 1}" for voice in range(count))
