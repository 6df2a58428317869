"""How far a text is from the training texts, in the graph; limits and marks."""

import dataclasses

import pytest
import tensorflow as tf

from zoo.novelty import Novelty, is_unusual, reasons
from zoo.serving import Served, novelty
from zoo.text.novelty import id_novelty, word_novelty

HIGH = Novelty("novelty", "high", "{novelty:.1f} is high", limit=0.5)
LOW = Novelty("score", "low", "{score:.1f} is low")


def test_a_short_text_tells_less_than_a_long_one():
    found = word_novelty(tf.constant([0, 2, 20, 0]), tf.constant([4, 4, 40, 0]))
    assert found["unknown_words"].numpy().tolist() == [0, 0.5, 0.5, 0]
    few, many = found["novelty"].numpy()[1:3]
    assert 0 < few < many < 0.5
    assert found["novelty"].numpy()[3] == 0


def test_padding_is_no_word():
    found = id_novelty(tf.constant([[5, 1, 0, 0], [1, 1, 1, 1]]))
    assert found["unknown_words"].numpy().tolist() == [0.5, 1]


@pytest.mark.parametrize("measures", [(HIGH,), (HIGH, LOW), (LOW,)])
def test_all_limits_together_leave_one_row_in_a_hundred(measures):
    rows = [{"novelty": i / 1000, "score": -((i * 7919) % 1000)} for i in range(1000)]

    @dataclasses.dataclass
    class Predictor:
        recipe: object
        input_names = ("text",)

        def predict(self, inputs):
            return [rows[int(text)] for text in inputs["text"]]

    recipe = type("Recipe", (), {"novelty": measures})
    learnt = novelty.learn(Predictor(recipe), {"text": [str(i) for i in range(1000)]})
    assert learnt["rows"] == 1000
    outputs = {name: tf.constant([float(row[name]) for row in rows]) for name in rows[0]}
    marks = is_unusual(outputs, measures, learnt["limits"]).numpy()
    assert 5 <= marks.sum() <= 10
    first = int(marks.nonzero()[0][0])
    assert len(reasons(measures, learnt["limits"], rows[first])) >= 1
    few = novelty.learn(Predictor(recipe), {"text": ["1"] * 99})
    assert few["limits"] == {}


def test_functions_with_the_outputs_are_marked_and_others_are_not():
    @tf.function(input_signature=[tf.TensorSpec([None], tf.float32, name="x")])
    def answer(x):
        return {"novelty": x, "score": -x}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.float32, name="x")])
    def other(x):
        return {"novelty": x}

    served = Served(parts=[], answer=answer, others={"other": other})
    marked = served.with_unusual((HIGH, LOW), {"score": -3.0})
    values = tf.constant([0.4, 0.6, 4.0])
    assert marked.answer(x=values)["unusual"].numpy().tolist() == [False, True, True]
    assert set(marked.others["other"](x=values)) == {"novelty"}
    # Without a limit of its own, and none learnt, an output marks nothing.
    unlearnt = served.with_unusual((HIGH, LOW), {})
    assert unlearnt.answer(x=values)["unusual"].numpy().tolist() == [False, True, True]
