"""Pieces as MIDI and as audio, by pretty_midi."""

from __future__ import annotations

import io
from fractions import Fraction
from typing import Any

import numpy as np

from zoo.music.keys import parse_key, tonic
from zoo.music.libraries import require
from zoo.music.piece import Piece

RATE = 22_050  # samples a second: all that a piano's fundamentals and first overtones need
PEAK = 0.9  # of full scale
TICKS = 480  # a quarter note: thirds, fifths and 32nds are whole numbers of them

_VELOCITY = 80
# A pure tone of the bass is hardly heard from a small loudspeaker; its overtones are.
_OVERTONES = (1.0, 0.5, 0.25, 0.125)


def midi(piece: Piece) -> bytes:
    """Returns a MIDI file of format 1, a track for each voice.

    Raises:
      ZooError: pretty_midi is not installed.
    """
    file = io.BytesIO()
    _midi(piece).write(file)
    return file.getvalue()


def audio(piece: Piece) -> np.ndarray:
    """Returns the sound of a piece: struck tones that fade, with three overtones.

    Returns:
      int16 `(samples,)`, mono, at `RATE`; as long as the piece, its loudest sample at `PEAK`.

    Raises:
      ZooError: pretty_midi is not installed.
    """
    samples = np.zeros(round(piece.seconds * RATE))
    # The library normalises by the peak and adds a second of silence; notes fade out at their ends.
    sound = _midi(piece).synthesize(fs=RATE, wave=_tone)[: len(samples)]
    samples[: len(sound)] = PEAK * sound
    return np.round(samples * np.iinfo(np.int16).max).astype(np.int16)


def wav(piece: Piece) -> bytes:
    """Returns `audio` as a WAV file."""
    from scipy.io import wavfile

    file = io.BytesIO()
    wavfile.write(file, RATE, audio(piece))
    return file.getvalue()


def _midi(piece: Piece) -> Any:
    require("pretty_midi")
    import pretty_midi

    music = pretty_midi.PrettyMIDI(resolution=TICKS, initial_tempo=piece.bpm)
    signatures = [pretty_midi.TimeSignature(*piece.time, piece.upbeat * 60 / piece.bpm)]
    if piece.upbeat:  # a bar of its own
        size = Fraction(piece.upbeat / 4).limit_denominator(64)
        if size.denominator in (2, 4, 8, 16, 32, 64):
            below = max(4, size.denominator)
            signatures.insert(0, pretty_midi.TimeSignature(int(size * below), below, 0))
        else:
            signatures[0].time = 0
    music.time_signature_changes += signatures
    if piece.key is not None:
        key = parse_key(piece.key)
        number = tonic(key) + (12 if key.endswith("minor") else 0)
        music.key_signature_changes.append(pretty_midi.KeySignature(number, 0))
    second = 60 / piece.bpm
    for voice, name in enumerate(piece.voices):
        track = pretty_midi.Instrument(program=0, name=name)
        track.notes = [
            pretty_midi.Note(_VELOCITY, note.pitch, note.start * second, note.end * second)
            for note in piece.notes
            if note.voice == voice
        ]
        music.instruments.append(track)
    return music


def _tone(phase: np.ndarray) -> np.ndarray:
    """A sine and its overtones, those that the sampling rate can hold."""
    step = phase[1] - phase[0] if len(phase) > 1 else 0.0
    return sum(
        (
            weight * np.sin(number * phase)
            for number, weight in enumerate(_OVERTONES, 1)
            if number * step < np.pi
        ),
        np.zeros_like(phase),
    )
