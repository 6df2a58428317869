"""Pieces of music: their keys, and files of them that people can hear and see.

A frame is the set of notes that sound at one time step: their MIDI numbers, an ascending tuple
without repetitions, within the 88 keys of a piano (21 to 108); the empty tuple is a rest. A piece
is a list of frames of equal length; the length is in quarter notes.

The functions that read and write files need the libraries of the extra `[music]`, which they
import when they are called. The names exported here need none of them.
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
