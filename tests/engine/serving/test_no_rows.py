"""A batch of no rows has no answers, in every signature of every export."""

import pytest

import zoo

pytestmark = pytest.mark.served

OPTIONS = {"beam": 2, "n_best": 1, "steps": 3, "temperature": 1.0, "top_k": 0, "top_p": 1.0}


def test_no_rows_are_answered_by_no_rows(chosen, export_of):
    import tensorflow as tf

    for name, function in zoo.load(export_of(chosen)).signatures.items():
        inputs = {
            key: tf.constant(OPTIONS[key], spec.dtype)
            if spec.shape.rank == 0
            else tf.zeros([0, *(axis or 0 for axis in spec.shape[1:])], spec.dtype)
            for key, spec in function.structured_input_signature[1].items()
        }
        outputs = function(**inputs)
        assert outputs
        for key, value in outputs.items():
            assert value.shape[0] == 0, (name, key)
            assert value.shape.rank == function.structured_outputs[key].shape.rank


def test_more_rows_than_a_part_are_answered_as_they_are_alone(chosen, predictor_of):
    import numpy as np

    predictor, count = predictor_of(chosen), 300
    sample = predictor.recipe.dataset.sample()
    row = {name: sample[name][:1] for name in predictor.input_names}
    (alone,) = predictor.predict(row)
    many = predictor.predict({k: list(v) * count for k, v in row.items()}, batch_size=count)
    assert len(many) == count
    for answer in (many[0], many[-1]):
        assert answer.keys() == alone.keys()
        for name, value in alone.items():
            if isinstance(value, float):
                np.testing.assert_allclose(answer[name], value, rtol=1e-4, atol=1e-5)
            elif isinstance(value, str):
                assert answer[name] == value
