"""Entities as one tag a token, in two schemes.

BIO, in data and answers: `B-X` begins an entity of class X, `I-X` continues it, `O` is outside.
BIOES, in networks: `E-X` ends an entity, `S-X` is a single token, so that both edges of an
entity are learnt (L. Ratinov, D. Roth: Design Challenges and Misconceptions in
Named Entity Recognition, CoNLL 2009).

Light: importing this module imports neither TensorFlow nor NumPy.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

# BILOU has L and U for E and S.
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
    """Returns all BIO tags of the classes that some tags, of either scheme, have; `O` first."""
    return _all_tags(tags, "BI")


def bioes_tags(tags: Iterable[str]) -> list[str]:
    """Returns all BIOES tags of the classes that some tags, of either scheme, have; `O` first."""
    return _all_tags(tags, "BIES")


def class_names(tags: Iterable[str]) -> list[str]:
    """Returns the classes of the entities that some tags, of either scheme, have."""
    return sorted({tag[2:] for tag in tags if tag != "O"})


def _all_tags(tags: Iterable[str], edges: str) -> list[str]:
    return ["O", *(f"{edge}-{name}" for name in class_names(tags) for edge in edges)]
