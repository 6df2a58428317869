"""Lists that a caller gives, as the tensors that a signature takes."""

import numpy as np
import pytest
import tensorflow as tf

from zoo.errors import UsageError
from zoo.serving.inputs import input_tensor


def spec(rank, dtype=tf.int32):
    return tf.TensorSpec([None] * rank, dtype)


def test_lists_of_lists_of_unequal_length_are_filled_up():
    found = input_tensor("prime", spec(3), [[[60, 64], [], [67]], [], [[1, 2, 3]]])
    assert found.dtype == tf.int32
    assert found.numpy().tolist() == [
        [[60, 64, 0], [0, 0, 0], [67, 0, 0]],
        [[0] * 3] * 3,
        [[1, 2, 3], [0] * 3, [0] * 3],
    ]


@pytest.mark.parametrize("values", [[[], []], [[[]], []], []])
def test_of_nothing_the_axes_are_still_there(values):
    found = input_tensor("prime", spec(3), values)
    assert found.shape.rank == 3
    assert found.shape[0] == len(values)
    assert tf.size(found) == 0


def test_texts_are_filled_up_with_empty_ones():
    found = input_tensor("words", spec(2, tf.string), [[b"a", b"b"], [b"c"]])
    assert found.numpy().tolist() == [[b"a", b"b"], [b"c", b""]]


def test_arrays_will_do():
    found = input_tensor("frames", spec(3), np.arange(12).reshape(2, 3, 2))
    np.testing.assert_array_equal(found, np.arange(12).reshape(2, 3, 2))


@pytest.mark.parametrize(
    "values", [[[["a"]]], [[[1.5]]], [[[None]]], [[60, 64]], [[[[60]]]], [60], [[[60], 64]]]
)
def test_what_does_not_fit_is_one_line(values):
    with pytest.raises(UsageError, match="Input 'prime' takes values of type int32") as caught:
        input_tensor("prime", spec(3), values)
    assert "\n" not in str(caught.value)
