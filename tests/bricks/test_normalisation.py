"""One spelling of a text: what is invisible, apostrophes, and Unicode's normal form C."""

import random
import unicodedata

import pytest
import tensorflow as tf

from recipes import entities, sentiment, translation
from recipes.tagging.conll import CONLL
from zoo.text import normalisation
from zoo.text.normalisation import NONE, RULE, compose, normalise, normalise_tokens, rule_of


@pytest.fixture(scope="module")
def graph():
    return tf.function(compose, input_signature=[tf.TensorSpec([None], tf.string)])


def strings(tensor):
    return [text.decode() for text in tensor.numpy()]


def encoded(texts):
    return tf.constant([text.encode() for text in texts])


def test_every_character_is_composed_as_python_does(graph):
    texts = [chr(code) for code in range(0x30000) if not 0xD800 <= code < 0xE000]
    texts += [unicodedata.normalize("NFD", text) for text in texts if text != "\0"]
    assert strings(graph(encoded(texts))) == [unicodedata.normalize("NFC", t) for t in texts]


def test_random_marks_are_sorted_and_composed_as_python_does(graph):
    tables, generator = normalisation.character_tables(), random.Random(0)
    letters = list("aeouE") + [chr(c) for c in (0x1100, 0x1161, 0x11A8, 0xAC00, 0x9C7, 0x9BE)]
    marks = ["\u0301", "\u0302", "\u0323", *map(chr, tables.marks[::9])]
    pool = letters * 40 + marks * 2 + [chr(code) for code in tables.composed[::9]]
    texts = ["".join(generator.choices(pool, k=generator.randint(0, 9))) for _ in range(5000)]
    texts += ["\u0301 begins with a mark", "a\0\u0301\0", "", "plain"]
    assert strings(graph(encoded(texts))) == [unicodedata.normalize("NFC", t) for t in texts]


def test_only_core_operations_are_used(graph):
    graph = tf.function(normalise).get_concrete_function(tf.TensorSpec([None], tf.string)).graph
    bodies = [graph.as_graph_def(), *(f for f in graph.as_graph_def().library.function)]
    names = {n.op for body in bodies for n in getattr(body, "node", None) or body.node_def}
    assert {"UnicodeTranscode", "StaticRegexReplace"} <= names
    assert not {name for name in names if ">" in name or name.startswith("Py")}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("won\u00adder\u2060ful \u200efilm\u200f", "wonderful film"),
        ("a\u200db\u200cc", "abc"),
        ("dogs\u200bplay", "dogs play"),
        ("\ufeffBegin", " Begin"),
        ("❤\ufe0f", "❤"),
        ("cafe\u0301", "café"),
        ("e\u00ad\u0301", "é"),  # what is invisible goes first
        ("don’t", "don't"),
        ("rock’n’roll", "rock'n'roll"),
        ("L\u02bchomme, 6’2", "L'homme, 6'2"),
        ("‘great’ dogs’ ’em", "‘great’ dogs’ ’em"),  # these may be quotation marks
        ("\u0661\u0600", "\u0661\u0600"),  # a format character that is seen
        (b"bad \xff\xe9", "bad \ufffd\ufffd"),
        ("", ""),
    ],
)
def test_a_text_is_written_in_one_way(text, expected):
    given = tf.constant([text if isinstance(text, bytes) else text.encode()])
    assert strings(normalise(given)) == [expected]


def test_without_a_rule_a_text_stays_as_it_is():
    texts = ["cafe\u0301", "don’t", "won\u00adder", "a\u200bb"]
    assert strings(normalise(encoded(texts), NONE)) == texts
    assert strings(normalise_tokens(encoded(texts), NONE)) == texts


def test_a_token_is_not_parted_and_each_apostrophe_is_one():
    tokens = ["’s", "n’t", "’", "Lis\u200bbon", "\u00ad", "e\u0301"]
    assert strings(normalise_tokens(encoded(tokens))) == ["'s", "n't", "'", "Lisbon", "", "é"]


def test_the_rule_of_a_model_is_an_asset():
    assert rule_of({}) == NONE
    assert rule_of({"normalisation": RULE}) == RULE
    with pytest.raises(ValueError, match="newer version"):
        rule_of({"normalisation": 99})


# What looks alike: (plain, written otherwise).
ALIKE = [
    ("A wonderful film, I don't know why.", "A won\u00adder\u00adful film, I don’t know why."),
    ("The café of Lisbon isn't bad.", "The cafe\u0301 of Lis\u00adbon isn’t bad.\u200e"),
    ("Dogs play.", "Dogs\u200bplay."),
]


def same_rows(encode, plain, other):
    first, second = (tf.nest.flatten(encode(encoded([text]))) for text in (plain, other))
    for left, right in zip(first, second, strict=True):
        assert left.shape == right.shape
        assert bool(tf.reduce_all(tf.equal(left, right)))


@pytest.mark.parametrize(("plain", "other"), ALIKE)
def test_words_and_subwords_read_alike_what_looks_alike(plain, other):
    config = sentiment.RECIPES["imdb-bilstm"]
    rows = {"text": [plain, other], "label": ["positive", "negative"]}
    assets = sentiment.prepare(config, rows)
    assert not {"\u00ad", "’"} & set("".join(assets["vocabulary"]))
    same_rows(sentiment.encoder(config, assets), plain, other)

    config = translation.RECIPES["translate-attention"]
    assets = translation.prepare(config, {"text": [plain, other], "translation": [other, plain]})
    for side in translation.encoder(config, assets):
        same_rows(side, plain, other)


def test_the_tagger_reads_alike_what_looks_alike_and_its_offsets_are_those_of_the_text():
    from recipes.tagging.tokens import only_visible, tokenise

    config = entities.RECIPES["conll-bilstm"]
    assets = entities.prepare(config, CONLL.sample())
    encoder = entities.encoder(config, assets)
    plain, other = (
        "José left Lisbon, isn't he's.",
        "Jose\u0301 left Lis\u00adbon, isn’t he’s. \u00ad",
    )
    (first, _, _), (second, start, end) = (
        only_visible(tokenise(encoded([text]))) for text in (plain, other)
    )
    same = [encoder(tokens.to_tensor()) for tokens in (first, second)]
    for name in same[0]:
        assert bool(tf.reduce_all(tf.equal(same[0][name], same[1][name]))), name
    read = [other[a:b] for a, b in zip(start[0].numpy(), end[0].numpy(), strict=True)]
    assert read == [token.decode() for token in second[0].numpy()]
    assert "Lis\u00adbon" in read


def test_a_model_of_before_the_rule_reads_as_it_did():
    config = sentiment.RECIPES["imdb-bilstm"]
    old = {"vocabulary": ["cafe\u0301", "don", "’", "t"], "labels": ["a", "b"]}
    encoder = sentiment.encoder(config, old)
    assert encoder(encoded(["cafe\u0301 don’t"])).numpy().tolist() == [[2, 3, 4, 5]]
    again = sentiment.prepare(config, {"text": ["é"], "label": ["a"]}, old)
    assert rule_of(again) == NONE  # its words are of that rule
