"""What the entity recipes serve, of any text; and what they begin with."""

import dataclasses
from functools import partial

import click
import numpy as np
import pytest
import tensorflow as tf

from recipes import entities
from recipes.corpora import glove
from recipes.tagging.conll import CONLL
from recipes.tagging.signatures import WINDOW
from zoo.assets import Assets
from zoo.errors import UsageError, ZooError


def assets_of(config, train):
    return Assets(entities.prepare(config, train), partial(entities.encoder, config))


@pytest.fixture(scope="module", params=["conll-bilstm", "conll-bilstm-crf"])
def served(request):
    config = dataclasses.replace(entities.RECIPES[request.param], units=6, filters=4)
    assets = assets_of(config, CONLL.sample())
    model = entities.build(config, assets)
    kept = entities.serve(config, assets, model)
    return kept, assets


def answer(served, texts):
    encoded = [text if isinstance(text, bytes) else text.encode() for text in texts]
    out = served[0].functions["serving_default"](text=tf.constant(encoded))
    return {name: value.numpy() for name, value in out.items()}


def test_any_text_has_an_answer_whose_offsets_point_at_its_tokens(served):
    texts = ["", "x", "Anna Berg flew to Oslo.", "\0 \x07", "京都 مرحبا Ελλάδα", "😀👩‍👧 O'Neill",
             b"caf\xe9 \xff", "Rail's " * 2500]  # fmt: skip
    out = answer(served, texts)
    assert out["length"].tolist() == [0, 1, 6, 0, 4, 4, 3, 5000]
    for row, text in enumerate(texts):
        whole = text.decode(errors="replace") if isinstance(text, bytes) else text
        length = out["length"][row]
        for name in ("tokens", "tags", "scores", "start", "end"):
            assert not out[name][row, length:].astype(bool).any()
        spans = zip(out["start"][row, :length], out["end"][row, :length], strict=True)
        tokens = [token.decode() for token in out["tokens"][row, :length]]
        assert [whole[start:end] for start, end in spans] == tokens
        assert {tag.decode() for tag in out["tags"][row, :length]} <= set(served[1]["tags"])
        assert (out["scores"][row, :length] > 0).all()
        assert (out["scores"][row, :length] <= 1 + 1e-5).all()


def test_tags_are_legal(served):
    rng = np.random.default_rng(0)
    tokens = rng.choice(["Oslo", "Berg", "New", "x", ",", "Rail"], (40, 25))
    out = served[0].functions["tokens"](tokens=tf.constant(tokens))
    seen = set()
    for row in out["tags"].numpy():
        before = "O"
        for tag in (tag.decode() for tag in row):
            assert not tag.startswith("I-") or before[2:] == tag[2:]
            before = tag
            seen.add(tag)
    assert len(seen) > 1  # an untrained network, so that there is something to forbid


def test_tokens_answer_as_their_text_does(served):
    by_text = answer(served, ["Anna Berg flew to New Delhi .", "Oslo"])
    by_tokens = served[0].functions["tokens"](tokens=tf.constant(by_text["tokens"]))
    outputs = {"tokens", "tags", "scores", "length", "complete", "unknown_words", "novelty"}
    assert set(by_tokens) == outputs
    for name, value in by_tokens.items():
        np.testing.assert_array_equal(value.numpy(), by_text[name])


def test_unknown_words_are_those_that_training_rows_have_once_or_never(served):
    encoder = served[0].parts[1]
    common = len(served[1]["common"])
    texts = ["Oslo", "flew qqq www to", ""]
    found = answer(served, texts)
    known = [word in served[1]["common"] for word in ("oslo", "flew", "to")]
    assert found["unknown_words"].tolist() == [1.0 - known[0], 1 - sum(known[1:]) / 4, 0.0]
    alone = encoder.measured(tf.constant(texts), 1000, common)
    for name, value in alone.items():
        np.testing.assert_array_equal(found[name], value.numpy())


def test_a_long_text_is_read_window_by_window(served):
    words = np.random.default_rng(1).choice(["Oslo", "Berg", "New", "x", ",", "Rail"], 1100)
    words[512:515] = ["", "", "x"]  # a client's own gap, at a window's edge
    function = served[0].functions["tokens"]
    whole = {name: value.numpy()[0] for name, value in function(tokens=words[None]).items()}
    for start in range(0, 1100, WINDOW):
        part = function(tokens=words[None, start : start + WINDOW])
        end = start + int(part["length"][0])
        for name in ("tokens", "tags"):
            np.testing.assert_array_equal(whole[name][start:end], part[name].numpy()[0])
        np.testing.assert_allclose(whole["scores"][start:end], part["scores"][0], rtol=1e-5)


def test_a_gap_between_tokens_has_tags_of_its_own(served):
    gap = served[0].functions["tokens"](tokens=tf.constant([["Oslo", "", "", "x"]]))
    word = served[0].functions["tokens"](tokens=tf.constant([["Oslo", "\ufffd", "\ufffd", "x"]]))
    assert gap["length"].numpy().tolist() == [4]
    assert gap["tokens"].numpy().tolist() == [[b"Oslo", b"", b"", b"x"]]
    np.testing.assert_array_equal(gap["tags"].numpy(), word["tags"].numpy())
    np.testing.assert_array_equal(gap["scores"].numpy(), word["scores"].numpy())


def test_the_base_keeps_its_vectors():
    config = entities.RECIPES["conll-bilstm-crf"]
    base = entities.prepare(config, CONLL.sample())
    other = dataclasses.replace(config, vectors="glove-50")
    with pytest.raises(UsageError, match="--set vectors=none keeps them"):
        entities.prepare(other, CONLL.sample(), base)


