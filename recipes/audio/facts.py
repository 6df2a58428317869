"""What recognisers of spoken digits are for, from their data: sentences for the model card."""

from __future__ import annotations

from zoo.data import facts
from zoo.data.splits import Splits

KNOWN = {
    "fsdd-1.0.9": "The recordings are English digits at 8 kHz, one each, with almost no silence at "
    "their ends.",
    "mfcc": "The recordings are English digits, kept as features only.",
}


def of_digits(splits: Splits, single: bool) -> list[str]:
    """Returns what is known of a recogniser of digits.

    Args:
      single: whether it answers one digit to a recording, not a sequence.
    """
    train = splits.train
    speakers = sorted({name for name in train["speaker"] if name})
    who = f"{len(speakers):,} people speak in training ({', '.join(speakers[:12])})"
    tested = {name for name in splits.test["speaker"] if name} - {*speakers}
    new = "the test has others" if tested else "the test has no others: of other voices expect less"
    task = "It tells which one word" if single else "It writes the sequence of words that"
    sizes = [len(text.split()) for text in train["text"]]
    if single:
        rows = facts.classes(train["text"])
    elif max(sizes) == 1:
        rows = (
            "The training recordings have one word each; in training they are joined to sequences."
        )
    else:
        rows = facts.spread(sizes, "training recordings", "words")
    return [
        f"{task} is said in a recording. {facts.origin(splits, KNOWN)}",
        f"{who if speakers else 'Nobody noted who speaks'}; {new}.",
        rows,
        "A word that it does not know becomes the nearest of its own. Noise and rooms that its "
        "recordings lack make it worse.",
    ]
