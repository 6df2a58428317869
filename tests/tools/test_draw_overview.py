"""The picture of one training says which reviews its score is of."""

from pathlib import Path

from recipes.corpora.imdb import IMDB_TFDS, IMDB_WHEEL
from tools import draw_overview

METRICS = {
    "metric": "accuracy",
    "test": {"accuracy": 0.8904, "rows": 2490},
    "baseline": {"majority": {"accuracy": 0.5}},
}
DRAWN = "of the training reviews (second source)"


def test_the_card_of_scores_says_where_its_reviews_are_from():
    second = "".join(draw_overview.scores(0, "imdb-lstm", METRICS, IMDB_WHEEL.title))
    assert "accuracy on 2,490 test reviews" in second
    assert DRAWN in second
    first = "".join(draw_overview.scores(0, "imdb-lstm", METRICS, IMDB_TFDS.title))
    assert DRAWN not in first
    assert IMDB_TFDS.title in first


def test_the_stored_picture_says_it_too():
    assert DRAWN in Path(draw_overview.FILE).read_text(encoding="utf-8")
