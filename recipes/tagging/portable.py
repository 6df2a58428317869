"""Rules for `tag_reader` to read texts as the graph does, compatible with JSON."""

from __future__ import annotations

from collections.abc import Sequence

from recipes.tagging.crf import legal
from recipes.tagging.signatures import WINDOW
from recipes.tagging.tags import bioes_tags, to_bio
from recipes.tagging.tokens import CLASSES, FURTHER, TITLES, TokenEncoder
from zoo.assets import Json
from zoo.text.rules import matching, text_rules


def tag_rules(
    encoder: TokenEncoder, tags: Sequence[str], max_bytes: int, max_words: int, common: int
) -> dict[str, Json]:
    """Returns the rules of `recipes.tagging.tag_reader.Reader`.

    Args:
      encoder, tags, max_bytes, max_words, common: as of
        `recipes.tagging.signatures.tagging_signatures`.

    Returns:
      What `zoo.text.rules.text_rules` returns, and:

      `words` and `characters` of the encoder, and its `max_characters`; `max_bytes`, `max_words`,
      `common`; `window`: tokens that the network reads together; `further`: words that count as
      known besides those of a text, in its novelty; `titles`: abbreviations that keep their full
      stop; `classes`: ranges of characters by the name of a class.

      `bio`: the BIO tag of each of the network's tags; `follows`: for each of these, 1 for each
      that may follow it, else 0; `first`: 1 for each that may be the first.
    """
    inside = bioes_tags(tags)
    follows, first = legal(inside)
    return {
        **text_rules(encoder.normalisation),
        "words": encoder.words,
        "characters": encoder.characters,
        "max_characters": encoder.max_characters,
        "max_bytes": max_bytes,
        "max_words": max_words,
        "common": common,
        "window": WINDOW,
        "further": FURTHER,
        "titles": TITLES,
        "classes": {name: matching(pattern) for name, pattern in CLASSES.items()},
        "bio": to_bio(inside),
        "follows": follows.astype(int).tolist(),
        "first": first.astype(int).tolist(),
    }
