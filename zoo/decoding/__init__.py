"""Decoding: search, sampling and generation, as graphs of TensorFlow's core ops."""

from zoo.decoding.generator import Generation, generation_signatures, scored
from zoo.decoding.search import Hypotheses, beam_search, greedy
from zoo.decoding.stepper import step_function

__all__ = [
    "Generation",
    "Hypotheses",
    "beam_search",
    "generation_signatures",
    "greedy",
    "scored",
    "step_function",
]
