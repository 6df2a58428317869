"""What classifiers of text are for, from their data: sentences for the model card."""

from __future__ import annotations

from zoo.data import facts
from zoo.data.splits import Splits

FILMS = "The rows are English reviews that users of IMDb wrote until 2011, at most 30 of one film."
NEVER = "Reviews that take no side, and opinions of other things than films, were never seen."
SENTENCES = (
    "The rows are single sentences of English film reviews, as Rotten Tomatoes quoted them until "
    "2005, in lower case and cut into words."
)
AG = "The rows are titles and first sentences of English news of 2004 and later, as AG gathered it."


def of_reviews(splits: Splits) -> list[str]:
    """Returns what is known of a classifier of opinions."""
    return [
        "It tells the opinion of a whole text. "
        + facts.origin(splits, {"tfds": FILMS, "wheel": FILMS, "sst-2": SENTENCES}),
        facts.words(splits.train["text"]),
        facts.classes(splits.train["label"]),
        "It answers one of its classes to every text, also to one that has no opinion."
        + ("" if splits.custom else f" {NEVER}"),
    ]


def of_news(splits: Splits) -> list[str]:
    """Returns what is known of a classifier of topics."""
    known = {
        "ag": AG,
        "ag-part": AG,
        "bbc": "The rows are whole texts of the BBC's news pages of 2004 and 2005, in English.",
    }
    return [
        f"It tells the topic of a news text. {facts.origin(splits, known)}",
        facts.words(splits.train["text"]),
        facts.classes(splits.train["label"]),
        "A text of another topic gets the nearest of these. Names of people, companies and clubs "
        "tell much of a topic, and those of later years were never seen.",
    ]
