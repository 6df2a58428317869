"""JSON-compatible rules with which `tag_reader` reads texts as the TensorFlow graph does."""

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
    """Returns the rules for `recipes.tagging.tag_reader.Reader`.

    Args:
      encoder, tags, max_bytes, max_words, common: as for
        `recipes.tagging.signatures.tagging_signatures`.

    Returns:
      The output of `zoo.text.rules.text_rules`, and:

      `words`, `characters` and `max_characters` of the encoder; `max_bytes`, `max_words`,
      `common`; `window`: number of tokens that the network reads together; `further`: number of
      known words added to those of a text to compute its novelty; `titles`: abbreviations that
      keep their full stop; `classes`: character ranges by class name.

      `bio`: the BIO tag of each of the network's tags; `follows`: for each of these, a list with
      1 for each tag that may follow it, else 0; `first`: 1 for each tag that may be the first,
      else 0.
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
