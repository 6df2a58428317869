"""Standard MIDI files: their notes, and where bars begin, in quarter notes.

Only notes and time signatures are read. What else a file holds (keys, controllers, system exclusive
data) is passed over by its length, whatever its values. RP-001, The Complete MIDI 1.0 Detailed
Specification, 1996.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from dataclasses import dataclass

from zoo.errors import ZooError

DRUMS = 9  # the channel of percussion, counted from 0

_DATA_BYTES = {0x8: 2, 0x9: 2, 0xA: 2, 0xB: 2, 0xC: 1, 0xD: 1, 0xE: 2}  # of a channel message
_SYSTEM_BYTES = {0xF1: 1, 0xF2: 2, 0xF3: 1}  # of system common messages; of others none


@dataclass(frozen=True)
class MidiNotes:
    """What a file says of its notes.

    Attributes:
      spans: `(start, end, pitch)` of each note but those of drums, in quarter notes.
      meters: `(start, numerator, denominator)` of each time signature, by start.
      length: quarter notes until the last event.
    """

    spans: list[tuple[float, float, int]]
    meters: list[tuple[float, int, int]]
    length: float


def parse_midi(data: bytes) -> MidiNotes:
    """Reads a MIDI file, perhaps inside a RIFF container.

    A note that is never switched off ends where its channel strikes another one, or where its track
    ends; the last one lasts a quarter note at least.

    Raises:
      ZooError: it is none, is damaged, or counts time in frames of film.
    """
    if data[:4] == b"RIFF" and b"MThd" in data[:4096]:
        data = data[data.index(b"MThd") :]
    if data[:4] != b"MThd":
        raise ZooError("it does not begin with MThd")
    head, place = _chunk(data, 0)
    if len(head) < 6:
        raise ZooError("its header is too short")
    _, tracks, division = struct.unpack(">HHH", head[:6])
    if division & 0x8000:
        raise ZooError("it counts time in frames of film (SMPTE), which has no quarter notes")
    if not division:
        raise ZooError("it has no ticks in a quarter note")
    spans: list[tuple[float, float, int]] = []
    meters: set[tuple[float, int, int]] = set()
    last = 0
    while tracks:
        name, (content, place) = data[place : place + 4], _chunk(data, place)
        if name != b"MTrk":  # of another kind; it may stand between tracks
            continue
        tracks -= 1
        track = _Track(content)
        track.read()
        found = track.spans(division)
        spans += [(on / division, off / division, pitch) for on, off, pitch in found]
        meters |= {(when / division, *meter) for when, *meter in track.meters}
        last = max(last, track.now)
    return MidiNotes(sorted(spans), sorted(meters), last / division)


def bar_starts(
    meters: Iterable[tuple[float, int, int]], length: float
) -> tuple[list[float], tuple[int, int]]:
    """Returns where bars begin, in quarter notes, and the time signature of the second bar.

    Bars are counted from each time signature on; without one they are of 4/4. There is one more
    bar line than fits into `length`.
    """
    changes = sorted(meters)
    if not changes or changes[0][0] > 0:
        changes = [(0.0, 4, 4), *changes]
    starts: list[float] = []
    sizes: list[tuple[int, int]] = []
    for place, (begin, above, below) in enumerate(changes):
        after = place + 1 < len(changes)
        end = changes[place + 1][0] if after else max(length, begin) + 8 * above / below
        size = 4 * above / below
        count = 0
        while begin + count * size < end - 1e-6:
            starts.append(begin + count * size)
            sizes.append((above, below))
            count += 1
    return starts, sizes[min(1, len(sizes) - 1)]


def _chunk(data: bytes, place: int) -> tuple[bytes, int]:
    """Returns the content of the chunk at `place`, and where the next one begins."""
    if place + 8 > len(data):
        raise ZooError("it breaks off")
    end = place + 8 + int.from_bytes(data[place + 4 : place + 8], "big")
    if end > len(data):
        raise ZooError("it breaks off")
    return data[place + 8 : end], end


class _Track:
    """The events of one track."""

    def __init__(self, data: bytes) -> None:
        self.data, self.place = data, 0
        self.now = 0  # ticks
        self.meters: list[tuple[int, int, int]] = []
        self.closed: list[tuple[int, int, int, int]] = []  # on, off, channel, pitch
        self.open: dict[tuple[int, int], list[int]] = {}  # channel and pitch to when it was struck

    def read(self) -> None:
        status = 0
        while self.place < len(self.data):
            self.now += self._number()
            byte = self._byte()
            if byte >= 0x80:
                status = byte
            else:  # running status: the byte belongs to an event like the last one
                self.place -= 1
            if status == 0xFF:
                kind, content = self._byte(), self._content()
                if kind == 0x2F:
                    return
                if kind == 0x58 and len(content) >= 2 and content[0] and content[1] <= 6:
                    self.meters.append((self.now, content[0], 2 ** content[1]))
                status = 0
            elif status in (0xF0, 0xF7):
                self._content()
                status = 0
            elif status >= 0xF0:
                self._bytes(_SYSTEM_BYTES.get(status, 0))
                status = 0
            elif status >= 0x80:
                self._message(status >> 4, status & 0xF)
            else:
                raise ZooError(f"an event begins with {byte}")

    def spans(self, quarter: int) -> list[tuple[int, int, int]]:
        """Returns `(on, off, pitch)` of each note in ticks, also of those never switched off."""
        result = [(on, off, pitch) for on, off, channel, pitch in self.closed if channel != DRUMS]
        struck: dict[int, list[int]] = {}
        for on, _, channel, _ in self.closed:
            struck.setdefault(channel, []).append(on)
        for (channel, _), begins in self.open.items():
            struck.setdefault(channel, []).extend(begins)
        for (channel, pitch), begins in self.open.items():
            for on in begins:
                later = [each for each in struck[channel] if each > on]
                off = min(later) if later else max(self.now, on + quarter)
                if channel != DRUMS:
                    result.append((on, off, pitch))
        return result

    def _message(self, kind: int, channel: int) -> None:
        values = self._bytes(_DATA_BYTES[kind])
        if kind not in (0x8, 0x9):
            return
        pitch, velocity = values
        if pitch > 127:
            raise ZooError(f"it has the note {pitch}")
        note = channel, pitch
        if kind == 0x9 and velocity:
            self.open.setdefault(note, []).append(self.now)
            return
        begins = self.open.pop(note, [])
        self.closed += [(on, self.now, *note) for on in begins if on != self.now]
        if kept := [on for on in begins if on == self.now]:  # struck at this very tick
            self.open[note] = kept

    def _byte(self) -> int:
        return self._bytes(1)[0]

    def _bytes(self, count: int) -> bytes:
        self.place += count
        if self.place > len(self.data):
            raise ZooError("a track breaks off")
        return self.data[self.place - count : self.place]

    def _content(self) -> bytes:
        return self._bytes(self._number())

    def _number(self) -> int:
        """Reads a number of up to four bytes; the highest bit is set in all but the last."""
        value = 0
        for _ in range(4):
            byte = self._byte()
            value = value << 7 | byte & 0x7F
            if byte < 0x80:
                return value
        raise ZooError("a number has more than four bytes")
