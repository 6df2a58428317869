"""Layers missing in Keras, implemented with `keras.ops` and registered under package `zoo`."""

from keras import layers

from zoo.layers.pooling import MaskedPooling

__all__ = ["CELLS", "MaskedPooling"]

# Keras' recurrent layers by their names in configurations.
CELLS = {"simplernn": layers.SimpleRNN, "lstm": layers.LSTM, "gru": layers.GRU}
