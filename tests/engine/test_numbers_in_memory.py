"""Numbers in memory are checked before training, like those of a file."""

import numpy as np
import pytest

import zoo
from zoo.errors import ZooError


def sample(name):
    recipe = zoo.get_recipe(name)
    dataset = recipe.data(recipe.config)
    return dataset, dataset.sample()


@pytest.mark.parametrize(
    ("name", "column", "value", "says"),
    [
        ("digits-mlp", "pixels", "abc", "Row 1 .* 'pixels' must be numbers"),
        ("digits-mlp", "pixels", np.full((8, 8), np.nan), "Row 1 .* 'pixels' must be numbers"),
        ("digits-mlp", "pixels", [[None] * 8] * 8, "Row 1 .* 'pixels' must be numbers"),
        ("adding-lstm", "numbers", [0.5, float("inf"), 0.1], "'numbers' must be numbers"),
        ("adding-lstm", "numbers", [0.5], "Row 1 .* as many 'markers'"),
        ("adding-lstm", "markers", [2, 0, 1, 0, 0], "Row 1 .* as many 'markers'"),
        ("chorales-lstm", "frames", [[60, 600]], "Row 1 .* MIDI numbers from 21 to 108"),
        ("chorales-lstm", "frames", [], "Row 1 .* at least one"),
        ("digits-ctc", "text", 7, "Row 1 .* 'text' is"),
        ("digits-gru", "audio", [0.1, "x"], "Row 1 .* 'audio' must be numbers"),
    ],
)
def test_what_is_no_number_is_said(name, column, value, says):
    dataset, columns = sample(name)
    values = list(columns[column])
    values[1] = value
    with pytest.raises(ZooError, match=says):
        dataset.load({**columns, column: values})


@pytest.mark.parametrize("name", ["digits-mlp", "adding-lstm", "chorales-lstm", "digits-gru"])
def test_a_sample_in_memory_is_read(name):
    dataset, columns = sample(name)
    columns = {key: list(values) * 6 for key, values in columns.items()}
    assert dataset.load(columns).train
