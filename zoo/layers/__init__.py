"""Layers that Keras does not have, each of `keras.ops` and registered under package `zoo`."""

from zoo.layers.cells import CELLS
from zoo.layers.pooling import MaskedPooling

__all__ = [
    "CELLS",
    "MaskedPooling",
]
