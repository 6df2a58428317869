"""Taggers without TensorFlow: the readers split, encode and decode as the graph does."""

import dataclasses
import json
import shutil
import subprocess
import sys
from functools import partial

import numpy as np
import pytest
import tensorflow as tf

import zoo
from recipes import entities
from recipes.tagging import tag_reader
from recipes.tagging.conll import CONLL
from recipes.tagging.running import best_tags, tag_probabilities
from recipes.tagging.tags import bioes_tags, to_bio
from recipes.tagging.tokens import only_visible, tokenise
from support.odd import odd_texts
from zoo.assets import Assets
from zoo.bounds import first_bytes
from zoo.serving import portable
from zoo.serving.portable import bundle, reader
from zoo.utf8 import utf8

WORDS = (
    "Lauck's won't DIDN’T I'm they’re 'S she'll x'ſ n't ' ’ ’s 'd's rock'n'roll O'Neill U.S. U.S.A. "
    "J. St. Mr. Mrs. Sept. Sept Dr.. vs. a.b.c. e.g. i.e 中. 中文。 カタカナ. 〇.1 1.2.3.4 1,000 $1,000.50 "
    "10:30 1996/97 3-1 a-b a--b -- --- ---- ... .... ..... a...b …, me@x.com @name #topic @@a #中 "
    "@! a@ AT&T R&D _x_ a_b '' `` \"We\" ( ) .\u302a .\u0301. -\u0301- '\u0301s a'\u0301 \u302a ⺀ ⺀. "
    "⺀\u0301 ㌀ x\u200d's n\u00ad't A1 A-1 ABC ABc Abc aBC 1st É É1 ÉÉ e\u0301. Ⅷ ½ 12½ ٣ ٣.٤ 1٣ ǅ ǅa "
    "a\ufeffb \u200b. \u00ad \ufe0f \u200d ❤\ufe0f. 👩\u200d👧 Supercalifragilisticexpialidocious "
    "Donaudampfschifffahrtsgesellschaft 'tis '90s 90's it'ss it's. it's, co. Co. Co.Ltd."
).split(" ")
TEXTS = [*odd_texts(1000, 3 * WORDS), " ".join(WORDS), "a " * 700, "é" * 2000 + "x" * 1000]
LIMITS = {"max_bytes": 2500, "max_words": 600}


@pytest.fixture(scope="module", params=[0, 1])
def made(request):
    """An encoder whose vocabulary knows half of the texts, its assets, and its rules."""
    config = dataclasses.replace(entities.RECIPES["conll-bilstm"], **LIMITS, max_characters=9)
    rows = tokenise(tf.constant([utf8(text) for text in TEXTS[:500]]))[0].to_list()
    tokens = [[token.decode() for token in row] for row in rows if row]
    train = {**CONLL.sample(), "tokens": [*CONLL.sample()["tokens"], *tokens]}
    values = {**entities.prepare(config, train), "normalisation": request.param}
    assets = Assets(values, partial(entities.encoder, config))
    rules = {"kind": "tag_reader", **entities.portable(config, assets)}
    return assets, json.loads(json.dumps(rules))


@pytest.fixture(scope="module")
def due(made):
    """What the graph makes of the texts: tokens with their places, and ids of them all."""
    encoder = made[0].encoder
    found = tokenise(first_bytes(tf.constant([utf8(text) for text in TEXTS]), LIMITS["max_bytes"]))
    if encoder.normalisation:
        found = only_visible(found)
    tokens, start, end = (part[:, : LIMITS["max_words"]] for part in found)
    places = [
        [[token.decode(), *place] for token, *place in zip(*row, strict=True)]
        for row in zip(tokens.to_list(), start.to_list(), end.to_list(), strict=True)
    ]
    ids = encoder.flat(tokens.flat_values)
    return places, {name: value.numpy() for name, value in ids.items()}


def assert_same_tokens(found, due):
    wrong = [(text, a, b) for text, a, b in zip(TEXTS, found, due, strict=True) if a != b]
    assert not wrong, (len(wrong), wrong[:2])


def assert_same_ids(found, due, tokens):
    """`found` are of all tokens, in order."""
    for name, values in due.items():
        given = np.array(found[name]).reshape(values.shape)
        wrong = np.flatnonzero((given != values).reshape(len(values), -1).any(1))
        assert not len(wrong), (name, [(tokens[n], given[n], values[n]) for n in wrong[:3]])


def python_reader(rules):
    return reader.encoder(rules, lambda kind: tag_reader if kind == "tag_reader" else None)


def test_python(made, due):
    places, ids = due
    read = python_reader(made[1])
    split = [read.tokens(text) for text in TEXTS]
    assert_same_tokens([[list(token) for token in tokens] for tokens, _ in split], places)
    whole = [whole for _, whole in split]
    assert not whole[-1]  # too many bytes
    assert not whole[-2]  # too many words
    assert whole[0]
    everything = [token for tokens, _ in split for token in tokens]
    found = {name: value[0] for name, value in read.inputs([everything]).items()}
    assert_same_ids(found, ids, [token.text for token in everything])
    nothing = made[0].encoder(tf.constant([[""]]))
    for name, value in read("").items():
        np.testing.assert_array_equal(value, nothing[name])


def outputs_of(kinds, rows=40, steps=23):
    """What a network could answer: probabilities or scores of pairs, some of them equal."""
    chance = np.random.default_rng(0)
    scores = 3 * chance.normal(size=(rows, steps, kinds, kinds)).astype("float32")
    scores[:2] = 0
    flat = np.exp(scores[..., 0])
    probabilities = flat / flat.sum(-1, keepdims=True)
    probabilities[3, :, 1:], probabilities[3, :, 0] = 0, 1
    real = np.arange(steps) < np.r_[steps, chance.integers(1, steps, rows - 1)][:, None]
    return [scores, probabilities], real


def test_decoding(made):
    tags = made[0]["tags"]
    inside = bioes_tags(tags)
    outputs, real = outputs_of(len(inside))
    number = np.array([tags.index(tag) for tag in to_bio(inside)])
    for output in outputs:
        best, probabilities = python_reader(made[1]).decode(output, real)
        due = number[np.array(best_tags(output, inside, real))]
        np.testing.assert_array_equal(best[real], due[real])
        total = np.array(tag_probabilities(output, inside, real)) @ np.eye(len(tags))[number]
        np.testing.assert_allclose(probabilities[real], total[real], atol=1e-5)
