"""From scores of a network to the best sequence, as graphs of TensorFlow's core ops."""

from zoo.decoding.generator import Generation, generation_signatures, scored
from zoo.decoding.search import Hypotheses, beam_search, greedy
from zoo.decoding.stepper import step_function
from zoo.decoding.tagger import tagging_signatures
from zoo.decoding.translator import translation_signatures

__all__ = [
    "Generation",
    "Hypotheses",
    "beam_search",
    "generation_signatures",
    "greedy",
    "scored",
    "step_function",
    "tagging_signatures",
    "translation_signatures",
]
