"""Output files of a piece: MIDI, MusicXML, WAV and a picture."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from recipes.music.libraries import require
from recipes.music.piece import Piece, from_frames
from zoo.data.fetch import log
from zoo.errors import ZooError
from zoo.files import atomic_write

# An hour of four voices would take gigabytes to synthesise.
MAX_SECONDS = 900


def write_frames(
    frames: Sequence[Sequence[int]],
    stem: Path | str,
    *,
    quarter_length: float,
    key: str | None = None,
    bpm: float = 80.0,
    voices: int | None = None,
    strike: float = 1.0,
    beats: int = 4,
    upbeat: float = 0.0,
    soundfont: Path | str | None = None,
) -> list[Path]:
    """Writes a piece given as frames.

    The highest note of a frame goes to the highest voice, the lowest to the lowest. Where a frame
    has fewer notes than there are voices, neighbouring voices sing in unison (up to four voices)
    or voices rest (more than four), so that all voices together move least. An empty frame is a
    rest. A note that its voice repeats in the next frame is held within a beat and repeated on each
    beat.

    The same arguments give the same bytes in every file.

    Args:
      frames: MIDI numbers of each frame, 21 to 108.
      stem: path of the files without their suffixes, which are added.
      quarter_length: length of a frame in quarter notes.
      key: name of the key, for the signature and for the names of notes.
      bpm: quarter notes a minute.
      voices: the least number of voices; None: the number of notes of the fullest frame. Four
        voices are called soprano, alto, tenor and bass.
      strike: quarter notes after which a held note is repeated, counted from the beginning;
        `math.inf` always holds it.
      beats: quarter notes in a bar.
      upbeat: quarter notes before the first bar line, fewer than `beats`; 0 for none.
      soundfont: an SF2 or SF3 file with which fluidsynth plays the WAV; without it, the value of
        the environment variable `ZOO_SOUNDFONT`; else the built-in voice (`recipes.music.voice`).

    Returns:
      The files: `.mid`, `.musicxml`, `.wav` (mono, 16 bits, 22,050 samples a second), `.png`, a
      piano roll, and `.svg`, the score.

    Raises:
      ZooError: there is no note or one is not on a piano, the piece lasts more than 15 minutes, a
        library of the extra `[music]` or fluidsynth is missing, or a file cannot be written.
    """
    require("music21", "pretty_midi", "verovio")
    from recipes.music import notation

    piece = from_frames(
        frames,
        quarter_length=quarter_length,
        key=key,
        bpm=bpm,
        voices=voices,
        strike=strike,
        beats=beats,
        upbeat=upbeat,
    )
    _check_length(piece)
    return _write(Path(stem), piece, notation.musicxml(notation.score(piece)), soundfont)


def write_abc(
    abc: str, stem: Path | str, *, bpm: float = 120.0, soundfont: Path | str | None = None
) -> list[Path]:
    """Writes a tune given in ABC.

    MIDI, WAV and the picture contain all repeats as they are played; MusicXML has them as they are
    written. Chord symbols are not played. Signs that cannot be played, such as "D.C.", are reported
    on stderr.

    Args:
      abc: one tune, with its header.
      stem: path of the files without their suffixes, which are added.
      bpm: quarter notes a minute, where the tune has no tempo (`Q:`).
      soundfont: as of `write_frames`.

    Returns:
      The files: `.abc`, `.mid`, `.musicxml`, `.wav`, `.png`, a piano roll, and `.svg`, the score.

    Raises:
      ZooError: the text is not an ABC tune or has no note, the tune lasts more than 15 minutes, a
        library of the extra `[music]` is missing, or a file cannot be written.
    """
    require("music21", "pretty_midi", "verovio")
    from recipes.music import notation, tune

    parsed = tune.parse_tune(abc)
    piece = tune.to_piece(parsed, bpm)
    _check_length(piece)
    for note in parsed.notes:
        log(f"{Path(stem).name}: {note}")
    text = abc if abc.endswith("\n") else f"{abc}\n"
    document = notation.musicxml(notation.tune_score(parsed, bpm))
    return _write(Path(stem), piece, document, soundfont, {".abc": text.encode()})


def _check_length(piece: Piece) -> None:
    if piece.seconds > MAX_SECONDS:
        raise ZooError(
            f"The piece lasts {piece.seconds / 60:,.0f} minutes at {piece.bpm:g} quarter notes a "
            f"minute; the maximum is {MAX_SECONDS // 60}. Ask for fewer steps."
        )


def _write(
    stem: Path,
    piece: Piece,
    document: bytes,
    soundfont: Path | str | None,
    more: dict[str, bytes] | None = None,
) -> list[Path]:
    """Writes the files of a piece; all contents are computed before the first file is written."""
    from recipes.music import roll, sound
    from recipes.music.engrave import engrave

    contents = {
        **(more or {}),
        ".mid": sound.midi(piece),
        ".musicxml": document,
        ".wav": sound.wav(piece, soundfont or os.environ.get("ZOO_SOUNDFONT") or None),
        ".png": roll.piano_roll(piece),
        ".svg": engrave(document),
    }
    paths = []
    for suffix, content in contents.items():
        path = stem.parent / f"{stem.name}{suffix}"  # a stem may contain a dot
        with atomic_write(path) as temporary:
            temporary.write_bytes(content)
        paths.append(path)
    return paths
