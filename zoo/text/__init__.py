"""Raw text to ids and back, inside the graph, in TensorFlow's core ops."""

from zoo.text.characters import Characters, learn_characters
from zoo.text.subwords import Subwords, learn_subwords
from zoo.text.words import RESERVED, UNKNOWN, WordEncoder, learn_vocabulary, split_words

__all__ = [
    "RESERVED",
    "UNKNOWN",
    "Characters",
    "Subwords",
    "WordEncoder",
    "learn_characters",
    "learn_subwords",
    "learn_vocabulary",
    "split_words",
]
