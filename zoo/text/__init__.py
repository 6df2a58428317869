"""Raw text to ids and back, inside the graph, in TensorFlow's core ops."""

from zoo.text.characters import Characters, learn_characters
from zoo.text.words import RESERVED, UNKNOWN, WordEncoder, learn_vocabulary, split_words

__all__ = [
    "RESERVED",
    "UNKNOWN",
    "Characters",
    "WordEncoder",
    "learn_characters",
    "learn_vocabulary",
    "split_words",
]
