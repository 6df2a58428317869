"""Pieces in other keys."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from recipes.music.keys import transpose_key
from zoo.errors import ZooError


def transposed(
    keys: Sequence[str], pieces: Sequence[Sequence[Sequence[int]]], shifts: Iterable[int]
) -> dict[str, list]:
    """Transposes each piece by all `shifts` that keep it in the range of all pieces together.

    Args:
      keys: name of each piece's key, or `""`.
      pieces: lists of frames.
      shifts: in semitones.

    Returns:
      Columns `key` and `frames`; they include each unchanged piece if 0 is one of `shifts`.
    """
    spans = [_span(piece) for piece in pieces]
    sounding = [span for span in spans if span]
    if not sounding:
        raise ZooError("No piece has a note.")
    low, high = min(low for low, _ in sounding), max(high for _, high in sounding)
    columns: dict[str, list] = {"key": [], "frames": []}
    shifts = sorted(shifts, key=lambda shift: (abs(shift), shift))
    for key, piece, span in zip(keys, pieces, spans, strict=True):
        for shift in shifts:
            if shift == 0 or (span and low <= span[0] + shift and span[1] + shift <= high):
                columns["key"].append(transpose_key(key, shift) if key else "")
                columns["frames"].append([[note + shift for note in frame] for frame in piece])
    return columns


def _span(piece: Sequence[Sequence[int]]) -> tuple[int, int] | None:
    notes = [note for frame in piece for note in frame]
    return (min(notes), max(notes)) if notes else None
