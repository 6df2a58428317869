"""Layers that Keras lacks, written with `keras.ops` and registered under the package `zoo`."""

from zoo.layers.cells import CELLS
from zoo.layers.pooling import MaskedPooling

__all__ = [
    "CELLS",
    "MaskedPooling",
]
