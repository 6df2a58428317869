"""Sentences for the model card on the use of recognisers of spoken digits, from their data."""

from __future__ import annotations

from zoo.data import facts
from zoo.data.splits import Splits

FSDD = "fsdd-1.0.9"
KNOWN = {
    FSDD: "The training recordings are English digits at 8 kHz, one each, with almost no silence "
    "at their ends.",
    "mfcc": "The training recordings are English digits, stored as features without the sound.",
}


def of_digits(splits: Splits, single: bool) -> list[str]:
    """Returns the sentences for a recogniser of digits.

    Args:
      single: whether it predicts one digit per recording instead of a sequence.
    """
    train = splits.train
    speakers = sorted({name for name in train["speaker"] if name})
    who = f"The training data have {len(speakers):,} speakers ({', '.join(speakers[:12])})"
    tested = {name for name in splits.test["speaker"] if name} - {*speakers}
    if tested:
        new = "the test split has other speakers"
    else:
        new = "the test split has no other speakers, so expect more errors with other voices"
    task = "It recognises the one word" if single else "It transcribes the sequence of words"
    sizes = [len(text.split()) for text in train["text"]]
    if single:
        rows = facts.classes(train["text"])
    elif max(sizes) == 1:
        rows = "The training recordings have one word each; training joins them into sequences."
    else:
        rows = facts.spread(sizes, "training recordings", "words")
    # For a folder of exactly FSDD's recordings, `read_folder` returns the licence and this title.
    known = splits.custom and splits.licence and splits.title.startswith("spoken digits (FSDD")
    origin = KNOWN[FSDD] if known else facts.origin(splits, KNOWN)
    return [
        f"{task} in a recording. {origin}",
        f"{who if speakers else 'The speakers are unknown'}; {new}.",
        rows,
        "It takes an unknown word for the most similar word that it knows. Background noise and "
        "echo, which its training recordings lack, cause more errors.",
    ]
