"""From scores of a network to the best sequence, as graphs of TensorFlow's core ops."""

from zoo.decoding.search import Hypotheses, beam_search, greedy
from zoo.decoding.tagger import taggings
from zoo.decoding.translator import translations

__all__ = ["Hypotheses", "beam_search", "greedy", "taggings", "translations"]
