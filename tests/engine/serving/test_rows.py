"""Rows that a model cannot answer, as `predict` marks them, and limits that an export changes."""

import json

import pytest
import tensorflow as tf
from support.runs import recipe_of_task

import zoo
from zoo.serving import predictor as module


def function(*specs):
    return tf.function(input_signature=[tf.TensorSpec(*spec) for spec in specs])


@pytest.fixture
def served():
    """A predictor of signatures from before rows were marked."""

    @function(([None, None], tf.float32, "high"), ([None, None], tf.float32, "low"))
    def spread(high, low):
        enough = tf.reduce_all(tf.reduce_any(high > 0, axis=1))
        with tf.control_dependencies([tf.debugging.Assert(enough, ["a high above 0 is due", -1])]):
            most = tf.reduce_max(high - low, axis=1)
        days = tf.reduce_sum(tf.cast(high > 0, tf.int32), axis=1)
        return {"most": most, "all": high - low, "name": tf.strings.as_string(days), "length": days}

    @function(([None], tf.string, "text"), ([], tf.int32, "times"))
    def repeated(text, times):
        few = tf.debugging.Assert(times < 9, ["times must be below 9; got", times])
        with tf.control_dependencies([few]):
            return {"text": tf.identity(text), "number": tf.strings.to_number(text)}

    predictor = module.Predictor.__new__(module.Predictor)
    predictor.resolved, predictor.assets = {"recipe": "echo"}, {}
    predictor.recipe = zoo.get_recipe("imdb-lstm")  # one that reads what it is given
    predictor.signatures = {"serving_default": spread, "repeated": repeated}
    return predictor


def test_a_row_that_the_graph_refuses_does_not_fail_the_others(served):
    high = [[3.0, 2.0], [0.0], [5.0], [1.0, 1.0]]
    answers = served.predict({"high": high, "low": [[1.0, 1.0], [0.0], [4.0], [0.5, 0.0]]})
    assert answers[0] == {"most": 2.0, "all": [2.0, 1.0], "name": "2"}
    assert answers[2] == {"most": 1.0, "all": [1.0], "name": "1"}
    bad = answers[1]
    assert bad.pop("most") != 0
    assert bad == {"all": [], "name": "", "valid": False, "problem": "a high above 0 is due -1."}


def test_rows_of_unequal_series_are_marked_and_empty_ones_are_not(served):
    high = [[3.0, 2.0], [3.0, 2.0, 1.0], [4.0, 4.0], [5.0]]
    answers = served.predict({"high": high, "low": [[1.0, 1.0], [1.0], [], [4.0]]})
    assert [answer.get("valid", True) for answer in answers] == [True, False, True, True]
    assert answers[1]["problem"] == "Its series differ in length (high 3, low 1)."
    assert answers[2]["all"] == [4.0, 4.0]
    (only,) = served.predict({"high": [[1.0, 2.0]], "low": [[1.0]]})
    assert not only["valid"]


def test_what_an_older_graph_refuses_is_a_problem_of_its_row(served):
    """Packed models do not mark rows; and TensorFlow cannot quote what is no UTF-8."""

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="text")])
    def older(text):
        known = tf.reduce_all(tf.strings.length(text) < 4)
        with tf.control_dependencies([tf.debugging.Assert(known, ["too long:", text])]):
            place = tf.strings.length(text) - 1
        return {"number": tf.gather(tf.range(3), place)}

    served.signatures = {"serving_default": older}
    answers = served.predict(["a", "", b"\xff\xfe\xff\xff", "abc"])
    assert [answer.get("valid", True) for answer in answers] == [True, False, False, True]
    assert [answers[0]["number"], answers[3]["number"]] == [0, 2]
    assert answers[1]["problem"].startswith("The network cannot compute it (indices[0] = -1 is ")
    assert answers[2]["problem"].startswith("too long: ")
    with pytest.raises(zoo.UsageError, match="too long: abcde"):
        served.predict(["abcde"])
    for answer in answers:
        assert "\n" not in answer.get("problem", "")


def test_an_option_that_the_graph_refuses_is_a_usage_error(served):
    ask = {"examples": ["1", "2", "3"], "signature": "repeated"}
    with pytest.raises(zoo.UsageError, match=r"^times must be below 9; got 9\.$"):
        served.predict(**ask, times=9)
    assert [answer["number"] for answer in served.predict(**ask, times=1)] == [1, 2, 3]


