"""The melody of a score, as a tune in the canonical form of `recipes.music.abc`."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from recipes.music import abc, modes
from recipes.music.keys import LETTERS, estimate_key, note_name
from recipes.music.read import Score
from zoo.errors import ZooError

_FINE = 24  # parts of a quarter note: the grid of notes in a written score
_COARSE = 4  # parts of a quarter note: the grid of a human performance
_TOLERANCE = 0.01  # quarter notes
_HELD = 0.55  # a note that lasts this fraction of the time to the next one is held until then


@dataclass(frozen=True)
class _Tone:
    """A note or rest (`pitch` 0), in quarter notes."""

    start: Fraction
    end: Fraction
    pitch: int


def to_tune(score: Score) -> tuple[str, list[str]]:
    """Writes the melody of a score as a tune.

    The melody is the highest note at each moment. Where all notes begin at a 24th of a quarter
    note, they stay there; else they are moved to sixteenths. Rests before the first note are
    omitted, so that an upbeat begins with its note.

    Returns:
      The key that fits all notes best, a name of `modes`, and the tokens, the metre first.

    Raises:
      ZooError: the score has no note, or a metre or rhythm that a tune cannot have.
    """
    tones = _quantised(_skyline(score.spans))
    if not tones:
        raise ZooError("there is no note in it.")
    meter = abc.parse_meter(f"{score.time[0]}/{score.time[1]}")
    sounding = [[pitch] * round(4 * (end - start)) for start, end, pitch in score.spans]
    key = modes.parse_key(estimate_key(sounding))
    tokens = [f"[M:{meter}]"]
    for number, bar in enumerate(_bars(tones, score.bars)):
        tokens += ["|"] * (number > 0) + _bar_tokens(bar, key)
    tokens.append("|]")
    abc.bars(tokens)  # raises an error for invalid tokens
    return key, tokens


def _skyline(spans: Sequence[tuple[float, float, int]]) -> list[tuple[float, float, int]]:
    """Returns the notes that are not below a higher one, each until the next one begins."""
    result: list[tuple[float, float, int]] = []
    for start, end, pitch in sorted(spans, key=lambda span: (span[0], -span[2])):
        if result:
            before, stop, other = result[-1]
            if start - before < _TOLERANCE or (other > pitch and start < stop - _TOLERANCE):
                continue
            result[-1] = before, min(stop, start), other
        result.append((start, end, pitch))
    return result


def _quantised(spans: Sequence[tuple[float, float, int]]) -> list[_Tone]:
    """Moves notes to a grid and fills the gaps between them with rests."""
    exact = all(
        abs(start * _FINE - round(start * _FINE)) < _TOLERANCE * _FINE for start, *_ in spans
    )
    grid = _FINE if exact else _COARSE
    result: list[_Tone] = []
    for position, (start, end, pitch) in enumerate(spans):
        begin = Fraction(round(start * grid), grid)
        if result and begin <= result[-1].start:
            continue  # a shorter note than the grid has
        after = (
            Fraction(round(spans[position + 1][0] * grid), grid)
            if position + 1 < len(spans)
            else None
        )
        length = end - start
        written = exact and abs(length * 12 - round(length * 12)) < _TOLERANCE * 12
        if after is not None and not written and length > _HELD * float(after - begin):
            stop = after
        else:
            parts = 12 if written else _COARSE
            stop = begin + max(Fraction(round(length * parts), parts), Fraction(1, parts))
            stop = stop if after is None else min(stop, after)
        if result:
            last = result[-1]
            if last.end > begin:
                result[-1] = _Tone(last.start, begin, last.pitch)
            elif last.end < begin:
                result.append(_Tone(last.end, begin, 0))
        if stop > begin:
            result.append(_Tone(begin, stop, pitch))
    return result


def _bars(tones: Sequence[_Tone], lines: Sequence[float]) -> list[list[tuple[_Tone, bool]]]:
    """Cuts notes at bar lines; returns each part, and whether it continues in the next bar."""
    boundaries = [Fraction(round(line * _FINE), _FINE) for line in lines]
    if len(boundaries) > 1:  # bars go on beyond the last line as before
        size = boundaries[-1] - boundaries[-2]
        while size > 0 and boundaries[-1] < tones[-1].end:
            boundaries.append(boundaries[-1] + size)
    result: list[list[tuple[_Tone, bool]]] = [[]]
    ends = iter([boundary for boundary in boundaries if boundary > tones[0].start])
    end = next(ends, None)
    for tone in tones:
        start = tone.start
        while end is not None and end <= start:
            end = next(ends, None)
            result.append([])
        while end is not None and end < tone.end:
            result[-1].append((_Tone(start, end, tone.pitch), bool(tone.pitch)))
            start, end = end, next(ends, None)
            result.append([])
        result[-1].append((_Tone(start, tone.end, tone.pitch), False))
    return [bar for bar in result if bar]


def _bar_tokens(bar: Sequence[tuple[_Tone, bool]], key: str) -> list[str]:
    """Returns the tokens of one bar; triplets are grouped."""
    altered = modes.signature(key)
    local: dict[str, int] = {}
    result: list[str] = []
    position = 0
    while position < len(bar):
        count = _triplet(bar, position)
        scale = Fraction(3, 2) if count else Fraction(1)
        if count:
            result.append("(3" if count == 3 else f"(3:2:{count}")
        for tone, tied in bar[position : position + max(count, 1)]:
            length = (tone.end - tone.start) * 2 * scale  # in eighths
            if length.denominator > 16:
                raise ZooError(f"a note lasts {length} eighths, which a tune cannot have.")
            result.append(_pitch_token(tone.pitch, key, altered, local) if tone.pitch else "z")
            result += abc.length_tokens(length)
            result += ["-"] * tied
        position += max(count, 1)
    return result


def _triplet(bar: Sequence[tuple[_Tone, bool]], position: int) -> int:
    """Returns the number of notes from `position` on that form a triplet, 0 for none."""
    total = Fraction(0)
    for count, (tone, _) in enumerate(bar[position : position + 9], 1):
        length = tone.end - tone.start
        if count == 1 and length.denominator % 3:
            return 0
        total += length
        if total.denominator % 3 and count > 1:
            return count
    return 0


def _pitch_token(pitch: int, key: str, altered: dict[str, int], local: dict[str, int]) -> str:
    """Returns the token of a pitch and adds its accidental to `local`, those of the bar."""
    for letter, value in LETTERS.items():
        alter = altered.get(letter, 0)
        if (value + alter - pitch) % 12 == 0:
            break
    else:
        name = note_name(pitch, _plain(key))
        letter, alter = name[0], {"#": 1, "-": -1}.get(name[1], 0)
    sign = ""
    if local.get(letter, altered.get(letter, 0)) != alter:
        sign = {1: "^", 0: "=", -1: "_"}[alter]
        local[letter] = alter
    octave = math.floor((pitch - alter) / 12) - 5
    name = letter if octave < 1 else letter.lower()
    return sign + name + "'" * (octave - 1) + "," * -octave


def _plain(key: str) -> str | None:
    return key if key.endswith((" major", " minor")) else None
