"""Sentences for the model cards of translators, derived from their data."""

from __future__ import annotations

from zoo.data import facts
from zoo.data.splits import Splits

KNOWN = {
    "multi30k": "The sentences describe photographs on Flickr: people and animals, what they wear "
    "and do, almost all in the present tense.",
    "tatoeba": "The sentences are short examples for language learners, in all tenses.",
    "multi30k+tatoeba": "The sentences describe photographs on Flickr, or are short examples for "
    "language learners.",
    "bible": "The sentences are verses of the Bible, in translations of 1910 and 1949.",
    "ted": "The sentences are subtitles of TED talks.",
}
TALK = {"en": {"i", "you"}, "fr": {"je", "vous", "tu"}, "de": {"ich", "sie", "du"}}


def of_pairs(splits: Splits, source: str, target: str) -> list[str]:
    """Returns sentences about a translator.

    Args:
      splits: its data.
      source, target: language codes.
    """
    train = splits.train
    questions = sum("?" in text for text in train["text"]) / len(train["text"])
    spoken = TALK.get(source)
    said = f"{questions:.1%} of the training sentences are questions"
    if spoken:
        talk = sum(not spoken.isdisjoint(text.lower().split()) for text in train["text"])
        listed = ", ".join(sorted(spoken))
        said += f", and {talk / len(train['text']):.1%} have one of the words {listed}"
    return [
        f"It translates from {source} to {target}, sentence by sentence. "
        f"{facts.origin(splits, KNOWN)}",
        facts.words(train["text"], "training sentences"),
        f"{said}. It translates what is rare in its training data wrongly, though fluently.",
        "It does not read the sentences before, so it cannot know whom a pronoun refers to, or "
        "whether to be formal.",
    ]
