"""Film reviews of the Internet Movie Database, 25,000 to train and 25,000 to test.

A film has at most 30 reviews; the training and test splits contain different films. Sentences of
other reviews are another source of the same dataset: see `recipes.classifying.sentences`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from recipes.classifying.sentences import SST2
from recipes.corpora.imdb import HOMEPAGE, IMDB_TFDS, IMDB_WHEEL, LICENCE
from zoo.data import Dataset, Examples

if TYPE_CHECKING:
    from zoo.data import Splits


def sample() -> Examples:
    good = ["A film to love .", "Great acting, <br />and a story that stays with you!"]
    bad = ["Dull.", "I wanted to like it, but the plot is a mess and nobody seems to care."]
    texts = [f"{first} {second * times}" for first, second in [good, bad] for times in range(1, 7)]
    return {"text": texts, "label": ["positive"] * 6 + ["negative"] * 6}


def facts(splits: Splits) -> list[str]:
    from recipes.classifying.facts import of_reviews

    return of_reviews(splits)


IMDB = Dataset(
    name="imdb",
    title="IMDB film reviews, positive and negative (Maas et al. 2011)",
    homepage=HOMEPAGE,
    licence=LICENCE,
    columns={"text": "a film review in English", "label": "positive or negative"},
    sources=(IMDB_TFDS, IMDB_WHEEL, SST2),
    on_request=("sst-2",),
    sample=sample,
    facts=facts,
)