def test_no_columns_at_all(served):
    out = served[0].functions["tokens"](tokens=tf.constant(np.zeros((2, 0), "S1")))
    assert out["length"].numpy().tolist() == [0, 0]
    assert out["tags"].shape == (2, 1)


def test_foreign_tags_are_refused():
    config = entities.RECIPES["conll-bilstm"]
    assets = assets_of(config, CONLL.sample())
    with pytest.raises(ZooError, match=r"'B-DRUG' is not one of .*O, B-LOC, I-LOC"):
        entities.batches(config, assets, {"tokens": [["x"]], "tags": [["B-DRUG"]]})


def test_show_marks_names_in_the_text_itself():
    example = {"text": "Said  Anna\nBerg,😀 of Oslo."}
    answer = {
        "tags": ["O", "B-PER", "I-PER", "O", "O", "O", "B-LOC", "O"],
        "start": [0, 6, 11, 15, 16, 18, 21, 25],
        "end": [4, 10, 15, 16, 17, 20, 25, 26],
        "scores": [1.0, 0.9, 0.8, 1.0, 1.0, 1.0, 0.7, 1.0],
    }
    line = entities.show(example, answer)
    assert click.unstyle(line) == "Said  [Anna\nBerg PER],😀 of [Oslo LOC]."
    assert line != click.unstyle(line)


def test_vectors_are_what_training_begins_with(monkeypatch):
    words = ("the", "oslo", "monday", "unesco", "far", "away")
    monkeypatch.setattr(glove, "glove_words", lambda: words)
    monkeypatch.setattr(
        glove,
        "glove_vectors",
        lambda wanted: np.array([[words.index(word) + 0.3] * 50 for word in wanted], "float32"),
    )
    config = dataclasses.replace(
        entities.RECIPES["conll-bilstm-crf"], vectors="glove-50", vector_words=5, units=4
    )
    train = {
        "tokens": [["the", "Oslo", "the", "Unesco", "Xyz"], ["the", "Oslo", "1999", "1998"]],
        "tags": [["O", "B-LOC", "O", "B-ORG", "O"], ["O", "B-LOC", "O", "O"]],
    }
    assets = entities.prepare(config, train)
    assert assets["common"] == ["the", "0000", "oslo"]
    assert assets["rare"] == ["xyz"]  # seen once, and without a vector
    assert assets["fixed"] == ["unesco", "monday", "far"]  # "away" is not among the first five
    model = entities.build(config, assets)
    entities.initialise(config, assets, model)
    layer = model.get_layer("word")
    learnt = layer.learnt.numpy()
    assert learnt[[2, 4], 0].tolist() == [0.25, 1.25]  # to the nearest eighth
    assert np.abs(learnt[[0, 1, 3, 5]]).max() < 0.3  # as random as ever
    assert layer.fixed.numpy()[:, 7].tolist() == [3.25, 2.25, 4.25]


@pytest.fixture(scope="module")
def limited():
    config = dataclasses.replace(
        entities.RECIPES["conll-bilstm"], units=4, filters=4, max_bytes=1000, max_words=50
    )
    assets = assets_of(config, CONLL.sample())
    kept = entities.serve(config, assets, entities.build(config, assets))
    yield kept.functions
    del kept


def test_of_a_long_text_the_first_words_are_tagged_and_it_says_so(limited):
    texts = ["!" * 10**6, "Oslo " * 51, "Oslo " * 50, "x" * 2000, ""]
    found = limited["serving_default"](text=tf.constant(texts))
    assert found["complete"].numpy().tolist() == [False, False, True, False, True]
    assert found["length"].numpy().tolist() == [50, 50, 50, 1, 0]
    assert found["tokens"].shape == (5, 50)
    assert found["end"][3, 0] == 1000
    rows = tf.constant([["Oslo"] * 60, ["Oslo"] * 50 + [""] * 10])
    found = limited["tokens"](tokens=rows)
    assert found["complete"].numpy().tolist() == [False, True]
    assert found["tokens"].shape == (2, 50)


def test_a_long_text_is_cut_before_it_is_split(limited, monkeypatch):
    from recipes.tagging import signatures

    seen, split = [], signatures.tokenise
    monkeypatch.setattr(signatures, "tokenise", lambda text: seen.append(text) or split(text))
    config = dataclasses.replace(
        entities.RECIPES["conll-bilstm"], units=4, filters=4, max_bytes=1000
    )
    assets = assets_of(config, CONLL.sample())
    model = entities.build(config, assets)
    kept = entities.serve(config, assets, model)

    @tf.function
    def lengths(text):
        kept.answer.python_function(text)
        return tf.strings.length(seen[-1])

    assert lengths(tf.constant(["!" * 10**6, "a"])).numpy().tolist() == [1000, 1]


def test_many_windows_are_tagged_in_parts(served, monkeypatch):
    from recipes.tagging import signatures

    text = "Anna Berg flew to Oslo . " * 400  # five windows
    whole = answer(served, [text])
    monkeypatch.setattr(signatures, "WINDOWS", 2)
    kept, assets = served
    parts = signatures.tagging_signatures(kept.parts[0], assets.encoder, assets["tags"])
    found = parts["answer"](text=tf.constant([text]))
    for name, value in whole.items():
        if value.dtype.kind == "f":
            np.testing.assert_allclose(found[name], value, atol=1e-5)
        else:
            np.testing.assert_array_equal(found[name].numpy(), value)
