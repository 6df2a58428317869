"""From scores of a network to the best sequence, as graphs of TensorFlow's core ops."""

from zoo.decoding.generator import generations, scored
from zoo.decoding.search import Hypotheses, beam_search, greedy
from zoo.decoding.stepper import chain
from zoo.decoding.tagger import taggings
from zoo.decoding.translator import translations

__all__ = [
    "Hypotheses",
    "beam_search",
    "chain",
    "generations",
    "greedy",
    "scored",
    "taggings",
    "translations",
]
