"""Checks of generated pieces: voice ranges, key, form, and copying of the training pieces.

No check says that a piece is good. A value has a meaning only next to the value of held-out pieces
of the corpus: call `frame_checks` for both.
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
from zoo.metrics.overlap import match_lengths

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
      pieces: the pieces to check: generated ones, or held-out ones of the corpus.
      keys: the requested or actual key of each piece; None where it is unknown.
      training: the pieces that the model was trained on.
      training_keys: their keys. With both, pitch classes are counted from the tonic.
      bar: frames in a bar.

    Returns:
      A dict that can be saved as JSON:
      `voice_ranges`, fraction of the notes that lie in their voice's usual range; the notes of a
      frame go to four voices from the highest note down;
      `in_key`, fraction of the notes that are in the scale, only with `keys`;
      `repeated_bars`, fraction of the bars that occurred before in their piece, only where a piece
      is a bar long;
      `pitch_class_distance` to the training pieces, in bits, from 0 to 1, only where both have
      notes in the same modes;
      `longest_overlap` and `mean_overlap`, in frames: the greatest and the mean, over the pieces,
      of the longest run of frames that occurs in a training piece, in any transposition;
      `copied`, the mean fraction of a piece that this run covers;
      `pieces`, `frames`, their numbers.

    Raises:
      ZooError: there is no piece or no note, or the numbers of keys and pieces differ.
    """
    for several, names in ((pieces, keys), (training, training_keys)):
        if names is not None and len(names) != len(several):
            raise ZooError(
                f"There are {len(names)} keys for {len(several)} pieces: give one key per piece."
            )
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
        checks["repeated_bars"] = repeated_fraction(whole)
    return checks


def voice_ranges(
    pieces: Iterable[Sequence[Frame]], ranges: Sequence[tuple[int, int]] = RANGES
) -> float:
    """Returns the fraction of notes within the range of their voice; NaN where there are no notes.

    `recipes.music.piece.assign_voices` assigns the notes of a frame to voices. In a frame with more
    notes than voices, no note counts as within its range.
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
    """Returns the fraction of notes in the scale of the piece's key; NaN where there are none.

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
    """Returns runs of `size` frames from the beginning; an incomplete last one is omitted."""
    return [
        tuple(map(_hashable, piece[start : start + size]))
        for start in range(0, len(piece) - size + 1, size)
    ]


def repeated_fraction(pieces: Iterable[Sequence[Hashable]]) -> float:
    """Returns the fraction of items, such as bars, that occurred before in their piece.

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
    """Returns the distance between the pitch classes of two sets of pieces.

    The Jensen–Shannon divergence of the two distributions, in bits: 0 where they are equal, 1 where
    they have no pitch class in common (Lin 1991, "Divergence Measures Based on the Shannon
    Entropy"). With keys, pitch classes are counted from the tonic, separately in major and minor;
    the two divergences are averaged by the notes of `pieces`.

    Raises:
      ZooError: one of the sets has no note, or none in a mode that the other set has.
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
            in_mode = [
                (piece, tonic(key))
                for piece, key in zip(several, names, strict=True)
                if parse_key(key).endswith(mode)
            ]
            counts.append(
                _histogram([piece for piece, _ in in_mode], [root for _, root in in_mode])
            )
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
    run_lengths = match_lengths(list(map(_relative, pieces)), list(map(_relative, training)))
    longest = []
    for piece, lengths in zip(pieces, run_lengths, strict=True):
        # Every second item is a chord: a run of n items that begins with one has (n + 1) / 2. No
        # run begins with a rest, because the item before the next chord skips the rest.
        begins = np.asarray([len(frame) > 0 for frame in piece], bool)
        longest.append(int((lengths[::2][begins].max(initial=0) + 1) // 2))
    return longest


def _relative(piece: Sequence[Frame]) -> list[Hashable]:
    """Returns a form of a piece that is the same in all transpositions.

    Each frame becomes a chord, its intervals above the lowest note. Between two chords is the
    interval between their lowest notes; rests are skipped. n frames give 2 n - 1 items.
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

    def entropy(distribution: np.ndarray) -> float:
        positive = distribution[distribution > 0]
        return float(-(positive * np.log2(positive)).sum())

    return max(0.0, entropy(middle) - (entropy(one) + entropy(other)) / 2)
