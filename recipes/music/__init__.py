"""Pieces of music: their keys, and files of them that people can hear and see.

A frame is what sounds at a moment: the MIDI numbers of its notes, an ascending tuple without
repetitions, within the 88 keys of a piano (21 to 108); the empty tuple is a rest. A piece is a list
of frames of equal length, which is given in quarter notes.

What reads and writes files needs the libraries of the extra `[music]`; they are imported when they
are needed, and what is exported here needs none of them.
"""

from recipes.music.keys import (
    HIGHEST,
    KEYS,
    LOWEST,
    chord_name,
    note_name,
    parse_chord,
    parse_key,
    scale,
    sharps,
    tonic,
    transpose_key,
)

__all__ = [
    "HIGHEST",
    "KEYS",
    "LOWEST",
    "chord_name",
    "note_name",
    "parse_chord",
    "parse_key",
    "scale",
    "sharps",
    "tonic",
    "transpose_key",
]
