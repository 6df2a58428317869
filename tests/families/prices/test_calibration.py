"""Volatility is the standard deviation of the return, and bands hold what they say."""

import numpy as np
import pytest
import tensorflow as tf
from scipy import stats

import zoo
from recipes.prices import backtesting
from recipes.prices.calibration import MEMORY, PRIOR, WARM_UP, calibrated, mean_absolute
from recipes.prices.stocks import stocks
from zoo.serving.capabilities import FORECAST

LEVELS = (0.005, 0.01, 0.02, 0.04)


def walk(level, rows, days, parts=30):
    """Returns open, high, low and close of random walks of constant volatility, `(rows, days)`."""
    draw = np.random.default_rng(5)
    moves = draw.normal(0, level / parts**0.5, (rows, days, parts))
    paths = np.cumsum(moves.reshape(rows, -1), axis=1).reshape(moves.shape)
    start = np.concatenate([np.zeros((rows, 1)), paths[:, :-1, -1]], axis=1)[..., None]
    paths = np.concatenate([start, paths], axis=-1)
    parts = (paths[..., 0], paths.max(-1), paths.min(-1), paths[..., -1])
    return dict(
        zip(("open", "high", "low", "close"), (100 * np.exp(part) for part in parts), strict=True)
    )


def test_the_mean_absolute_value_is_that_of_a_students_t():
    df = np.array([2.1, 3.0, 8.0, 50.0], "float32")
    expected = [2 * stats.t(v).expect(lambda x: x, lb=0) for v in df]
    np.testing.assert_allclose(mean_absolute(df), expected, rtol=1e-3)


def test_a_forecast_is_corrected_by_days_before_it_alone():
    draw = np.random.default_rng(1)
    returns = 0.02 * draw.standard_normal((2, 60)).astype("float32")
    real = np.ones((2, 60), bool)
    real[1, 40:] = False
    forecasts = {
        "location": tf.zeros((2, 60, 2)),
        "scale": tf.fill((2, 60, 2), 0.01),
        "freedom": tf.fill((2, 60, 2), 5.0),
        "variance": tf.constant([1e-4, 2e-4]) * tf.ones((2, 60, 2)),
    }
    scale, volatility = (
        part.numpy() for part in calibrated(tf.constant(returns), tf.constant(real), forecasts)
    )
    np.testing.assert_allclose(scale[:, :WARM_UP], 0.01, rtol=1e-6)
    # By hand: equal forecasts have equal weights.
    day = 30
    count = day - WARM_UP
    squares = returns[0, 1 + WARM_UP : day + 1] ** 2
    ratio = (squares.sum() + PRIOR * 1e-4) / ((count + PRIOR) * 1e-4)
    assert volatility[0, day, 0] == pytest.approx(np.sqrt(1e-4 * ratio), rel=1e-4)
    pairs = returns[0, 1 + WARM_UP : day] + returns[0, 2 + WARM_UP : day + 1]
    ratio = (np.sum(pairs**2) + PRIOR * 2e-4) / ((len(pairs) + PRIOR) * 2e-4)
    assert volatility[0, day, 1] == pytest.approx(np.sqrt(2e-4 * ratio), rel=1e-4)
    changed = returns.copy()
    changed[:, day + 1 :] *= 5
    later = calibrated(tf.constant(changed), tf.constant(real), forecasts)
    for one, other in zip((scale, volatility), later, strict=True):
        np.testing.assert_array_equal(one[:, : day + 1], other[:, : day + 1])
        assert np.isfinite(other).all()


def test_volatility_is_corrected_by_the_last_days_alone():
    days = MEMORY + 100
    draw = np.random.default_rng(2)
    returns = np.concatenate([draw.normal(0, 0.03, 99), draw.normal(0, 0.01, days - 99)])
    returns = returns[np.newaxis].astype("float32")
    forecasts = {
        "location": tf.zeros((1, days, 1)),
        "scale": tf.fill((1, days, 1), 0.01),
        "freedom": tf.fill((1, days, 1), 5.0),
        "variance": tf.fill((1, days, 1), 1e-4),
    }
    _, volatility = calibrated(tf.constant(returns), tf.ones(returns.shape, bool), forecasts)
    for day, first in ((MEMORY + 4, 1 + WARM_UP), (days - 1, days - MEMORY)):
        squares = returns[0, first : day + 1].astype("float64") ** 2
        ratio = (squares.sum() + PRIOR * 1e-4) / ((len(squares) + PRIOR) * 1e-4)
        assert float(volatility[0, day, 0]) == pytest.approx(np.sqrt(1e-4 * ratio), rel=1e-5)
    assert 0.0095 < float(volatility[0, -1, 0]) < 0.0105  # the first 99 days are forgotten


