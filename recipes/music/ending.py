"""The length of a piece, and whether it ends on a cadence."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

from recipes.music.keys import parse_key, tonic
from zoo.errors import UsageError, quoted

MAX_FRAMES = 10_000
HELD = 2  # minimum number of frames of the last chord


def parse_end(
    bars: int | None,
    end: str | None,
    given: Mapping[str, object],
    quarter_length: float,
    ends: bool,
) -> dict[str, int]:
    """Returns the input `num_frames` of a piece, and the number of steps that it needs.

    Args:
      bars: number of bars of the whole piece; None if unspecified.
      end: "yes" or "no": whether the piece may end; None if unspecified.
      given: the beginning of the piece; with `prime`, a file, bars are those of the file.
      quarter_length: length of a frame in quarter notes.
      ends: whether the network predicts the end.

    Raises:
      UsageError: a value is out of range, or the network does not predict the end.
    """
    name = "bars" if bars is not None else "end"
    if not ends:
        raise UsageError(
            f"This model does not know where a piece ends, so {name} cannot be used. Use steps, or "
            "a model that was trained with `--set ends=1`."
        )
    if end not in (None, "yes", "no"):
        raise UsageError(f"end must be yes or no; got {quoted(end)}.")
    if bars is None:
        return {"num_frames": -1 if end == "no" else 0}
    if end is not None:
        raise UsageError("bars and end cannot be combined: the piece ends after the last bar.")
    from recipes.music.read import bars_of

    in_bars = bars_of(given, quarter_length)
    frames = math.ceil(
        (bars * in_bars.get("beats", 4) + in_bars.get("upbeat", 0.0)) / quarter_length
    )
    if not 1 <= frames <= MAX_FRAMES:
        limit = int(MAX_FRAMES * quarter_length / in_bars.get("beats", 4))
        raise UsageError(f"bars must be from 1 to {limit}; got {bars}.")
    return {"num_frames": frames, "steps": frames + 1}  # the end takes a step


def cadence_fractions(
    pieces: Iterable[Sequence[Sequence[int]]], keys: Iterable[str]
) -> dict[str, float]:
    """Returns the fractions of pieces, from 0 to 1, that end like a chorale.

    Args:
      pieces: frames of MIDI numbers; frames without a note at the end are ignored.
      keys: name of the key of each piece.

    Returns:
      `ends_on_tonic`: the last chord is the tonic triad in root position; its fifth may be
      absent, and its third may be major in a minor key. `ends_on_cadence`: in addition, the chord
      before it is a different one with the leading note or the fourth degree, as in an authentic
      or a plagal cadence. `ends_held`: the last chord lasts two frames or more.
      NaN where there are no pieces.
    """
    found = [_ending(list(piece), key) for piece, key in zip(pieces, keys, strict=True)]
    names = ("ends_on_tonic", "ends_on_cadence", "ends_held")
    return {
        name: sum(each[place] for each in found) / len(found) if found else math.nan
        for place, name in enumerate(names)
    }


def _ending(piece: list[Sequence[int]], key: str) -> tuple[bool, bool, bool]:
    """Returns for one piece the three properties that `cadence_fractions` counts."""
    while piece and not piece[-1]:
        piece.pop()
    if not piece:
        return False, False, False
    root = tonic(key)
    last = sorted(piece[-1])
    classes = {(note - root) % 12 for note in last}
    thirds = {4} if parse_key(key).endswith("major") else {3, 4}
    one_third = len(classes & thirds) == 1
    on_tonic = last[0] % 12 == root and one_third and classes <= {0, 7, *thirds}
    held = 0
    while held < len(piece) and set(piece[-1 - held]) == set(last):
        held += 1
    before: set[int] = set()
    for frame in piece[-held - 4 : -held]:  # passing notes may stand between the two chords
        before |= {(note - root) % 12 for note in frame}
    return on_tonic, on_tonic and bool(before & {11, 5}), held >= HELD
