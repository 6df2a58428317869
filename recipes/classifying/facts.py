"""Sentences about text classifiers for the model card, derived from their data."""

from __future__ import annotations

from zoo.data import facts
from zoo.data.splits import Splits

FILMS = "The rows are English film reviews by users of IMDb, written until 2011, at most 30 a film."
NEVER = "It has seen no neutral reviews, and no opinions about other things than films."
SENTENCES = (
    "The rows are single sentences of English film reviews, quoted by Rotten Tomatoes until 2005, "
    "in lower case and split into words."
)
AG = (
    "The rows are titles and first sentences of English news articles, collected by AG in 2004 and "
    "later."
)


def of_reviews(splits: Splits) -> list[str]:
    """Returns sentences about a sentiment classifier."""
    return [
        "It classifies the opinion of a whole text. "
        + facts.origin(splits, {"tfds": FILMS, "wheel": FILMS, "sst-2": SENTENCES}),
        facts.words(splits.train["text"]),
        facts.classes(splits.train["label"]),
        "It gives every text one of its classes, even a text without an opinion."
        + ("" if splits.custom else f" {NEVER}"),
    ]


def of_news(splits: Splits) -> list[str]:
    """Returns sentences about a topic classifier."""
    known = {
        "ag": AG,
        "ag-part": AG,
        "bbc": "The rows are whole English articles of the BBC's news pages of 2004 and 2005.",
    }
    return [
        f"It classifies the topic of a news text. {facts.origin(splits, known)}",
        facts.words(splits.train["text"]),
        facts.classes(splits.train["label"]),
        "It gives a text about another topic the most similar of these classes. Names of people, "
        "companies and clubs are strong hints, and it has seen none of later years.",
    ]
