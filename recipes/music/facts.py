"""What models of music are for, from their data: sentences for the model card."""

from __future__ import annotations

from zoo.data import facts
from zoo.data.splits import Splits

ROLLS = "The pieces were moved to C major or C minor, so that their keys are unknown."
PIECES = {
    "bach": "The pieces are Bach's chorales of exactly four parts, from about 1710 to 1750.",
    "jsb": f"The pieces are Bach's chorales as piano rolls. {ROLLS}",
    "jsb-json": "The pieces are Bach's chorales, in quarters.",
    "jsb-16th": "The pieces are Bach's chorales, in sixteenths.",
    "nottingham": f"The pieces are British and American folk tunes with chords. {ROLLS}",
}
TUNES = {
    "wheel": "The tunes are Irish, Scottish, English and American ones that were printed from 1782 "
    "to 1903."
}


def of_pieces(splits: Splits) -> list[str]:
    """Returns what is known of a model of several voices."""
    frames = [frame for piece in splits.train["frames"] for frame in piece]
    notes = [note for frame in frames for note in frame]
    most = max((len(frame) for frame in frames), default=0)
    return [
        f"It writes pieces of several voices, and tells how probable one is. "
        f"{facts.origin(splits, PIECES)}",
        facts.spread(map(len, splits.train["frames"]), "training pieces", "frames"),
        f"Their notes go from {min(notes, default=0)} to {max(notes, default=0)} (MIDI), at most "
        f"{most} at once. Loudness, instruments, ornaments and words are not in them.",
    ]


def of_tunes(splits: Splits) -> list[str]:
    """Returns what is known of a model of folk tunes."""
    train = splits.train
    return [
        f"It writes tunes of one voice in ABC notation. {facts.origin(splits, TUNES)}",
        f"Training tunes are of {len(set(train['type'])):,} types and {len(set(train['key'])):,} "
        "keys; it can begin with no others. Chords, words and second voices are not in them.",
    ]
