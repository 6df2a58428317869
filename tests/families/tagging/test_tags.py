"""Schemes of tags: BIOES says what BIO says, and both edges."""

from recipes.tagging.tags import bioes_tags, to_bio, to_bioes

BIO = ["B-PER", "I-PER", "B-PER", "O", "B-ORG", "I-ORG", "I-ORG", "B-LOC"]
BIOES = ["B-PER", "E-PER", "S-PER", "O", "B-ORG", "I-ORG", "E-ORG", "S-LOC"]


def test_there_and_back():
    assert to_bioes(BIO) == BIOES
    assert to_bio(BIOES) == BIO
    assert to_bioes([]) == []
    assert to_bioes(["B-X", "I-Y"]) == ["S-X", "E-Y"]  # from an I-Y that nothing begins


def test_all_tags_of_the_classes():
    assert bioes_tags(["I-b", "O", "B-a"]) == [
        "O", "B-a", "I-a", "E-a", "S-a", "B-b", "I-b", "E-b", "S-b"
    ]  # fmt: skip
    assert bioes_tags([]) == ["O"]
