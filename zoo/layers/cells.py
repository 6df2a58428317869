"""Keras' recurrent layers by their names in configurations."""

from keras import layers

CELLS = {"simplernn": layers.SimpleRNN, "lstm": layers.LSTM, "gru": layers.GRU}
