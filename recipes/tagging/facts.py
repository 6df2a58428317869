"""What a tagger of names is for, from its data: sentences for the model card."""

from __future__ import annotations

from collections import Counter

from recipes.tagging.tags import class_names
from zoo.data import facts
from zoo.data.splits import Splits

REUTERS = (
    "The sentences are English news of Reuters: those of training and validation of August 1996, "
    "those of the test of December 1996; much of it sport and its tables."
)
KNOWN = {
    "tfds": REUTERS,
    "wheel": REUTERS,
    "wnut17": "The sentences are English posts and comments of users of social media, until 2017.",
}


def of_names(splits: Splits) -> list[str]:
    """Returns what is known of a tagger of named entities."""
    train = splits.train
    names = Counter(
        tag[2:] for tags in train["tags"] for tag in tags if tag.startswith("B-")
    ).most_common()
    shown = ", ".join(f"{name} {count:,}" for name, count in names)
    seen = {token for tokens in train["tokens"] for token in tokens}
    test = [token for tokens in splits.test["tokens"] for token in tokens]
    new = sum(token not in seen for token in test) / max(1, len(test))
    small = sum("".join(tokens).islower() for tokens in train["tokens"]) / len(train["tokens"])
    kinds = len(set().union(*(class_names(tags) for tags in train["tags"])))
    return [
        f"It marks names in a text, sentence by sentence. {facts.origin(splits, KNOWN)}",
        facts.spread(map(len, train["tokens"]), "training sentences", "tokens"),
        f"It knows {kinds:,} kinds of names, by how often training rows have them: {shown}. Dates, "
        "amounts and titles of other kinds are no names to it.",
        f"{new:.1%} of the test's tokens are in no training row, and {small:.1%} of the training "
        "sentences have no capital letter. Of a name inside another, the outer one is marked.",
    ]
