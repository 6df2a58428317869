"""The linear baselines on the official IMDB test split."""

import os
import random
from pathlib import Path

import pytest

from recipes.classifying.baselines import linear_baselines

DATA = (
    Path(os.environ.get("TFDS_DATA_DIR", "~/tensorflow_datasets")).expanduser()
    / "imdb_reviews/plain_text/1.0.0"
)


@pytest.mark.slow
@pytest.mark.skipif(not DATA.is_dir(), reason="imdb_reviews is not prepared in TFDS_DATA_DIR")
def test_linear_baselines_reach_the_published_scores():
    import tensorflow_datasets as tfds

    builder = tfds.builder_from_directory(DATA)
    train, test = (
        [(row["text"].decode(), int(row["label"])) for row in tfds.as_numpy(split)]
        for split in builder.as_dataset(split=["train", "test"])
    )
    random.Random(0).shuffle(train)
    splits = [
        {"text": [text for text, _ in rows], "label": [("neg", "pos")[kind] for _, kind in rows]}
        for rows in (train[2500:], train[:2500], test)
    ]
    scores = linear_baselines(*splits)
    print({name: score["accuracy"] for name, score in scores.items()})
    assert scores["nbsvm-bigram"]["rows"] == 25_000
    assert scores["majority"]["accuracy"] == 0.5
    assert scores["tfidf-linear"]["accuracy"] >= 0.88
    assert scores["nbsvm-bigram"]["accuracy"] >= 0.91  # Wang & Manning 2012: 0.9122
