"""Checks on pieces that are made: do they keep to their voices, key and form, are they copies?

None of them says that a piece is good. Each means something beside its value for pieces of the
corpus that the model has not seen; `frame_checks` is meant to be called for both.
"""

from __future__ import annotations

import contextlib
import itertools
import math
from collections.abc import Hashable, Iterable, Sequence

import numpy as np

from recipes.music.keys import parse_key, scale, tonic
from recipes.music.piece import assign_voices
from zoo.errors import ZooError
from zoo.metrics.overlap import matches

Frame = Sequence[int]

# What textbooks of four-part writing allow, as MIDI numbers: soprano C4 to G5, alto G3 to D5,
# tenor C3 to G4, bass E2 to D4 (https://fiveable.me/tonal-composition, "Four-part writing basics").
RANGES = ((60, 79), (55, 74), (48, 67), (40, 62))


def frame_checks(
    pieces: Sequence[Sequence[Frame]],
    keys: Sequence[str] | None,
    training: Sequence[Sequence[Frame]],
    training_keys: Sequence[str] | None = None,
    *,
    bar: int = 4,
) -> dict[str, float]:
    """Checks pieces that are given as frames.

    Args:
      pieces: the pieces to check: those that are made, or held-out ones of the corpus.
      keys: the key that each was asked to be in, or is in; None where it is not known.
      training: the pieces that the model was trained on.
      training_keys: their keys. With both, pitch classes are counted from the tonic.
      bar: frames in a bar.

    Returns:
      A dict that JSON can hold:
      `voice_ranges`, share of the notes that lie in their voice's usual range, each frame being
      given to four voices from the highest note down;
      `in_key`, share of the notes that are in the scale, only with `keys`;
      `repeated_bars`, share of the bars that occurred before in their piece, only where a piece
      is a bar long;
      `pitch_class_distance` to the training pieces, in bits, from 0 to 1, only where both have
      notes in the same modes;
      `longest_overlap` and `mean_overlap`, in frames: the greatest and the mean, over the pieces,
      of the longest run of frames that occurs in a training piece, in whatever transposition;
      `copied`, the mean share that this run is of its piece;
      `pieces`, `frames`, their numbers.

    Raises:
      ZooError: there is no piece or no note in them, or the keys are not as many as the pieces.
    """
    for several, names in ((pieces, keys), (training, training_keys)):
        if names is not None and len(names) != len(several):
            raise ZooError(f"There are {len(names)} keys for {len(several)} pieces: give each one.")
    if not any(frame for piece in pieces for frame in piece):
        raise ZooError("There is no note in the pieces, so nothing can be checked.")
    lengths = [len(piece) for piece in pieces]
    overlaps = longest_frame_overlaps(pieces, training)
    whole = [bars(piece, bar) for piece in pieces]
    checks = {
        "voice_ranges": voice_ranges(pieces),
        "longest_overlap": float(max(overlaps)),
        "mean_overlap": sum(overlaps) / len(overlaps),
        "copied": sum(
            overlap / length for overlap, length in zip(overlaps, lengths, strict=True) if length
        )
        / len(overlaps),
        "pieces": float(len(pieces)),
        "frames": float(sum(lengths)),
    }
    with contextlib.suppress(ZooError):  # where only one side has pieces in minor, say
        checks["pitch_class_distance"] = pitch_class_distance(pieces, training, keys, training_keys)
    if keys is not None:
        checks["in_key"] = in_key(pieces, keys)
    if any(whole):
        checks["repeated_bars"] = repeated_share(whole)
    return checks


def voice_ranges(
    pieces: Iterable[Sequence[Frame]], ranges: Sequence[tuple[int, int]] = RANGES
) -> float:
    """Returns the share of notes within the range of their voice; NaN where there are no notes.

    The notes of a frame are given to voices as `recipes.music.piece.assign_voices` does it. A frame
    with more notes than there are voices is for other voices: none of its notes is counted as
    within.
    """
    inside = total = 0
    for piece in pieces:
        fitting = [frame if len(frame) <= len(ranges) else () for frame in piece]
        total += sum(map(len, piece)) - sum(map(len, fitting))
        for part in assign_voices(fitting, len(ranges)):
            for pitch, (low, high) in zip(part, ranges, strict=True):
                if pitch is not None:
                    inside += low <= pitch <= high
                    total += 1
    return inside / total if total else math.nan


def in_key(pieces: Iterable[Sequence[Frame]], keys: Iterable[str]) -> float:
    """Returns the share of notes in the scale of the piece's key; NaN where there are none.

    A minor scale has both forms of its sixth and seventh (`scale`): nine of the twelve
    pitch classes.
    """
    inside = total = 0
    for piece, key in zip(pieces, keys, strict=True):
        classes = scale(key)
        for pitch in itertools.chain.from_iterable(piece):
            inside += pitch % 12 in classes
            total += 1
    return inside / total if total else math.nan


