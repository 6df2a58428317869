"""Entities as one tag per token, in two schemes.

BIO, in data and answers: `B-X` begins an entity of class X, `I-X` continues it, `O` is outside.
BIOES, in networks: in addition, `E-X` ends an entity and `S-X` is an entity of a single token. The
network thus learns both boundaries of an entity (L. Ratinov, D. Roth: Design Challenges and
Misconceptions in Named Entity Recognition, CoNLL 2009).

Light: importing this module imports neither TensorFlow nor NumPy.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

# BILOU uses L and U instead of E and S.
_BIO = {"B": "B", "I": "I", "E": "I", "L": "I", "S": "B", "U": "B"}


def to_bio(tags: Iterable[str]) -> list[str]:
    """Converts BIOES or BILOU tags to BIO."""
    return [tag if tag == "O" else _BIO[tag[0]] + tag[1:] for tag in tags]


def to_bioes(tags: Sequence[str]) -> list[str]:
    """Converts the BIO tags of a sentence to BIOES."""
    return [
        tag if tag == "O" or following == "I" + tag[1:] else {"B": "S", "I": "E"}[tag[0]] + tag[1:]
        for tag, following in zip(tags, [*tags[1:], "O"], strict=False)
    ]


def bio_tags(tags: Iterable[str]) -> list[str]:
    """Returns all BIO tags of the classes in the given tags, of either scheme; `O` first."""
    return _all_tags(tags, "BI")


def bioes_tags(tags: Iterable[str]) -> list[str]:
    """Returns all BIOES tags of the classes in the given tags, of either scheme; `O` first."""
    return _all_tags(tags, "BIES")


def class_names(tags: Iterable[str]) -> list[str]:
    """Returns the sorted entity classes in the given tags, of either scheme."""
    return sorted({tag[2:] for tag in tags if tag != "O"})


def _all_tags(tags: Iterable[str], edges: str) -> list[str]:
    return ["O", *(f"{edge}-{name}" for name in class_names(tags) for edge in edges)]
