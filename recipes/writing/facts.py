"""What language models are for, from their data: sentences for the model card."""

from __future__ import annotations

from zoo.data import facts
from zoo.data.splits import Splits

BIBLE = "The text is the Bible in Basic English, of 1949."


def of_books(splits: Splits) -> list[str]:
    """Returns what is known of a model of characters."""
    known = {
        "tfds": "The text is Shakespeare's plays, in the English of about 1600, as dialogues.",
        "bible": BIBLE,
    }
    text = splits.train["text"]
    return [
        f"It writes on in the manner of one text, letter by letter. {facts.origin(splits, known)}",
        f"It has read {sum(map(len, text)):,} characters, {len(set().union(*text)):,} different "
        "ones; others cannot be read, and what it says is true of nothing.",
    ]


def of_treebank(splits: Splits) -> list[str]:
    """Returns what is known of a model of words."""
    known = {
        "ptb": "The text is the Wall Street Journal of 1989, in lower case and without punctuation "
        "marks, numbers as N.",
        "bible": BIBLE,
    }
    tokens = [word for text in splits.train["text"] for word in text.split()]
    return [
        "It tells how probable each next word of a text is, and is for comparing language models. "
        + facts.origin(splits, known),
        f"It has read {len(tokens):,} words, {len(set(tokens)):,} different ones; all others are "
        "one unknown word. Its perplexity means something on text that is prepared alike.",
    ]


def of_films(splits: Splits) -> list[str]:
    """Returns what is known of a model of film reviews."""
    films = "The text is reviews that users of IMDb wrote until 2011."
    return [
        "It is for starting classifiers of opinions from it, and writes reviews that nobody holds. "
        + facts.origin(splits, dict.fromkeys(("tfds", "wheel"), films)),
        facts.words(splits.train["text"], "reviews"),
    ]
