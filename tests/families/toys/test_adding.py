"""The adding problem: what its rows are, its remedies, and custom sequences."""

import dataclasses
import json

import numpy as np
import pytest
import tensorflow as tf

import zoo
from recipes import adding
from recipes.toys.adding import adding as dataset
from recipes.toys.adding import make, read_custom
from zoo.config import override
from zoo.data.reading import Reading, ReadOptions
from zoo.errors import UsageError, ZooError


@pytest.fixture(scope="module")
def splits():
    return dataset(30).load()


def test_two_numbers_of_each_sequence_are_marked_one_in_each_half(splits):
    for examples, rows in (
        (splits.train, 20_000),
        (splits.validation, 1_000),
        (splits.test, 2_000),
    ):
        numbers, markers = np.array(examples["numbers"]), np.array(examples["markers"])
        assert numbers.shape == markers.shape == (rows, 30)
        assert numbers.min() > 0  # a step of zeros would be padding
        assert numbers.max() <= 1
        assert (markers[:, :15].sum(1) == 1).all()
        assert (markers[:, 15:].sum(1) == 1).all()
        np.testing.assert_allclose((numbers * markers).sum(1), examples["sum"], atol=1e-9)
    # Every place is marked about equally often; numbers are uniform; no split repeats another.
    frequencies = np.array(splits.train["markers"]).sum(0) / 20_000 * 15
    assert np.abs(frequencies - 1).max() < 0.15
    assert np.abs(np.mean(splits.train["numbers"]) - 0.5) < 0.005
    first = [tuple(rows[0]) for rows in (splits.train["numbers"], splits.test["numbers"])]
    assert first[0] != first[1]


def test_the_constant_guess_errs_by_a_sixth(splits):
    guess = adding.baseline(adding.Config(), splits)["always 1"]
    assert guess["mse"] == pytest.approx(1 / 6, rel=0.05)
    assert guess["right"] < 0.1
    perfect = adding.scores(splits.test, np.array(splits.test["sum"]) + 0.03)
    assert perfect.values == {"mse": pytest.approx(9e-4), "right": 1.0, "rows": 2000}


def test_they_are_made_by_a_fixed_seed_and_said_to_be():
    one, other = make(7)[0], make(7)[0]
    np.testing.assert_array_equal(one["test"]["numbers"], other["test"]["numbers"])
    # Of RandomState, whose sequence is promised never to change.
    assert one["train"]["numbers"][0].tolist() == FIRST
    (source,) = dataset(7).sources
    assert "made by a fixed seed" in source.title
    assert "T = 7" in source.title
    assert source.status().state == "ready"
    assert source.files == ()
    assert source.verify().name == "adding.py"


FIRST = [0.4751, 0.6825, 0.8604, 0.9164, 0.7877, 0.348, 0.8046]


