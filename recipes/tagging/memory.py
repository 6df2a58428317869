"""Checks tagged sentences in memory as those of a file, and adds their text.

Light: importing this module imports neither TensorFlow nor NumPy.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from recipes.tagging import reader
from zoo.errors import ZooError, quoted

if TYPE_CHECKING:
    from zoo.data.sources import Examples

WHERE = "The data in memory"


def complete(examples: Examples) -> Examples:
    """Returns the columns `text`, `tokens` and `tags` (BIO) of sentences.

    Args:
      examples: `tokens`, lists of strings; `tags`, lists of as many tags in one of the schemes that
        `recipes.tagging.reader` reads; and optionally `text`.

    Raises:
      ZooError: a row has no tokens, a different number of tags, or an invalid tag; or schemes are
        mixed.
    """
    if not {"tokens", "tags"} <= examples.keys():
        return examples  # the caller reports the missing column
    if len(examples["tokens"]) != len(examples["tags"]):
        return examples
    sentences = []
    for row, (tokens, tags) in enumerate(zip(examples["tokens"], examples["tags"], strict=True)):
        tokens, tags = _texts(row, "tokens", tokens), _texts(row, "tags", tags)
        if len(tokens) != len(tags) or not tokens:
            raise ZooError(
                f"{WHERE}: row {row} has {len(tokens)} tokens and {len(tags)} tags. Give each "
                "token its tag."
            )
        wrong = next((tag for tag in tags if not reader.TAG.fullmatch(tag)), None)
        if wrong is not None:
            raise ZooError(
                f"{WHERE}: row {row} has {quoted(wrong)}, which is not a tag; tags are O, B-X and "
                "I-X "
                "(BIO or IOB1), or B-X, I-X, E-X and S-X (BIOES)."
            )
        sentences.append(reader.Sentence([row] * len(tokens), tokens, tags))
    scheme, wrong_rows, complaint = reader.find_scheme(sentences, "row")
    if wrong_rows:
        raise ZooError(f"{WHERE}: {complaint}")
    return {
        "text": examples.get("text") or [" ".join(each.tokens) for each in sentences],
        "tokens": [each.tokens for each in sentences],
        "tags": [scheme(each.tags) for each in sentences],
    }


def _texts(row: int, column: str, values: object) -> list[str]:
    if not isinstance(values, list | tuple) or not all(isinstance(v, str) for v in values):
        raise ZooError(f"{WHERE}: row {row}: {column!r} must be a list of texts.")
    return list(values)
