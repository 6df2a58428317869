"""What a network made, beside what people made."""

import pytest

from recipes.writing.checks import text_checks
from zoo.metrics.generation import nats_per_step


def test_nats_are_a_mean_over_all_steps_not_over_sequences():
    scores = [{"log_probability": -10.0, "count": 4}, {"log_probability": -1.0, "count": 1}]
    assert nats_per_step(scores) == 11 / 5


def test_text_checks_by_hand():
    training = ["The cat sat on the mat.", "A dog, a dog!"]
    found = text_checks(["the cat sat", "a wug"], ["on the moon"], training)
    assert found["made"] == {
        "known_words": 4 / 5,
        "different_words": 5 / 5,
        "longest_overlap": 10.0,  # "he cat sat": the T of the training text is a capital
        "mean_overlap": (10 + 2) / 2,  # "a " of "a dog"
        "texts": 2,
        "characters": 16,
    }
    assert found["held out"]["known_words"] == pytest.approx(2 / 3)
    assert found["held out"]["longest_overlap"] == 8  # "on the m"
    empty = text_checks(["", "..."], ["a"], training)["made"]
    assert empty["known_words"] == 0
    assert empty["longest_overlap"] == 1
