"""Layers that Keras does not have, each of `keras.ops` and registered under package `zoo`."""

from zoo.layers.attention import Attention
from zoo.layers.cells import CELLS
from zoo.layers.crf import CRF
from zoo.layers.decoder import Decoder
from zoo.layers.embedding import JoinFeatures, WordEmbedding
from zoo.layers.nade import NADE, Bernoulli
from zoo.layers.normalised import LayerNormCell
from zoo.layers.pooling import MaskedPooling

__all__ = [
    "CELLS",
    "CRF",
    "NADE",
    "Attention",
    "Bernoulli",
    "Decoder",
    "JoinFeatures",
    "LayerNormCell",
    "MaskedPooling",
    "WordEmbedding",
]
