"""Pieces as MIDI, by pretty_midi, and as audio."""

from __future__ import annotations

import io
import shutil
import subprocess
import tempfile
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from scipy.io import wavfile

from recipes.music.keys import parse_key, tonic
from recipes.music.libraries import require
from recipes.music.piece import Piece
from recipes.music.voice import RATE, play, without_edges
from zoo import files
from zoo.errors import ZooError

if TYPE_CHECKING:
    import pretty_midi

PEAK = 10 ** (-1 / 20)  # of full scale: -1 dB
TICKS = 480  # a quarter note: thirds, fifths and 32nds are whole numbers of them

_VELOCITY = 80
_ACCOMPANIMENT = 0.85  # loudness of the voices below the first


def midi(piece: Piece) -> bytes:
    """Returns a MIDI file of format 1, a track for each voice.

    Raises:
      ZooError: pretty_midi is not installed.
    """
    file = io.BytesIO()
    _midi(piece).write(file)
    return file.getvalue()


def audio(piece: Piece) -> np.ndarray:
    """Returns the sound of a piece, as of `recipes.music.voice`.

    Returns:
      int16 `(samples,)`, mono, at `RATE`; `TAIL` seconds longer than the piece, with the loudest
      sample at `PEAK`.
    """
    second = 60 / piece.bpm
    return _normalized(
        play(
            (
                (
                    note.start * second,
                    note.end * second,
                    note.pitch,
                    _ACCOMPANIMENT if note.voice else 1.0,
                )
                for note in piece.notes
            ),
            piece.seconds,
        )
    )


def wav(piece: Piece, soundfont: Path | str | None = None) -> bytes:
    """Returns the sound of a piece as a WAV file: of `audio`, or of fluidsynth with a soundfont.

    Args:
      piece: the piece to play.
      soundfont: path of an SF2 or SF3 file; `None` for the built-in voice.

    Raises:
      ZooError: fluidsynth is not installed, or cannot use the soundfont.
    """
    samples = audio(piece) if soundfont is None else _synthesized(piece, Path(soundfont))
    file = io.BytesIO()
    wavfile.write(file, RATE, samples)
    return file.getvalue()


def _normalized(sound: np.ndarray) -> np.ndarray:
    """Returns samples as int16, the loudest at `PEAK`."""
    peak = np.abs(sound).max(initial=0)
    scaled = sound * (PEAK * np.iinfo(np.int16).max / peak if peak else 1)
    return np.trunc(scaled).astype(np.int16)


def _synthesized(piece: Piece, soundfont: Path) -> np.ndarray:
    """Returns the sound of a piece as played by fluidsynth, in the format of `audio`."""
    program = shutil.which("fluidsynth")
    if program is None:
        raise ZooError(
            "A soundfont is played by fluidsynth, which is not installed: install the package "
            "fluidsynth of your system, or omit the soundfont."
        )
    soundfont = files.expanded(soundfont)
    if not soundfont.is_file():
        raise ZooError(f"There is no soundfont {soundfont}. Give the path of an SF2 or SF3 file.")
    with tempfile.TemporaryDirectory() as folder:
        score, sound = Path(folder, "piece.mid"), Path(folder, "piece.wav")
        score.write_bytes(midi(piece))
        command = [program, "-ni", "-r", str(RATE), "-F", str(sound), str(soundfont), str(score)]
        done = subprocess.run(command, capture_output=True, check=False)
        try:
            _, samples = wavfile.read(sound)
        except (OSError, ValueError):
            lines = (done.stderr or done.stdout).decode(errors="replace").strip().splitlines()
            raise ZooError(
                f"fluidsynth cannot play with {soundfont} ({' '.join(lines[-1:])[:120]})."
            ) from None
    mono = samples.astype(np.float64).reshape(len(samples), -1).mean(axis=1)
    return _normalized(without_edges(mono))


def _midi(piece: Piece) -> pretty_midi.PrettyMIDI:
    require("pretty_midi")
    import pretty_midi

    music = pretty_midi.PrettyMIDI(resolution=TICKS, initial_tempo=piece.bpm)
    signatures = [pretty_midi.TimeSignature(*piece.time, piece.upbeat * 60 / piece.bpm)]
    if piece.upbeat:  # a separate bar
        size = Fraction(piece.upbeat / 4).limit_denominator(64)
        if size.denominator in (2, 4, 8, 16, 32, 64):
            unit = max(4, size.denominator)
            signatures.insert(0, pretty_midi.TimeSignature(int(size * unit), unit, 0))
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
