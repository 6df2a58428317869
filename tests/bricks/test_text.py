import keras
import numpy as np
import pytest
import tensorflow as tf

from zoo.errors import ZooError
from zoo.text import RESERVED, UNKNOWN, WordEncoder, learn_vocabulary, split_words


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Great movie!!", "great movie ! !"),
        ("I can't.Stop", "i can't . stop"),
        ("one<br /><br />two <b>three</b><BR>four", "one two three four"),
        ("2 < 3 and 4 > 3", "2 < 3 and 4 > 3"),  # no tag
        ("<3 you", "< 3 you"),
        ("ÉCOLE Straße ŁÓDŹ", "école straße łódź"),
        ("cafe\u0301", "cafe\u0301"),  # a combining accent stays with its letter
        ("good 😀👍🏽 bad", "good 😀 👍 🏽 bad"),
        ("a\u00a0b\u2003c\u200bd", "a b c d"),  # spaces of all kinds
        ("a\x00b\x07c\td\r\ne", "a b c d e"),
        ("Dull\x00<BR\x0b/>Good", "dull good"),
        ("日本語 текст", "日本語 текст"),
        ("10/10 50%", "10 / 10 50 %"),
        ("", ""),
        ("   ", ""),
        ("<br />", ""),
        (b"bad \xff\xfe bytes \xe9", "bad \ufffd \ufffd bytes \ufffd"),
    ],
)
def test_words(text, words):
    found = split_words(tf.constant([text])).to_list()[0]
    assert [word.decode() for word in found] == words.split(" ") if words else found == []


def reference(words, vocabulary, most):
    """The encoder in plain Python."""
    if len(words) > most:
        head = most // 4
        words = words[:head] + words[len(words) - (most - head) :]
    ids = [vocabulary.index(word) + RESERVED if word in vocabulary else UNKNOWN for word in words]
    return ids or [UNKNOWN]


VOCABULARY = ["the", "a", "film", "!", "good", "bad", "é"]


@pytest.mark.parametrize("most", [1, 2, 3, 7, 8, 20])
def test_ids_equal_a_plain_reference(most):
    generator = np.random.default_rng(most)
    known = [*VOCABULARY, "unheard", "of"]
    sizes = [0, 1, max(0, most - 1), most, most + 1, 3 * most, 100, *generator.integers(0, 40, 20)]
    texts = [[str(word) for word in generator.choice(known, size)] for size in sizes]
    encoder = WordEncoder(VOCABULARY, most)
    expected = [reference(words, VOCABULARY, most) for words in texts]
    raw = [" ".join(words) for words in texts]

    assert encoder.ragged(tf.constant(raw)).to_list() == expected
    padded = encoder(tf.constant(raw)).numpy()
    assert padded.dtype == np.int32
    for row, ids in zip(padded, expected, strict=True):
        assert row[: len(ids)].tolist() == ids
        assert not row[len(ids) :].any()
    rows = encoder.rows(raw)
    np.testing.assert_array_equal(rows.padded(np.arange(len(raw))), padded)


def test_a_very_long_text_keeps_its_head_and_tail():
    words = ["good", *["film"] * 99_998, "bad"]
    (ids,) = WordEncoder(VOCABULARY, 400)(tf.constant([" ".join(words)])).numpy().tolist()
    assert ids == reference(words, VOCABULARY, 400)
    assert len(ids) == 400
    assert (ids[0], ids[-1]) == (4 + RESERVED, 5 + RESERVED)


def test_many_texts_are_encoded_in_parts_and_stay_in_order(monkeypatch):
    monkeypatch.setattr("zoo.text.chunks.CHUNK", 3)
    texts = ["the " * n for n in range(8)]
    rows = WordEncoder(VOCABULARY, 5).rows(texts)
    np.testing.assert_array_equal(rows.lengths, [1, 1, 2, 3, 4, 5, 5, 5])
    assert learn_vocabulary(["b a", "b", "c", "c", "a", "a"], 3) == ["a", "b", "c"]


def test_a_vocabulary_holds_the_most_frequent_words_first_and_ties_by_alphabet():
    texts = ["b b a", "c a d", "é d"]
    assert learn_vocabulary(texts, 10) == ["a", "b", "d", "c", "é"]
    assert learn_vocabulary(texts[::-1], 10) == ["a", "b", "d", "c", "é"]
    assert learn_vocabulary(texts, 2) == ["a", "b"]
    with pytest.raises(ZooError, match="hold no word"):
        learn_vocabulary(["", "<br />"], 5)


def test_a_model_that_takes_text_is_saved_and_loaded(tmp_path):
    text = keras.Input((), dtype="string")
    ids = WordEncoder(VOCABULARY, 6)(text)
    pooled = keras.layers.GlobalAveragePooling1D()(keras.layers.Embedding(9, 3)(ids))
    model = keras.Model(text, pooled)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    texts = tf.constant(["a good film !", "", "é unheard 😀"])
    np.testing.assert_array_equal(model(texts), loaded(texts))


def test_of_a_text_beyond_the_limit_the_ends_are_read():
    encoder = WordEncoder(VOCABULARY, 8, max_bytes=1000)
    middle = "bad " * 5000
    text = "the a " * 50 + middle + "film ! " * 200
    expected = reference(text.split(), VOCABULARY, 8)
    assert encoder.ragged(tf.constant([text, "good"])).to_list() == [expected, [6]]
    assert WordEncoder.from_config(encoder.get_config()).max_bytes == 1000


def test_a_long_text_is_cut_before_it_is_split(monkeypatch):
    from zoo.text import words

    seen, split = [], words.split_words
    monkeypatch.setattr(words, "split_words", lambda text: seen.append(text) or split(text))
    WordEncoder(VOCABULARY, 8, max_bytes=1000)(tf.constant(["!" * 10**6, "a film"]))
    (given,) = seen
    assert tf.strings.length(given).numpy().tolist() == [1001, 6]  # with a space between the ends
