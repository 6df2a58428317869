"""Subwords: cut by hand, joined to the same text, and safe with any bytes."""

import random

import numpy as np
import pytest
import tensorflow as tf

from recipes.translating.subwords import (
    BEGIN,
    END,
    END_PIECE,
    FURTHER,
    RESERVED,
    UNKNOWN,
    Subwords,
    check_characters,
    learn_subwords,
    shifted,
    split_words,
)
from zoo.errors import ZooError

TEXTS = [
    "L'homme dort près d'un arbre.",
    "Un chien court ; « Viens ! »",
    "Zwei Männer, 30 Jahre alt, gehen nach Hause.",
    "aujourd’hui, l’été",
]


def words(text, lower=False):
    row = split_words(tf.constant([text]), lower).to_list()[0]
    return [word.decode() for word in row]


def cut(codec, *texts):
    ids, pieces = codec.cut(tf.constant(texts))
    return ids.to_list(), [[piece.decode() for piece in row] for row in pieces.to_list()]


def test_words_keep_spaces_apostrophes_and_case():
    spelt = "▁L' homme , ▁3 0 . ▁Ça ▁va ▁?"
    assert " ".join(words("L'homme, 30. Ça va ?")) == spelt
    assert words("  a\t\n b ") == ["▁a", "▁b"]
    assert words("ÉTÉ d’Or", lower=True) == ["▁été", "▁d’", "or"]
    assert words("a_▁b") == ["▁a", "_", "_", "b"]
    assert words("x😀y") == ["▁x", "😀", "y"]
    assert words("") == words(" \n\0") == []


@pytest.mark.parametrize(
    ("raw", "expected"),
    [(b"a\0b", ["▁a", "▁b"]), (b"a\xff\xfeb", ["▁a", "\ufffd", "\ufffd", "b"])],
)
def test_words_of_any_bytes(raw, expected):
    assert [word.decode() for word in split_words(tf.constant([raw])).to_list()[0]] == expected


def test_the_longest_piece_is_taken_from_the_left():
    codec = Subwords(["▁un", "▁under", "under", "st", "stand", "s", "e", "d", "▁"], 50)
    ids, pieces = cut(codec, "understands", "unded", "xe un")
    assert pieces == [
        ["▁under", "stand", "s", END_PIECE],
        ["▁un", "d", "e", "d", END_PIECE],
        ["▁", "x", "e", "▁un", END_PIECE],
    ]
    assert ids[0] == [RESERVED + 1, RESERVED + 4, RESERVED + 5, END]
    assert ids[2] == [RESERVED + 8, UNKNOWN, RESERVED + 6, RESERVED, END]


def test_words_in_several_pieces_are_counted():
    codec = Subwords(["▁un", "▁under", "stand", "s", "e", "d", "▁"], 50)
    ids, _, novelty = codec.measured(tf.constant(["un understands", "un un under", "", "x"]))
    assert novelty["unknown_words"].numpy().tolist() == [0.5, 0, 0, 1]
    pieces, characters = [4, 3, 0, 2], [3 + 12, 3 + 3 + 6, 0, 2]
    due = [number / (size + FURTHER) for number, size in zip(pieces, characters, strict=True)]
    assert novelty["novelty"].numpy().tolist() == pytest.approx(due)
    assert [len(row) - 1 for row in ids.to_list()] == pieces


def test_joined_pieces_are_the_text():
    codec = Subwords(learn_subwords(TEXTS * 3, 120), 100)
    ids = codec(tf.constant(TEXTS))
    assert not (ids.numpy() == UNKNOWN).any()
    assert [text.decode() for text in codec.join(ids).numpy()] == TEXTS
    assert codec.join(ids[:, tf.newaxis]).shape == (4, 1)
    both = codec.join(tf.constant([[BEGIN, int(ids[0, 0]), UNKNOWN, END, 0]])).numpy()[0].decode()
    assert both == codec.pieces(ids[0, 0]).numpy().decode().replace("▁", "")


def test_a_vocabulary_holds_frequent_words_and_every_character():
    texts = ["the cat and the dog", "the bird", "then a zebu"] * 2
    pieces = learn_subwords(texts, 60)
    assert "▁the" in pieces
    assert set("thecandogbirzu▁") <= set(pieces)
    assert len(set(pieces)) == len(pieces) <= 60
    shuffled = texts[:]
    random.Random(0).shuffle(shuffled)
    assert learn_subwords(shuffled, 60) == pieces