@pytest.mark.parametrize(
    "changes",
    [
        {"cell": "simplernn", "recurrent": "identity", "activation": "relu"},
        {"cell": "lstm", "forget_bias": False, "recurrent": "glorot_uniform"},
        {"cell": "lstm", "forget_start": 3.0},
        {"cell": "simplernn", "layer_norm": True},
        {"cell": "gru", "layer_norm": True},
    ],
)
def test_a_remedy_reaches_the_network(changes):
    config = adding.Config(units=4, **changes)
    model = adding.build(config, {})
    (rnn,) = [layer for layer in model.layers if hasattr(layer, "cell")]
    kernel, recurrent, bias = rnn.get_weights()[:3]
    if config.layer_norm:
        assert rnn.cell.kind == config.cell
        assert rnn.cell.gain.shape == bias.shape
    if config.recurrent == "identity":
        np.testing.assert_array_equal(recurrent, np.eye(4))
        # relu: negative inputs leave the state at 0, positive ones are added up.
        rnn.set_weights([np.ones_like(kernel), recurrent, bias])
        model.get_layer("sum").set_weights([np.ones((4, 1)), np.zeros(1)])
        x = np.array([[[0.5, 1], [0.25, 0], [0, 2]], [[-1, -1], [0, 0], [-1, 0]]], "float32")
        np.testing.assert_allclose(np.asarray(model(x))[:, 0], [4 * 3.75, 0], rtol=1e-6)
    if config.recurrent == "orthogonal" and not config.layer_norm:
        np.testing.assert_allclose(recurrent @ recurrent.T, np.eye(4), atol=1e-5)
    if config.cell == "lstm":
        start = config.forget_start if config.forget_bias else 0
        np.testing.assert_array_equal(bias.reshape(4, 4), np.outer([0, start, 0, 0], np.ones(4)))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"length": 1}, "'length' must be at least 2"),
        ({"cell": "gru", "activation": "relu"}, "gated cells use tanh"),
        ({"cell": "lstm", "recurrent": "identity"}, "'identity' only for a SimpleRNN"),
        ({"cell": "gru", "forget_bias": False}, "'forget_bias' is only for an LSTM"),
        ({"cell": "gru", "forget_start": 3}, "'forget_start' is only for an LSTM"),
        ({"recurrent": "zeros"}, "must be one of orthogonal, glorot_uniform, identity"),
    ],
)
def test_settings_that_make_no_sense_are_one_line(changes, message):
    with pytest.raises(UsageError, match=message):
        override(adding.Config(), changes)


def test_ones_own_sequences_are_read(tmp_path):
    path = tmp_path / "mine.jsonl"
    rows = [{"x": [0.5, 0.25, 1], "markers": [1, 0, 1]}, {"x": [0.5], "markers": [0]}]
    path.write_text("\n".join(map(json.dumps, rows)) + "\n\n")
    assert read_custom(path, {"numbers": "x"}) == {
        "numbers": [[0.5, 0.25, 1.0], [0.5]],
        "markers": [[1.0, 0.0, 1.0], [0.0]],
        "sum": [1.5, 0.0],
    }
    for line in (
        '{"numbers": [1, 2], "markers": [1]}',
        '{"numbers": [NaN], "markers": [1]}',
        '{"numbers": [1], "markers": [2]}',
        '{"numbers": [], "markers": []}',
        "[1]",
        "x",
    ):
        path.write_text('{"numbers": [1], "markers": [1]}\n' + line + "\n")
        with pytest.raises(ZooError, match=r"line 2 is not an object with 'numbers'.*--drop-bad"):
            read_custom(path)
        reading = Reading(ReadOptions(drop_bad=True))
        assert read_custom(path, reading=reading)["numbers"] == [[1.0]]
        assert reading.notes[0].startswith("mine.jsonl: line 2 is not an object with 'numbers'")
        path.write_text(line + "\n")
        with pytest.raises(ZooError, match="has no line that can be used"):
            read_custom(path, reading=reading)
    path.write_text("\n")
    with pytest.raises(ZooError, match="is empty"):
        read_custom(path)
    with pytest.raises(UsageError, match="There is no file"):
        read_custom(tmp_path / "none.jsonl")


def test_what_is_served_says_what_it_cannot_answer_and_skips_padding():
    config = dataclasses.replace(zoo.get_recipe("adding-gru").config, units=4)
    served = adding.serve(config, {}, adding.build(config, {})).functions["serving_default"]
    one = served(numbers=[[0.5, 0.2]], markers=[[1.0, 0.0]])["sum"].numpy()
    padded = served(numbers=[[0.5, 0.2, 0, 0]], markers=[[1.0, 0, 0, 0]])["sum"].numpy()
    np.testing.assert_allclose(one, padded, rtol=1e-6)
    assert one.shape == (1,)
    assert np.isfinite(served(numbers=[[]], markers=[[]])["sum"].numpy()).all()
    # The shorter ones are filled up with 0, as rows of unequal length are.
    shorter = served(numbers=[[0.5, 0.2]], markers=[[1.0]])["sum"].numpy()
    np.testing.assert_allclose(shorter, one, rtol=1e-6)


