"""Tokens, their offsets, and the ids of words, characters and casings."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from recipes.tagging import tokens as module
from recipes.tagging.tokens import TokenEncoder, count_characters, count_words, tokenise
from zoo.errors import ZooError


@pytest.fixture(scope="module")
def graph():
    return tf.function(tokenise, input_signature=[tf.TensorSpec([None], tf.string)])


def split(graph, *texts):
    """Returns the tokens of each text, after checking that the offsets point at them."""
    encoded = [text if isinstance(text, bytes) else text.encode() for text in texts]
    rows = [row.to_list() for row in graph(tf.constant(encoded))]
    for text, found, starts, ends in zip(encoded, *rows, strict=True):
        # What Python reads is what the offsets count.
        whole = text.decode("utf-8", errors="replace")
        parts = [whole[start:end] for start, end in zip(starts, ends, strict=True)]
        assert parts == [token.decode() for token in found]
    return [[token.decode() for token in row] for row in rows[0]]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Peter Blackburn", "Peter Blackburn"),
        ('He said: "Stop!" (twice).', 'He said : " Stop ! " ( twice ) .'),
        ("Lauck's lawyer won't pay.", "Lauck 's lawyer wo n't pay ."),
        ("They're Who'd I'm", "They 're Who 'd I 'm"),
        ("don’t it’s", "do n’t it ’s"),
        ("O'Brien and al-Aqsa", "O'Brien and al-Aqsa"),
        ("the U.S. and the U.S.A., too", "the U.S. and the U.S.A. , too"),
        ("Mr. J. P. Morgan, St. Louis.", "Mr. J. P. Morgan , St. Louis ."),
        ("on Jan. 5. In May.", "on Jan. 5 . In May ."),
        ("$1,000.50 at 10:30 in 1996/97", "$ 1,000.50 at 10:30 in 1996/97"),
        ("1,2,3,4 a.b.c.d 3-1 1996-08-22", "1,2,3,4 a.b.c.d 3-1 1996-08-22"),
        ("well... no--yes", "well ... no -- yes"),
        ("AT&T's 50%", "AT&T 's 50 %"),
        ("@name #topic me@example.org", "@name #topic me@example.org"),
        ("北京 is 京", "北 京 is 京"),
        ("'quoted' dogs'", "' quoted ' dogs '"),
        ("already split , as 's is n't .", "already split , as 's is n't ."),
    ],
)
def test_tokens(graph, text, expected):
    assert split(graph, text) == [expected.split()]


def test_any_bytes_have_an_answer_with_right_offsets(graph):
    texts = ["", " ", "x", ".", "\0", "a\0b\tc\nd\x1fe", "\ufeffBOM\u200bzero\u00a0width",
             "❤️👨‍👩‍👧🇬🇧!",
             "e\u0301le\u0300ve", "नमस्ते मरहबा", "مرحبا بالعالم", "ไทยภาษา",
             b"\xff\xfeabc caf\xe9 ok",
             b"\xf0\x9f\x98", b"\xe2\x82", "𝔘𝔫𝔦𝔠𝔬𝔡𝔢 𝟙𝟚",
             "a\u0301" * 50, "'" * 30, "." * 31, "-" * 9]  # fmt: skip
    rows = split(graph, *texts)
    assert rows[:6] == [[], [], ["x"], ["."], [], ["a", "b", "c", "d", "e"]]
    assert rows[6] == ["BOM", "zero", "width"]
    assert rows[7][0] == "❤️"
    assert rows[8] == ["e\u0301le\u0300ve"]
    assert rows[12] == ["\ufffd", "\ufffd", "abc", "caf", "\ufffd", "ok"]


def test_random_texts_keep_their_offsets_and_all_that_is_no_space(graph):
    rng = np.random.default_rng(5)
    pieces = [*list("aB1 .,'-’&@#/:é京 ́\u200d☃😀\t\x00"), "n't", "'s", "...", "--", "U.S."]
    texts = ["".join(rng.choice(pieces, rng.integers(0, 30))) for _ in range(400)]
    for text, row in zip(texts, split(graph, *texts), strict=True):
        assert "".join(row) == "".join(text.replace("\0", "").split())


def test_a_text_is_split_alike_in_every_batch(graph):
    texts = ["One, two.", "", "U.S. firms' shares", "x"]
    assert split(graph, *texts) == [split(graph, text)[0] for text in texts]


def test_5000_words(graph):
    assert split(graph, "Word's " * 5000) == [["Word", "'s"] * 5000]


@pytest.fixture(scope="module")
def encoder():
    return TokenEncoder(["the", "peter", "1996", "00-00", "é"], list("etPr0"), 8)


def test_words_are_looked_up_in_lower_case_and_then_without_digits(encoder):
    ids = encoder(tf.constant([["Peter", "THE", "1996", "12-34", "1997", "É", "x"]]))["words"]
    assert ids.numpy().tolist() == [[3, 2, 4, 5, 1, 6, 1]]


def test_characters_between_edges_long_tokens_without_their_middle(encoder):
    ids = encoder(tf.constant([["Peter", "te", "tPPeeePPr"]]))["characters"]
    assert ids.dtype == tf.int32
    e, t, p, r, x = 4, 5, 6, 7, 2
    assert ids.numpy()[0].tolist() == [
        [3, p, e, t, e, r, 3, 1],
        [3, t, e, 3, 1, 1, 1, 1],
        [3, t, p, p, p, p, r, 3],
    ]
    assert encoder(tf.constant([["?"]]))["characters"].numpy()[0, 0, :3].tolist() == [3, x, 3]


@pytest.mark.parametrize(
    ("token", "casing"),
    [("1996", 1), ("10.5", 2), ("...", 3), ("the", 4), ("A", 5), ("Peter", 6), ("Émile", 6),
     ("BBC", 7), ("U.S.", 8), ("F-16", 8), ("McDonald", 9), ("x-ray", 10), ("iPhone", 11),
     ("京", 10)],
)  # fmt: skip
def test_casings(encoder, token, casing):
    assert encoder(tf.constant([[token]]))["casing"].numpy().tolist() == [[casing]]


def test_padding_is_0_and_a_row_has_a_real_step(encoder):
    out = encoder(tf.constant([["the", "", "Peter", ""], ["", "", "", ""]]))
    assert out["words"].numpy().tolist() == [[2, 1, 3, 0], [1, 0, 0, 0]]
    real = [[True, True, True, False], [True, False, False, False]]
    assert (out["casing"].numpy() > 0).tolist() == real
    assert (out["characters"].numpy() > 0).all(-1).tolist() == real
    lengths = module.row_lengths(tf.constant([["the", "", "Peter", ""], ["", "", "", ""]]))
    assert lengths.numpy().tolist() == [3, 0]


def test_a_data_set_is_encoded_as_requests_are(encoder, monkeypatch):
    monkeypatch.setattr(module, "_CHUNK", 3)  # sentences go over the edges of chunks
    rows = [["Peter", "12-34"], [], ["the", "cat's", "\0", "\ud800"], ["U.S."]]
    encoded = encoder.rows(rows)
    padded = [row + [""] * (4 - len(row)) for row in rows]
    flat = [token.replace("\ud800", "\ufffd").encode() for row in padded for token in row]
    out = encoder(tf.reshape(tf.constant(flat), [4, 4]))
    for name, ragged in encoded.items():
        np.testing.assert_array_equal(ragged.padded(np.arange(4)), out[name].numpy())
        assert ragged.lengths.tolist() == [2, 1, 4, 1]


def test_it_can_be_saved(encoder):
    other = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(encoder))
    tokens = tf.constant([["Peter", "1997", "x"]])
    for name, ids in encoder(tokens).items():
        np.testing.assert_array_equal(other(tokens)[name], ids)


def test_counting():
    rows = [["The", "cat", "1996"], ["the", "1997", "12.5", "31.2"]]
    assert count_words(rows) == [("00.0", 2), ("0000", 2), ("the", 2), ("cat", 1)]
    known = frozenset({"1996"})
    assert ("1996", 1) in count_words(rows, known)
    assert ("0000", 1) in count_words(rows, known)
    assert count_characters([["ab", "b"], ["c"]]) == ["b", "a", "c"]
    with pytest.raises(ZooError, match="no token"):
        count_words([[]])


def test_windows_are_put_together_again():
    rows = [[b"a", b"b", b"c", b"d", b"e"], [], [b"f", b"", b"", b"g"], [b"h", b"i", b"j"]]
    tokens = tf.ragged.constant(rows, tf.string).to_tensor("")
    parts = module.windows(tokens, 3)
    assert parts.to_list() == [
        [b"a", b"b", b"c"], [b"d", b"e"], [b""], [b"f", b"", b""], [b"g"], [b"h", b"i", b"j"]
    ]  # fmt: skip
    numbers = tf.reshape(tf.range(1, 19), (6, 3))
    back = module.joined(numbers, parts, tokens).numpy()
    assert back.tolist() == [
        [1, 2, 3, 4, 5], [7, 0, 0, 0, 0], [10, 11, 12, 13, 0], [16, 17, 18, 0, 0]
    ]  # fmt: skip
