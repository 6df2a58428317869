"""Sentences about named-entity taggers for the model card, derived from their data."""

from __future__ import annotations

from collections import Counter

from recipes.tagging.tags import class_names
from zoo.data import facts
from zoo.data.splits import Splits

REUTERS = (
    "The sentences are English news by Reuters: training and validation of August 1996, test of "
    "December 1996. Many are about sport, or lines of its tables."
)
KNOWN = {
    "tfds": REUTERS,
    "wheel": REUTERS,
    "wnut17": "The sentences are English posts and comments on social media, until 2017.",
}


def of_names(splits: Splits) -> list[str]:
    """Returns facts about a named-entity tagger."""
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
        f"It knows {kinds:,} kinds of names, with their number in the training split: {shown}. It "
        "marks no names of other kinds, and no dates or amounts.",
        f"{new:.1%} of the tokens of the test split are not in the training split, and {small:.1%} "
        "of the training sentences have no capital letter. If a name contains another name, it "
        "marks the outer one.",
    ]
