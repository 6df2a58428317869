"""Recordings that are none, or too long, have no answer; those beside them are answered."""

import dataclasses
import json
import tracemalloc

import numpy as np
import pytest
import tensorflow as tf

import zoo
from recipes.audio import features
from recipes.audio.features import LogMel, check_rows


@pytest.fixture(scope="module", params=["digits-gru", "digits-ctc"])
def functions(request):
    recipe = zoo.get_recipe(request.param)
    config = dataclasses.replace(recipe.config, units=4, layers=1, max_seconds=2)
    assets = recipe.prepare(config, recipe.dataset.sample())
    served = recipe.serve(config, assets, recipe.build(config, assets))
    yield served.functions
    del served


GOOD = np.random.default_rng(0).normal(size=4000).astype("f4") / 10
BAD = {
    "nan": [np.nan] * 9,
    "infinite": [0.1, np.inf],
    "loud": list(GOOD[:2000] * 1e18),
}


def request_of(rows, lengths=None):
    audio = np.zeros((len(rows), max(map(len, rows))), "f4")
    for place, row in zip(audio, rows, strict=True):
        place[: len(row)] = row
    return {"audio": tf.constant(audio), "length": tf.constant(lengths or [len(r) for r in rows])}


def options_of(function):
    names = [spec.name for spec in function.input_signature]
    return {name: tf.constant(2) for name in ("beam", "n_best") if name in names}


def test_one_bad_row_does_not_fail_the_others(functions):
    rows = [GOOD, *BAD.values(), GOOD[:2500], GOOD]
    lengths = [*map(len, rows[:-1]), 9999]  # of the last one, no such length
    for name, function in functions.items():
        if name == "chunk":
            continue  # such a row keeps its state: see test_chunks.py
        options = options_of(function)
        found = function(**request_of(rows, lengths), **options)
        valid = found["valid"].numpy().reshape(len(rows), -1)
        assert valid.all(axis=1).tolist() == [True, False, False, False, True, False]
        problems = found["problem"].numpy().reshape(len(rows), -1)[:, 0].tolist()
        assert problems[0] == problems[4] == b""
        assert all(problems[row].endswith(b"not audio samples.") for row in (1, 2, 3))
        assert b"length" in problems[5]
        for row in (0, 4):
            alone = function(**request_of([rows[row]]), **options)
            for key, value in alone.items():
                part = np.asarray(found[key][row].numpy())
                if part.ndim and key in ("features", "posteriors"):
                    part = part[: value.shape[1]]
                if part.dtype.kind == "f":
                    assert np.isfinite(part).all(), (name, key)
                    np.testing.assert_allclose(part, value[0], atol=1e-4, err_msg=key)
                else:
                    assert np.all(part == value[0].numpy())
        for key, value in found.items():
            if value.dtype.is_floating:
                assert np.isnan(value[1].numpy()).all(), key
            elif value.dtype == tf.string and key != "problem":
                assert not np.any(value[1].numpy() != b""), key


def test_values_behind_the_length_may_be_anything(functions):
    audio = np.concatenate([GOOD, [np.nan, np.inf]]).astype("f4")[np.newaxis]
    found = functions["serving_default"](audio=tf.constant(audio), length=tf.constant([4000]))
    assert found["valid"].numpy().all()
    assert np.isfinite(found["score"]).all()


def test_what_is_longer_than_the_limit_is_refused_before_it_is_heard(functions):
    for name, rate in (("serving_default", 8000), ("audio_16khz", 16_000)):
        limit = 2 * rate
        for size in (limit, limit + 1):
            audio = tf.zeros([1, limit + 5])
            found = functions[name](audio=audio, length=tf.constant([size]))
            assert found["valid"].numpy().tolist() == [size == limit]
        assert found["problem"][0] == b"The recording is longer than 2 seconds."


def test_of_a_long_recording_no_more_than_the_limit_is_kept():
    values, length, problem = check_rows(tf.zeros([2, 10**6]), tf.constant([10**6, 100]), 8000, 2)
    assert values.shape == (2, 16_000)
    assert length.numpy().tolist() == [0, 100]
    assert problem.numpy().tolist() == [b"The recording is longer than 2 seconds.", b""]


def test_the_loudest_sound_that_is_allowed_has_finite_features():
    loud = tf.constant(GOOD / np.abs(GOOD).max() * features.LOUDEST)[tf.newaxis]
    found, _ = LogMel(20)(loud, tf.constant([len(GOOD)]))
    assert np.isfinite(found).all()
    np.testing.assert_allclose(found[0], LogMel(20).rows([GOOD])[0], atol=1e-3)


def test_a_pack_from_before_marks_what_has_no_number():
    model = zoo.load("digits-gru")
    alone = model.predict({"audio": [GOOD]})
    answers = model.predict({"audio": [GOOD, BAD["nan"], GOOD], "length": [4000, 9, 9999]})
    assert [answer.get("valid", True) for answer in answers] == [True, False, False]
    assert answers[0]["label"] == alone[0]["label"]
    assert answers[1]["label"] == ""
    assert np.isnan(answers[1]["score"])
    assert answers[1]["probabilities"].keys() == alone[0]["probabilities"].keys()
    assert "9999" in answers[2]["problem"]


@pytest.mark.slow
def test_an_hour_of_sound_is_refused_at_once():
    import time

    recipe = zoo.get_recipe("digits-ctc")
    model = zoo.load("digits-ctc")  # its weights do not matter, its size does
    network = recipe.build(recipe.config, model.assets)
    served = recipe.serve(recipe.config, model.assets, network)
    audio = np.zeros((1, 3600 * 8000), "f4")
    function = served.functions["serving_default"]
    function(**request_of([GOOD]))
    tracemalloc.start()
    started = time.monotonic()
    found = function(audio=tf.constant(audio), length=tf.constant([audio.shape[1]]))
    assert time.monotonic() - started < 5
    assert not found["valid"].numpy().any()
    json.dumps(found["text"].numpy().tolist()[0].decode())
