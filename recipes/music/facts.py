"""Sentences for the model card on the use of models of music, from their data."""

from __future__ import annotations

from zoo.data import facts
from zoo.data.splits import Splits

ROLLS = "The pieces were transposed to C major or C minor, so their keys are unknown."
PIECES = {
    "bach": "The pieces are Bach's chorales of exactly four parts, from about 1710 to 1750.",
    "jsb": f"The pieces are Bach's chorales as piano rolls. {ROLLS}",
    "jsb-json": "The pieces are Bach's chorales, in quarters.",
    "jsb-16th": "The pieces are Bach's chorales, in sixteenths.",
    "nottingham": f"The pieces are British and American folk tunes with chords. {ROLLS}",
}
TUNES = {
    "wheel": "The training tunes are Irish, Scottish, English and American; they were printed from "
    "1782 to 1903."
}


def of_pieces(splits: Splits) -> list[str]:
    """Returns the sentences for a model of music of several voices."""
    frames = [frame for piece in splits.train["frames"] for frame in piece]
    notes = [note for frame in frames for note in frame]
    most = max((len(frame) for frame in frames), default=0)
    return [
        f"It generates pieces of several voices, and computes how probable a piece is. "
        f"{facts.origin(splits, PIECES)}",
        facts.spread(map(len, splits.train["frames"]), "training pieces", "frames"),
        f"Their notes are from {min(notes, default=0)} to {max(notes, default=0)} (MIDI), at most "
        f"{most} at once. They have no dynamics, instruments, ornaments or lyrics.",
    ]


def of_tunes(splits: Splits) -> list[str]:
    """Returns the sentences for a model of folk tunes."""
    train = splits.train
    return [
        f"It generates tunes of one voice in ABC notation. {facts.origin(splits, TUNES)}",
        f"They have {len(set(train['type'])):,} types and {len(set(train['key'])):,} keys; it "
        "cannot write tunes of others. They have no chords, lyrics or second voices.",
    ]
