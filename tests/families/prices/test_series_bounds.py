"""Series that nothing can be forecast of are marked; those beside them are forecast as alone."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

import zoo
from recipes.prices.series import check_series
from recipes.prices.stocks import sample

BARS = ("open", "high", "low", "close")


@pytest.fixture(scope="module")
def functions():
    recipe = zoo.get_recipe("stocks-gru")
    config = dataclasses.replace(recipe.config, units=4, max_days=200)
    rows = sample()
    rows["begin"] = [30] * len(rows["close"])
    assets = recipe.prepare(config, rows)
    served = recipe.serve(config, assets, recipe.build(config, assets))
    yield served.functions
    del served


def prices(days=60):
    return {name: np.asarray(sample()[name][0][:days], "f4") for name in BARS}


def batch(rows):
    longest = max(len(row["close"]) for row in rows)
    found = {name: np.zeros((len(rows), longest), "f4") for name in BARS}
    for number, row in enumerate(rows):
        for name, values in row.items():
            found[name][number, : len(values)] = values
    return {name: tf.constant(values) for name, values in found.items()}


@pytest.mark.parametrize("name", ["serving_default", "bars", "walk"])
def test_one_bad_series_does_not_fail_the_others(name, functions):
    good = prices()
    none = {key: np.zeros(60) for key in BARS}
    wrong = {key: np.full(60, np.nan) for key in BARS}
    inputs = batch([good, none, wrong, prices(40)])
    takes = [spec.name for spec in functions[name].input_signature]
    found = functions[name](**{key: inputs[key] for key in takes})
    assert found["valid"].numpy().tolist() == [True, False, False, True]
    assert found["problem"].numpy().tolist()[:2] == [b"", b"The series has no price above 0."]
    alone = functions[name](**{key: batch([good])[key] for key in takes})
    for key, value in alone.items():
        if value.dtype.is_floating:
            assert np.isfinite(value).all()
            np.testing.assert_allclose(found[key][0], value[0], rtol=1e-4, atol=1e-7, err_msg=key)
            assert np.isnan(found[key][1]).all()
    if name == "walk":
        assert found["length"].numpy().tolist() == [60, 0, 0, 40]


def test_bars_of_another_length_than_the_close(functions):
    inputs = batch([prices(), prices(30)])
    shorter = {**inputs, "open": inputs["open"][:, :50], "low": inputs["low"][:, :0]}
    found = functions["bars"](**shorter)
    assert found["valid"].numpy().all()
    filled = {**inputs, "low": tf.zeros_like(inputs["low"])}
    filled["open"] = tf.pad(inputs["open"][:, :50], [[0, 0], [0, 10]])
    for key, value in functions["bars"](**filled).items():
        np.testing.assert_array_equal(found[key], value, err_msg=key)
    longer = {**inputs, "close": inputs["close"][:, :40]}  # the first row goes on without a close
    found = functions["walk"](**longer)
    assert found["valid"].numpy().tolist() == [False, True]
    assert found["problem"][0] == b"Open, high and low have more days than the close."


def test_a_series_beyond_the_limit_is_cut_before_it_is_read(functions):
    bars, problem = check_series([tf.ones([2, 10**6])] * 4, 200)
    assert [part.shape.as_list() for part in bars] == [[2, 200]] * 4
    assert set(problem.numpy().tolist()) == {b"The series is longer than 200 days."}
    for days, valid in ((200, True), (201, False)):
        close = tf.pad(tf.ones([1, days]), [[0, 0], [0, 9]])
        found = functions["serving_default"](close=close)
        assert found["valid"].numpy().tolist() == [valid]


def test_a_pack_answers_the_good_rows():
    model = zoo.load("stocks-gru")
    good = {name: values.tolist() for name, values in prices().items()}
    (alone,) = model.predict({name: [values] for name, values in good.items()}, signature="bars")
    rows = [good, {**good, "open": good["open"][:9]}, {name: [0.0] * 60 for name in BARS}, good]
    answers = model.predict({name: [r[name] for r in rows] for name in BARS}, signature="bars")
    assert [answer.get("valid", True) for answer in answers] == [True, False, False, True]
    assert answers[0].keys() == answers[3].keys() == alone.keys()
    for name, value in alone.items():  # to rounding: sums over a batch of another size
        due = value if isinstance(value, str) else pytest.approx(value, rel=1e-5, abs=1e-7)
        assert answers[0][name] == due, name
        assert answers[3][name] == due, name
    assert "open 9" in answers[1]["problem"]
    assert "price above 0" in answers[2]["problem"]
    assert np.isnan(answers[2]["rise"]).all()
    (lonely,) = model.predict({"close": [[0.0]]})
    assert not lonely["valid"]
    assert "price above 0" in lonely["problem"]
