"""Large batches in parts, texts cut at a character, and rows that have no answer."""

import numpy as np
import pytest
import tensorflow as tf

from zoo import bounds
from zoo.bounds import first_bytes, in_parts, last_bytes, marked, parted, problems


@tf.function(
    input_signature=[
        tf.TensorSpec([None], tf.string, name="text"),
        tf.TensorSpec([], tf.int32, name="beam"),
    ]
)
def spell(text, beam):
    letters = tf.strings.bytes_split(text).to_tensor("")
    return {
        "letters": letters,
        "length": tf.strings.length(text),
        "long": tf.strings.length(text) > beam,
        "pair": tf.zeros([tf.shape(text)[0], 2]),
    }


@tf.function(input_signature=spell.input_signature)
def count_rows(text, beam):
    return {"rows": tf.fill(tf.shape(text), tf.shape(text)[0])}


COUNTED = parted(count_rows)


def sizes(texts, beam=1):
    """Returns how many rows each part has, in order."""
    found = COUNTED(tf.constant(texts, tf.string), tf.constant(beam))["rows"].numpy()
    parts, start = [], 0
    while start < len(found):
        parts.append(int(found[start]))
        start += parts[-1]
    assert start == len(texts)
    return parts


def test_a_batch_that_is_small_is_one_part():
    texts, one = tf.constant(["a", "bcd", ""]), tf.constant(1)
    before, after = spell(texts, one), parted(spell)(texts, one)
    assert before.keys() == after.keys()
    for name, value in before.items():
        np.testing.assert_array_equal(value, after[name], err_msg=name)
        assert value.dtype == after[name].dtype


def test_a_batch_of_no_rows_has_no_answers():
    found = parted(spell)(tf.constant([], tf.string), tf.constant(1))
    assert {name: value.shape.as_list() for name, value in found.items()} == {
        "letters": [0, 0], "length": [0], "long": [0], "pair": [0, 2],
    }  # fmt: skip


def test_parts_are_bounded_in_rows_hypotheses_and_values():
    assert sizes(["ab"] * 600) == [256, 256, 88]
    assert sizes(["ab"] * 60, beam=100) == [10] * 6
    assert sizes(["ab"] * 300, beam=2**31 - 1) == [1] * 300
    quarter = "a" * (bounds.SIZE // 16 - 1)
    assert sizes([quarter] * 6) == [4, 2]
    # A row that is too long alone does not split those that are not beside it.
    assert sizes(["a"] * 100 + [quarter * 8] + ["a"] * 300) == [100, 1, 256, 44]


def test_parts_of_other_widths_are_joined_with_padding():
    texts = ["ab"] * 256 + ["abcd", ""]
    found = parted(spell)(tf.constant(texts), tf.constant(3))
    assert found["letters"].shape == (258, 4)
    assert found["letters"][0].numpy().tolist() == [b"a", b"b", b"", b""]
    assert found["letters"][256].numpy().tolist() == [b"a", b"b", b"c", b"d"]
    assert found["long"].numpy().nonzero()[0].tolist() == [256]


def test_peak_of_a_large_batch_is_that_of_a_part():
    peak = tf.Variable(0)

    def square(rows):
        peak.assign(tf.maximum(peak, tf.size(rows["x"])))
        return {"y": rows["x"] ** 2}

    @tf.function
    def run(x):
        return in_parts(square, {"x": x}, {"y": tf.TensorSpec([None, 100], tf.float32)}, size=1000)

    found = run(tf.ones([500, 100]))
    assert found["y"].shape == (500, 100)
    assert peak.numpy() == 1000


def test_the_whole_batch_is_checked_and_not_a_part():
    @tf.function(input_signature=[tf.TensorSpec([None], tf.float32, name="x")])
    def same(x):
        return {"y": x}

    def few(rows, given):
        return [tf.debugging.Assert(rows <= 400, ["too many rows", rows])]

    assert parted(same, few)(tf.zeros(400))["y"].shape == 400
    with pytest.raises(tf.errors.InvalidArgumentError, match="too many rows"):
        parted(same, few)(tf.zeros(401))


@pytest.mark.parametrize("limit", range(4, 40))
def test_a_cut_is_never_within_a_character(limit):
    raw = ("aé€😀" * 3).encode()
    other = b"\x80" * 50  # no text at all
    found = first_bytes(tf.constant([raw, b"", other]), limit).numpy().tolist()
    assert found == [raw[:limit].decode(errors="ignore").encode(), b"", other[:limit]]
    assert last_bytes(tf.constant([raw, b""]), limit).numpy().tolist() == [raw[-limit:], b""]


def test_what_has_a_problem_is_blank_and_the_rest_as_it_is():
    first, second = tf.constant([True, False, False]), tf.constant([True, True, False])
    problem = problems((first, "first"), (second, tf.constant(["a", "b", "c"])))
    assert problem.numpy().tolist() == [b"first.", b"b.", b""]
    outputs = {
        "numbers": tf.ones([3, 2]), "text": tf.constant(["x", "y", "z"]),
        "count": tf.constant([1, 2, 3]), "whole": tf.constant([True] * 3),
    }  # fmt: skip
    found = {name: value.numpy().tolist() for name, value in marked(outputs, problem).items()}
    assert np.isnan(found["numbers"]).tolist() == [[True] * 2] * 2 + [[False] * 2]
    assert found["text"] == [b"", b"", b"z"]
    assert found["count"] == [0, 0, 3]
    assert found["whole"] == found["valid"] == [False, False, True]
