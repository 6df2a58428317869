"""Raw text to ids and back, inside the graph, in TensorFlow's core ops."""

from zoo.text.words import RESERVED, UNKNOWN, WordEncoder, learn_vocabulary, split_words

__all__ = ["RESERVED", "UNKNOWN", "WordEncoder", "learn_vocabulary", "split_words"]