def test_an_answer_that_is_no_number_is_marked(served):
    nan = float("nan")
    answers = served.predict({"high": [[nan, 1.0], [2.0]], "low": [[1.0, 0.0], [1.0]]})
    assert [answer.get("valid", True) for answer in answers] == [False, True]
    assert answers[0]["name"] == ""


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"batch_size": "5"}, "batch_size must be an integer; got '5'"),
        ({"batch_size": 2.0}, "batch_size must be an integer; got 2.0"),
        ({"batch_size": True}, "batch_size must be an integer; got True"),
        ({"signature": 5}, "has no signature 5"),
        ({"times": "2"}, "'times' takes values of type int32"),
        ({"times": 10**400}, "'times' takes values of type int32"),
        ({"times": [1]}, "it has 1 axes, not 0"),
    ],
)
def test_wrong_python_types_are_usage_errors(served, wrong, says):
    given = {"signature": "repeated", "times": 2, **wrong}
    with pytest.raises(zoo.UsageError) as raised:
        served.predict(["1"], **given)
    assert says in str(raised.value)


NAME = recipe_of_task("sentiment")


def test_an_export_reads_as_much_as_its_limits_say(predictor_of, tmp_path):
    predictor = predictor_of(NAME)
    folder = zoo.export(predictor, tmp_path, warmup=0, limits={"max_bytes": 40, "max_words": "9"})
    exported = zoo.load(folder)
    assert (exported.config.max_bytes, exported.config.max_words) == (40, 9)
    assert "- `max_bytes` 40: a longer text keeps its first" in exported.card
    assert predictor.config.max_bytes == 100_000
    text = "a film to love . " + "dull " * 100 + "and a mess indeed , all of it"
    ends = text[:10] + " " + text[-30:]
    (cut, same) = exported.predict([text, ends])
    assert cut["score"] == pytest.approx(same["score"], abs=1e-6)
    (whole,) = predictor.predict([text])
    assert whole["score"] != pytest.approx(cut["score"], abs=1e-4)
    assert json.loads((folder / "assets.extra/config.json").read_text())["run"] == predictor.run


@pytest.mark.parametrize(
    ("limits", "says"),
    [
        ({"max_byte": 9}, r"has no limit 'max_byte'\. Did you mean 'max_bytes'\?"),
        ({"units": 9}, "has no limit 'units'"),
        ({"max_bytes": 0}, "'max_bytes' must be at least 1"),
        ({"max_bytes": "few"}, "takes a value of type int"),
    ],
)
def test_wrong_limits(predictor_of, tmp_path, limits, says):
    with pytest.raises(zoo.UsageError, match=says):
        zoo.export(predictor_of(NAME), tmp_path / "new", limits=limits)
    assert not (tmp_path / "new").exists()


def test_every_recipe_states_its_limits(chosen, run_of):
    predictor = zoo.load(run_of(chosen))
    inputs = {spec.name: spec for spec in predictor.served().functions[
        "serving_default"].input_signature}  # fmt: skip
    open_ended = [
        name for name, spec in inputs.items() if spec.dtype == tf.string or spec.shape.rank > 1
    ]
    names = [name for name in predictor.resolved["config"] if name.startswith("max_")]
    fixed = all(None not in inputs[name].shape[1:] and inputs[name].dtype != tf.string
                for name in open_ended)  # fmt: skip
    assert names or fixed
    assert all(f"- `{name}` " in predictor.card for name in names)


def test_a_run_from_before_there_were_limits_is_the_same_run(run_of, tmp_path):
    from zoo.training.run import check_same

    resolved = json.loads((run_of(NAME) / "config.json").read_text())
    before = json.loads(json.dumps(resolved))
    del before["config"]["max_bytes"]
    (tmp_path / "config.json").write_text(json.dumps(before))
    check_same(tmp_path, resolved)
    before["config"]["max_words"] = 3
    (tmp_path / "config.json").write_text(json.dumps(before))
    with pytest.raises(zoo.UsageError, match="max_words: 3, now"):
        check_same(tmp_path, resolved)
