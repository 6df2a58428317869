"""Keras' recurrent layers by the names that configurations have for them."""

from keras import layers

CELLS = {"simplernn": layers.SimpleRNN, "lstm": layers.LSTM, "gru": layers.GRU}
