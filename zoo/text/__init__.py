"""Conversion of raw text to ids and back, inside the graph, with TensorFlow's core ops."""

from zoo.text.normalisation import RULE, normalise, rule_of
from zoo.text.words import RESERVED, UNKNOWN, WordEncoder, learn_vocabulary, split_words

__all__ = [
    "RESERVED",
    "RULE",
    "UNKNOWN",
    "WordEncoder",
    "learn_vocabulary",
    "normalise",
    "rule_of",
    "split_words",
]
