"""Settings of training that classifiers of text share: see `recipes.classifying.perturbation`."""

from __future__ import annotations

import dataclasses

from recipes.corpora.glove import VectorConfig


@dataclasses.dataclass(frozen=True)
class TextConfig(VectorConfig):
    adversarial: float = 0.0  # norm of the adversarial perturbation of the word vectors (0: off)
    virtual_adversarial: float = 0.0  # norm of the virtual one, which needs no labels (0: off)
    normalised_vectors: bool = False  # word vectors have mean 0 and variance 1, by frequency