def test_a_series_that_becomes_constant_has_finite_volatility():
    days = 3 * MEMORY
    returns = np.zeros((1, days), "float32")
    returns[0, 1:MEMORY] = 0.5
    variance = np.where(np.arange(days) < MEMORY, 1.0, 1e-10).astype("float32")
    shape = (1, days, 1)
    forecasts = {
        "location": tf.zeros(shape),
        "scale": tf.constant(np.sqrt(variance).reshape(shape)),
        "freedom": tf.fill(shape, 5.0),
        "variance": tf.constant(variance.reshape(shape)),
    }
    _, volatility = calibrated(tf.constant(returns), tf.ones(returns.shape, bool), forecasts)
    assert np.isfinite(volatility).all()
    # Nothing has moved within the memory: no more than the prior is left of the forecast.
    expected = np.sqrt(1e-10 * PRIOR / (MEMORY + PRIOR))
    assert float(volatility[0, -1, 0]) == pytest.approx(expected, rel=1e-3)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["stocks-lstm", "stocks-gru"])
@pytest.mark.parametrize("level", LEVELS)
def test_random_walks_of_any_volatility(name, level):
    bars = walk(level, 300, 500)
    model = zoo.load(name)
    for shown in (bars, {"close": bars["close"]}):
        rows = {key: value[:, :-1].tolist() for key, value in shown.items()}
        signature = "bars" if len(shown) > 1 else None
        answers = model.predict(rows, **({"signature": signature} if signature else {}))
        volatility = np.array([answer["volatility"] for answer in answers])
        np.testing.assert_allclose(
            volatility.mean(axis=0) / level, np.arange(1, 6) ** 0.5, rtol=0.03
        )
        # What follows is normal: the share of it in the band is known, not sampled.
        last = bars["close"][:, -2]
        low, high = (
            np.log(np.array([answer[side][0] for answer in answers]) / last) / level
            for side in ("low_80", "high_80")
        )
        inside = stats.norm.cdf(high) - stats.norm.cdf(low)
        assert inside.mean() == pytest.approx(0.8, abs=0.03)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["stocks-lstm", "stocks-gru"])
@pytest.mark.parametrize("shown", ["bars", "closes"])
def test_the_test_days_of_31_stocks(name, shown, ready):
    examples = ready(stocks(5, ""), "dow").test
    if shown == "closes":
        unknown = [[np.nan] * len(row) for row in examples["close"]]
        examples = {**examples, **dict.fromkeys(("open", "high", "low"), unknown)}
    panel = backtesting.observe(examples, 5)
    forecast = backtesting.network(panel, zoo.load(name))
    low, high = (
        stats.t.ppf(share, forecast.df, forecast.location, forecast.scale) for share in (0.1, 0.9)
    )
    inside = np.where(np.isnan(low), np.nan, (low <= panel.value) & (panel.value <= high))
    np.testing.assert_allclose(np.nanmean(inside, axis=(0, 1)), 0.8, atol=0.03)
    # The root mean square of what came over that of the volatility that was served. Months that are
    # drawn again differ by 2 to 3 %.
    volatility = np.where(np.isnan(panel.value), np.nan, served_volatility(panel, name))
    came, served = (np.nanmean(each**2, axis=(0, 1)) for each in (panel.value, volatility))
    np.testing.assert_allclose(np.sqrt(came / served), 1, rtol=0.03)


def served_volatility(panel, name):
    """Returns the volatility of each day; the signature of forecasts has what it is made of."""
    columns = {key: panel.columns[key] for key in ("open", "high", "low", "close")}
    bars = {key: [np.nan_to_num(row).tolist() for row in rows] for key, rows in columns.items()}
    parts = []
    for days, answer in zip(
        panel.days, zoo.load(name).predict(bars, signature=FORECAST, batch_size=16), strict=True
    ):
        forecasts = {
            key: tf.constant([answer[key]], tf.float32)
            for key in ("location", "scale", "freedom", "variance")
        }
        returns = tf.constant(days.returns[np.newaxis], tf.float32)
        _, volatility = calibrated(returns, tf.ones(returns.shape, bool), forecasts)
        parts.append(volatility.numpy()[0])
    return panel.align(parts)
