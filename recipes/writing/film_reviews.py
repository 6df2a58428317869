"""Film reviews as running text, without their labels; see `recipes.corpora.imdb`."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from recipes.corpora.imdb import HOMEPAGE, IMDB_TFDS, IMDB_WHEEL, LICENCE
from zoo.data import Dataset, Examples, csv_reader

if TYPE_CHECKING:
    from zoo.data import Splits


def sample() -> Examples:
    firsts = ["I saw this film twice.", "Nobody told me how long it is!", "What a story, and"]
    lasts = [
        "the actors are good, but the music is far too loud.",
        "it ends where it began: in the rain, with a letter that nobody reads.",
        "I would have left if my sister hadn't paid for the tickets.",
        "the plot is a mess; the pictures are not.",
    ]
    return {"text": [f"{first} {last}" for first in firsts for last in lasts]}


def facts(splits: Splits) -> list[str]:
    from recipes.writing.facts import of_films

    return of_films(splits)


REVIEWS = Dataset(
    name="film-reviews",
    title="IMDB film reviews without their labels (Maas et al. 2011)",
    homepage=HOMEPAGE,
    licence=LICENCE,
    columns={"text": "a film review in English"},
    sources=(
        dataclasses.replace(
            IMDB_TFDS,
            title="imdb reviews without labels (74,000; 1,000 and 2,500 held out)",
            columns={"text": "text"},
            names={},
            splits={
                "train": "train+unsupervised[1000:]",
                "validation": "unsupervised[:1000]",
                "test": "test[:2500]",
            },
            unlabelled="",
        ),
        dataclasses.replace(
            IMDB_WHEEL,
            title="imdb reviews without labels (25,000, of the train split)",
            read=csv_reader(columns={"text": "text"}, where={"source": "imdb"}),
        ),
    ),
    sample=sample,
    label="",
    facts=facts,
)
