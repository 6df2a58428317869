"""Standard MIDI files: their notes, and where bars begin, in quarter notes.

Only notes and time signatures are read. Other events (keys, controllers, system exclusive data)
are skipped by their length, whatever their values. RP-001, The Complete MIDI 1.0 Detailed
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
    """The notes of a file.

    Attributes:
      spans: `(start, end, pitch)` of each note except drums, in quarter notes.
      meters: `(start, numerator, denominator)` of each time signature, by start.
      length: quarter notes until the last event.
    """

    spans: list[tuple[float, float, int]]
    meters: list[tuple[float, int, int]]
    length: float


def parse_midi(data: bytes) -> MidiNotes:
    """Reads a MIDI file, perhaps inside a RIFF container.

    A note that is never switched off ends where its channel starts another one, or at the end of
    its track; the last one lasts at least a quarter note.

    Raises:
      ZooError: it is not a MIDI file, is damaged, or counts time in frames of film.
    """
    if data[:4] == b"RIFF" and b"MThd" in data[:4096]:
        data = data[data.index(b"MThd") :]
    if data[:4] != b"MThd":
        raise ZooError("it does not begin with MThd")
    head, position = _chunk(data, 0)
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
        name, (content, position) = data[position : position + 4], _chunk(data, position)
        if name != b"MTrk":  # another kind of chunk between tracks
            continue
        tracks -= 1
        track = _Track(content)
        track.read()
        spans += [
            (on / division, off / division, pitch) for on, off, pitch in track.spans(division)
        ]
        meters |= {(when / division, *meter) for when, *meter in track.meters}
        last = max(last, track.now)
    return MidiNotes(sorted(spans), sorted(meters), last / division)


def bar_starts(
    meters: Iterable[tuple[float, int, int]], length: float
) -> tuple[list[float], tuple[int, int]]:
    """Returns where bars begin, in quarter notes, and the time signature of the second bar.

    Bars are counted from each time signature; without one the metre is 4/4. There is one more bar
    line than `length` needs.
    """
    changes = sorted(meters)
    if not changes or changes[0][0] > 0:
        changes = [(0.0, 4, 4), *changes]
    starts: list[float] = []
    sizes: list[tuple[int, int]] = []
    for position, (begin, numerator, denominator) in enumerate(changes):
        after = position + 1 < len(changes)
        end = (
            changes[position + 1][0] if after else max(length, begin) + 8 * numerator / denominator
        )
        size = 4 * numerator / denominator
        count = 0
        while begin + count * size < end - 1e-6:
            starts.append(begin + count * size)
            sizes.append((numerator, denominator))
            count += 1
    return starts, sizes[min(1, len(sizes) - 1)]


def _chunk(data: bytes, position: int) -> tuple[bytes, int]:
    """Returns the content of the chunk at `position`, and where the next one begins."""
    if position + 8 > len(data):
        raise ZooError("it ends too early")
    end = position + 8 + int.from_bytes(data[position + 4 : position + 8], "big")
    if end > len(data):
        raise ZooError("it ends too early")
    return data[position + 8 : end], end


class _Track:
    """The events of one track."""

    def __init__(self, data: bytes) -> None:
        self.data, self.position = data, 0
        self.now = 0  # ticks
        self.meters: list[tuple[int, int, int]] = []
        self.closed: list[tuple[int, int, int, int]] = []  # on, off, channel, pitch
        self.open: dict[tuple[int, int], list[int]] = {}  # channel and pitch to its start times

    def read(self) -> None:
        status = 0
        while self.position < len(self.data):
            self.now += self._number()
            byte = self._byte()
            if byte >= 0x80:
                status = byte
            else:  # running status: the byte belongs to an event like the last one
                self.position -= 1
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
        starts: dict[int, list[int]] = {}
        for on, _, channel, _ in self.closed:
            starts.setdefault(channel, []).append(on)
        for (channel, _), begins in self.open.items():
            starts.setdefault(channel, []).extend(begins)
        for (channel, pitch), begins in self.open.items():
            for on in begins:
                later = [each for each in starts[channel] if each > on]
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
        if kept := [on for on in begins if on == self.now]:  # started at this tick
            self.open[note] = kept

    def _byte(self) -> int:
        return self._bytes(1)[0]

    def _bytes(self, count: int) -> bytes:
        self.position += count
        if self.position > len(self.data):
            raise ZooError("a track ends too early")
        return self.data[self.position - count : self.position]

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
