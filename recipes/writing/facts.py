"""Sentences for the model cards of language models, derived from their data."""

from __future__ import annotations

from zoo.data import facts
from zoo.data.splits import Splits

BIBLE = "The training text is the Bible in Basic English, of 1949."


def of_books(splits: Splits) -> list[str]:
    """Returns sentences about a character-level model."""
    known = {
        "tfds": "The training text is Shakespeare's plays: dialogues in the English of about 1600.",
        "bible": BIBLE,
    }
    text = splits.train["text"]
    return [
        f"It continues a text in the style of another, character by character. "
        f"{facts.origin(splits, known)}",
        f"It was trained on {sum(map(len, text)):,} characters, {len(set().union(*text)):,} of "
        "them different; it ignores others. What it writes is fiction.",
    ]


def of_treebank(splits: Splits) -> list[str]:
    """Returns sentences about a word-level model."""
    known = {
        "ptb": "The training text is the Wall Street Journal of 1989, in lower case, without "
        "punctuation marks, and with N for numbers.",
        "bible": BIBLE,
    }
    tokens = [word for text in splits.train["text"] for word in text.split()]
    return [
        "It predicts each next word of a text, and serves to compare language models. "
        + facts.origin(splits, known),
        f"It was trained on {len(tokens):,} words, {len(set(tokens)):,} of them different; all "
        "others are one unknown word. Its perplexity only has a meaning on text that was prepared "
        "in the same way.",
    ]


def of_films(splits: Splits) -> list[str]:
    """Returns sentences about a model of film reviews."""
    films = "The training text is film reviews by users of IMDb, written until 2011."
    return [
        "It gives classifiers of opinions their first weights. The reviews that it writes are "
        "fiction. " + facts.origin(splits, dict.fromkeys(("tfds", "wheel"), films)),
        facts.words(splits.train["text"], "reviews"),
    ]