def test_one_bad_sequence_does_not_fail_the_others():
    config = dataclasses.replace(zoo.get_recipe("adding-gru").config, units=4, max_length=3)
    kept = adding.serve(config, {}, adding.build(config, {}))
    served = kept.functions["serving_default"]
    markers = tf.ones([5, 4]) * [[1.0, 0.0, 0.0, 0.0]]
    numbers = tf.constant(
        [[0.5, 0.1, 0, 0], [np.nan, 0, 0, 0], [0.1, np.inf, 0, 0], [1, 1, 1, 1], [0.1, 0, 0, 0]]
    )
    found = served(numbers=numbers, markers=markers)
    assert found["valid"].numpy().tolist() == [True, False, False, False, True]
    assert np.isnan(found["sum"].numpy()).tolist() == [False, True, True, True, False]
    assert found["problem"][3] == b"The sequence is longer than 3 steps."
    alone = served(numbers=numbers[:1], markers=markers[:1])["sum"]
    np.testing.assert_allclose(found["sum"][0], alone[0], rtol=1e-5)


def test_a_row_whose_sequences_differ_is_marked_by_predict():
    model = zoo.load("adding-gru")
    rows = {"numbers": [[0.5, 0.2], [0.5], [1, 0.25]], "markers": [[1, 1], [1, 0], [1, 1]]}
    answers = model.predict(rows)
    assert [answer.get("valid", True) for answer in answers] == [True, False, True]
    assert answers[1]["problem"] == "Its series differ in length (markers 2, numbers 1)."
    assert np.isnan(answers[1]["sum"])
    (alone,) = model.predict({"numbers": [[0.5, 0.2]], "markers": [[1, 1]]})
    assert answers[0]["sum"] == pytest.approx(alone["sum"], rel=1e-5)


@pytest.mark.parametrize("large", [10**400, -(10**400)])
def test_an_integer_out_of_range_is_a_usage_error(large):
    with pytest.raises(zoo.UsageError, match="takes values of type float32"):
        zoo.load("adding-gru").predict({"numbers": [[0.5, large]], "markers": [[1, 1]]})


def test_an_answer_is_a_line_with_what_was_marked():
    example = {"numbers": [0.5, 0.25, 1], "markers": [1, 0, 1]}
    assert adding.show(example, {"sum": 1.51}) == "1.5100  0.5000 + 1.0000 among 3"


def test_sequences_of_a_file_are_answered_on_the_command_line(tmp_path, monkeypatch, capsys):
    from zoo.cli import main

    run = zoo.train(
        "adding-simplernn", tmp_path / "run", data="sample", baselines=False, quiet=True,
        settings={"epochs": 1, "units": 4},
    )  # fmt: skip
    path = tmp_path / "mine.jsonl"

    def predict(row):
        path.write_text(json.dumps(row) + "\n")
        monkeypatch.setattr("sys.argv", ["zoo", "predict", str(run.path), "-i", str(path)])
        with pytest.raises(SystemExit) as stop:
            main()
        return stop.value.code, capsys.readouterr()

    code, output = predict({"numbers": [0.5, 0.25, 1], "markers": [1, 0, 1]})
    assert code == 0, output.err
    assert output.out.endswith("  0.5000 + 1.0000 among 3\n")
    for wrong, reason in (
        ({"numbers": [0.5], "markers": [1, 0]}, "markers 2, numbers 1"),
        ({"numbers": "0.5 1", "markers": [1, 0]}, "it must be a list"),
        ({"numbers": 0.5, "markers": [1]}, "'numbers' that is not text"),
        ({"numbers": ["a"], "markers": [1]}, "takes values of type float32"),
    ):
        code, output = predict(wrong)
        assert code in (1, 2)
        assert reason in output.err
        assert output.err.count("\n") == 1