def bars(piece: Sequence[Frame], size: int) -> list[tuple[Hashable, ...]]:
    """Returns runs of `size` frames from the beginning on; an incomplete last one is left out."""
    return [
        tuple(map(_hashable, piece[start : start + size]))
        for start in range(0, len(piece) - size + 1, size)
    ]


def repeated_share(pieces: Iterable[Sequence[Hashable]]) -> float:
    """Returns the share of items, such as bars, that occurred before in their piece.

    NaN where there are no items.
    """
    repeated = total = 0
    for piece in pieces:
        repeated += len(piece) - len(set(piece))
        total += len(piece)
    return repeated / total if total else math.nan


def pitch_class_distance(
    pieces: Sequence[Sequence[Frame]],
    others: Sequence[Sequence[Frame]],
    keys: Sequence[str] | None = None,
    other_keys: Sequence[str] | None = None,
) -> float:
    """Returns how far two sets of pieces are apart in the pitch classes that they use.

    The Jensen–Shannon divergence of the two distributions, in bits: 0 where they are equal, 1 where
    they have no pitch class in common (Lin 1991, "Divergence Measures Based on the Shannon
    Entropy"). With keys, pitch classes are counted from the tonic, major and minor apart, and the
    two divergences are averaged by the notes of `pieces`.

    Raises:
      ZooError: one of the sets has no note, or in a mode that the other has.
    """
    if keys is None or other_keys is None:
        return _divergence(
            _histogram(pieces, [0] * len(pieces)), _histogram(others, [0] * len(others))
        )
    total = 0.0
    notes = 0
    for mode in ("major", "minor"):
        counts = []
        for several, names in ((pieces, keys), (others, other_keys)):
            chosen = [
                (piece, tonic(key))
                for piece, key in zip(several, names, strict=True)
                if parse_key(key).endswith(mode)
            ]
            counts.append(_histogram([piece for piece, _ in chosen], [root for _, root in chosen]))
        weight = int(counts[0].sum())
        if weight:
            total += weight * _divergence(*counts)
            notes += weight
    if not notes:
        raise ZooError("There is no note in the pieces, so their pitch classes cannot be compared.")
    return total / notes


def longest_frame_overlaps(
    pieces: Sequence[Sequence[Frame]], training: Sequence[Sequence[Frame]]
) -> list[int]:
    """Returns, for each piece, its longest run of frames that occurs in a training piece.

    A run begins with a note, and also counts where all of it is transposed by some interval.

    Returns:
      The lengths of the runs in frames.
    """
    found = matches(list(map(_relative, pieces)), list(map(_relative, training)))
    longest = []
    for piece, lengths in zip(pieces, found, strict=True):
        # Every second item is a chord: a run of n items that begins with one has (n + 1) / 2. What
        # goes before a rest says how the notes after it have moved: no run begins with one.
        begins = np.asarray([len(frame) > 0 for frame in piece], bool)
        longest.append(int((lengths[::2][begins].max(initial=0) + 1) // 2))
    return longest


def _relative(piece: Sequence[Frame]) -> list[Hashable]:
    """Returns what transposition leaves of a piece, of twice as many items less one.

    Each frame becomes a chord, its intervals above the lowest note, and between two chords stands
    how far the lowest note has moved since the last that sounded.
    """
    items: list[Hashable] = []
    lowest = None
    for frame in piece:
        pitches = sorted(frame)
        if items:
            moved = pitches[0] - lowest if pitches and lowest is not None else 0
            items.append(moved)
        lowest = pitches[0] if pitches else lowest
        items.append(tuple(pitch - pitches[0] for pitch in pitches))
    return items


def _hashable(frame: Frame) -> Hashable:
    return tuple(frame) if isinstance(frame, list | np.ndarray) else frame


def _histogram(pieces: Sequence[Sequence[Frame]], roots: Sequence[int]) -> np.ndarray:
    """Returns how often each pitch class above its piece's root occurs, int `(12,)`."""
    classes = [
        (pitch - root) % 12
        for piece, root in zip(pieces, roots, strict=True)
        for frame in piece
        for pitch in frame
    ]
    return np.bincount(np.asarray(classes, int), minlength=12)


def _divergence(first: np.ndarray, second: np.ndarray) -> float:
    """Returns the Jensen–Shannon divergence of two histograms, in bits."""
    if not first.sum() or not second.sum():
        raise ZooError("There is no note on one side, so pitch classes cannot be compared.")
    one, other = first / first.sum(), second / second.sum()
    middle = (one + other) / 2

    def entropy(shares: np.ndarray) -> float:
        positive = shares[shares > 0]
        return float(-(positive * np.log2(positive)).sum())

    return max(0.0, entropy(middle) - (entropy(one) + entropy(other)) / 2)