def test_a_vocabulary_needs_text_and_room():
    with pytest.raises(ZooError, match="hold no text"):
        learn_subwords(["", " "], 100)
    with pytest.raises(ZooError, match=r"different characters.*5 pieces"):
        learn_subwords(["abcdefg"] * 2, 5)


def test_a_text_that_is_too_long_is_cut_off_and_has_no_end():
    codec = Subwords(["▁a", "a", "▁"], 7)
    ids, pieces = cut(codec, "a " * 5000, "a" * 5000, "", "a", "a " * 7, "a" * 7, "a " * 8, "a" * 8)
    assert [len(row) for row in ids] == [7, 7, 1, 2, 8, 8, 7, 7]
    assert [row[-1] == END for row in ids] == [False, False, True, True, True, True, False, False]
    assert pieces[1] == ["▁a", *["a"] * 6]
    assert pieces[5] == ["▁a", *["a"] * 6, END_PIECE]
    assert ids[2] == [END]


def test_what_has_no_width_parts_no_word():
    codec = Subwords(["▁w", "o", "n", "▁"], 9)
    assert (
        cut(codec, "won", "wo\u00adn", "w\u200bon", "wo\ufeffn")[1]
        == [["▁w", "o", "n", END_PIECE]] * 4
    )


def test_pieces_have_no_more_than_20_characters():
    assert 10 <= max(map(len, learn_subwords(["a" * 500] * 2, 200))) <= 20


def test_a_base_that_cannot_write_the_texts_is_refused():
    check_characters(["abc a", "c\u00a0b"] * 30 + ["x"], ["▁a", "b", "c"])  # one in sixty
    with pytest.raises(ZooError, match=r"2 of 3 .* lack \(é ж\).* without --from"):
        check_characters(["ab", "жa é ж", "é ж"], ["▁a", "b"])


def test_a_text_is_cut_the_same_alone_and_in_a_batch():
    codec = Subwords(learn_subwords(TEXTS, 90), 20)
    strange = [
        "日本語のテキスト" * 30,
        "😀" * 40,
        "\0",
        b"\xc3(\xff",
        "é" * 200,
        "e\u0301",
        "a\u200db",
    ]
    together, _ = codec.cut(tf.constant([*TEXTS, *strange]))
    for row, text in enumerate([*TEXTS, *strange]):
        alone, _ = codec.cut(tf.constant([text]))
        assert alone.to_list()[0] == together.to_list()[row]
        assert alone.to_list()[0][-1] == END or len(alone.to_list()[0]) == 20  # cut off


def test_lower_case_is_a_property_of_the_codec():
    codec = Subwords(["▁the", "▁The"], 9, lower=True)
    assert cut(codec, "The the")[1] == [["▁the", "▁the", END_PIECE]]


def test_rows_are_what_a_call_gives_and_are_shifted():
    codec = Subwords(learn_subwords(TEXTS, 90), 100)
    rows = codec.rows(TEXTS)
    called = codec(tf.constant(TEXTS)).numpy()
    for row, expected in zip(rows, called, strict=True):
        np.testing.assert_array_equal(row, expected[expected != 0])
        assert row.dtype == np.int32
    for row, before in zip(rows, shifted(rows), strict=True):
        assert before.dtype == row.dtype
        assert before.tolist() == [BEGIN, *row[:-1]]


def test_a_codec_is_made_again_from_its_config():
    codec = Subwords(["▁a", "b"], 9, lower=True)
    again = Subwords.from_config(codec.get_config())
    assert again.get_config() == codec.get_config()
    assert cut(again, "ab") == cut(codec, "ab")
    assert codec.size == 2 + RESERVED


def test_a_text_beyond_the_limit_is_cut_before_it_is_split_and_has_no_end(monkeypatch):
    from recipes.translating import subwords

    seen, split = [], subwords.split_words
    monkeypatch.setattr(
        subwords, "split_words", lambda text, lower: seen.append(text) or split(text, lower)
    )
    codec = Subwords(["▁a", "▁b", "é"], 100, max_bytes=9)
    _, pieces = cut(codec, "a " * 10**5, "a b aé", "a b a ééé", " " * 10**5)
    assert pieces[0] == ["▁a"] * 5
    assert pieces[1] == ["▁a", "▁b", "▁a", "é", END_PIECE]
    assert pieces[2] == ["▁a", "▁b", "▁a", "▁", "é"]  # not within a character
    assert pieces[3] == []
    assert max(tf.strings.length(seen[0]).numpy()) == 9
    assert Subwords.from_config(codec.get_config()).max_bytes == 9
