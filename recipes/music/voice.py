"""An instrument: struck strings in a small room, by additive synthesis.

A string sounds as partials, a little above the multiples of its pitch. Higher partials are weaker
and fade sooner. The hammer adds a short noise. The room adds reflections that fade within half a
second. There is no random element: the same notes give the same samples.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable

import numpy as np

RATE = 22_050  # samples a second: partials up to 10 kHz
TAIL = 0.75  # seconds after the last note, in which strings and room fade out

_PARTIALS = 32
_HIGHEST = 0.45  # of the sampling rate: partials above would alias
_STRIKE_POINT = 1 / 8  # of the string's length: every eighth partial is weak
_STIFFNESS = 4e-4  # how far partials lie above multiples of the pitch
_SLOPE = 1.0  # amplitudes fall with this power of the partial's number
_RING = 3.0  # seconds in which the first partial of middle C falls to 1/e
_ATTACK, _RELEASE = 0.006, 0.09  # seconds
_HAMMER = 0.04  # fraction of the string's amplitude
_WET = 0.22  # level of the reflections of the room
_ROOM = 0.45  # seconds until the reflections have faded
_EDGE = 0.02  # seconds over which the whole sound ends


def play(notes: Iterable[tuple[float, float, int, float]], seconds: float) -> np.ndarray:
    """Plays notes.

    Args:
      notes: `(start, end, pitch, loudness)`: seconds, MIDI number, 1 for a full tone.
      seconds: length of the piece.

    Returns:
      float64 `(samples,)` at `RATE`, `TAIL` longer than the piece; it begins and ends with 0. The
      amplitude is not normalized.
    """
    notes = list(notes)
    dry = np.zeros(round((seconds + TAIL) * RATE))
    longest: dict[int, float] = {}
    for start, end, pitch, _ in notes:
        longest[pitch] = max(longest.get(pitch, 0.0), end - start)
    strings = {pitch: _string(pitch, length + _RELEASE) for pitch, length in longest.items()}
    fall = 0.5 + 0.5 * np.cos(np.linspace(0, np.pi, round(_RELEASE * RATE)))
    for start, end, pitch, loudness in notes:
        begin, held = round(start * RATE), max(round((end - start) * RATE), 1)
        tone = strings[pitch][: held + len(fall)].copy()
        tone[held:] *= fall[: len(tone) - held]
        tone = tone[: len(dry) - begin]
        dry[begin : begin + len(tone)] += loudness * tone
    return without_edges(_in_room(dry))


def _string(pitch: int, seconds: float) -> np.ndarray:
    """Returns the sound of a string that is never damped."""
    first = 440 * 2 ** ((pitch - 69) / 12)
    time = np.arange(round(seconds * RATE) + 1) / RATE
    octaves = (pitch - 60) / 12
    ring = _RING * 2 ** (-0.7 * octaves)
    wave = np.zeros_like(time)
    power = 0.0
    for number in range(1, _PARTIALS + 1):
        frequency = first * number * np.sqrt(1 + _STIFFNESS * number**2)
        if frequency > _HIGHEST * RATE:
            break
        weight = abs(np.sin(np.pi * number * _STRIKE_POINT)) / number**_SLOPE
        rate = (1 + 0.25 * (number - 1)) / ring
        # Two strings of one key fade at first together, then against each other.
        fading = 0.75 * np.exp(-rate * time) + 0.25 * np.exp(-0.3 * rate * time)
        # Phases that keep the partials' peaks apart.
        phase = 2 * np.pi * frequency * time + np.pi * number**2 / _PARTIALS
        wave += weight * fading * np.sin(phase)
        power += weight**2
    wave /= np.sqrt(power)
    noise = _noise(1)[: len(wave)]
    wave[: len(noise)] += _HAMMER * noise * np.exp(-time[: len(noise)] / 0.012)
    rise = min(round(_ATTACK * RATE), len(wave))
    wave[:rise] *= 0.5 - 0.5 * np.cos(np.linspace(0, np.pi, rise))
    return wave


@functools.cache
def _noise(seed: int) -> np.ndarray:
    """Returns white noise of unit variance, as long as the reflections of the room."""
    return np.random.default_rng(seed).standard_normal(round(_ROOM * RATE))


def _in_room(dry: np.ndarray) -> np.ndarray:
    """Adds the reflections of a room; those of high tones fade sooner."""
    from scipy.signal import fftconvolve, lfilter

    time = np.arange(round(_ROOM * RATE)) / RATE
    tail = lfilter([0.35], [1, -0.65], _noise(2)) * np.exp(-time / (_ROOM / 6))
    tail[: round(0.012 * RATE)] = 0  # the first wall is two metres away
    tail /= np.sqrt(np.sum(tail**2))
    return dry + _WET * fftconvolve(dry, tail)[: len(dry)]


def without_edges(sound: np.ndarray) -> np.ndarray:
    """Fades the beginning and the end to 0, so that nothing clicks."""
    for seconds, part in ((_ATTACK / 4, sound), (_EDGE, sound[::-1])):
        size = min(round(seconds * RATE), len(sound) // 2)
        part[:size] *= np.sin(np.linspace(0, np.pi / 2, size)) ** 2
    return sound
