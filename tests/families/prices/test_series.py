"""What a network sees of prices: right, of the past alone, and without their level."""

import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
from scipy import stats

from recipes.prices import series
from recipes.prices.stocks import sample


@pytest.fixture(scope="module")
def prices():
    return series.prices_of(sample())


@pytest.fixture(scope="module")
def days(prices):
    return {name: part.numpy() for name, part in series.describe_days(**prices).items()}


def test_returns_and_proxies_by_their_definitions(prices, days):
    opened, high, low, close = (prices[name][3].astype(float) for name in series_names())
    returns = np.diff(np.log(close))
    np.testing.assert_allclose(days["returns"][3, 1:], returns, atol=1e-7)
    night = np.log(opened[1:] / close[:-1])
    inside = 0.5 * np.log(high / low) ** 2 - (2 * np.log(2) - 1) * np.log(close / opened) ** 2
    np.testing.assert_allclose(days["proxy"][3, 1:], night**2 + inside[1:], atol=1e-8)
    assert days["proxy"][3, 0] == pytest.approx(inside[0], rel=1e-3)  # no night before it
    alone = series.describe_days(prices["close"])
    np.testing.assert_allclose(alone["proxy"][3, 1:], returns**2, atol=1e-8)
    assert alone["known"].numpy()[3].tolist() == [False] + [True] * (len(close) - 1)


def series_names():
    return ("open", "high", "low", "close")


def test_the_variance_is_pandas_ewma_and_features_are_its_multiples(days):
    proxy = pd.Series(days["proxy"][5].astype(float))
    ewma = proxy.ewm(alpha=1 - series.DECAY, adjust=True).mean()
    np.testing.assert_allclose(days["variance"][5], ewma, rtol=1e-4)
    week = np.log((proxy.rolling(5, min_periods=1).mean() + 0.05 * ewma) / (1.05 * ewma))
    place = series.FEATURES.index("variance 5")
    np.testing.assert_allclose(days["features"][5, :, place], week, atol=1e-4)
    shock = days["returns"][5, 1:] / np.sqrt(ewma.to_numpy()[:-1])
    np.testing.assert_allclose(days["features"][5, 1:, 0], np.clip(shock, -8, 8), atol=1e-3)


def test_the_future_changes_nothing_to_the_last_bit(prices, days):
    cut = 90
    other = {name: part.copy() for name, part in prices.items()}
    for part in other.values():
        part[:, cut:] *= np.float32(1.7)
    later = series.describe_days(**other)
    for name, part in later.items():
        np.testing.assert_array_equal(part.numpy()[:, :cut], days[name][:, :cut], err_msg=name)
    assert np.any(later["features"].numpy()[:, cut:] != days["features"][:, cut:])


def test_another_currency_changes_nothing(prices, days):
    # A power of two, so that not even the rounding differs.
    dear = series.describe_days(**{name: part * 4 for name, part in prices.items()})
    np.testing.assert_array_equal(dear["features"].numpy(), days["features"])


def test_padding_and_other_rows_change_nothing(prices, days):
    longer = {name: np.pad(part[2:3], [(0, 0), (0, 30)]) for name, part in prices.items()}
    alone = series.describe_days(**longer)
    np.testing.assert_allclose(
        alone["features"].numpy()[0, :-30], days["features"][2], rtol=1e-5, atol=1e-5
    )
    assert not alone["features"].numpy()[0, -30:].any()
    assert not alone["real"].numpy()[0, -30:].any()


def test_wild_still_and_missing_prices_stay_finite():
    still = np.full((1, 40), 3.0, "float32")
    jump = still.copy()
    jump[0, 20:] *= 1000
    low = jump * 0.99
    low[0, 5] = 0.0001  # a slip of a pen: the bar is not believed
    for bars in ({}, {"open": jump, "high": jump * 1.01, "low": low}):
        found = series.describe_days(jump, **bars)
        assert np.isfinite(found["features"].numpy()).all()
        assert found["variance"].numpy().min() >= series.FLOOR
    assert found["features"].numpy()[0, :, -1].tolist() == [1.0] * 5 + [0.0] + [1.0] * 34
    odd = np.array([[np.nan, 1.0, np.inf, 2.0, 0.0, -1.0]], "float32")
    found = series.describe_days(odd)
    assert found["real"].numpy().tolist() == [[False, True, False, True, False, False]]
    assert np.isfinite(found["features"].numpy()).all()


def test_sums_ahead_and_the_days_that_are_scored():
    values = np.array([1.0, 2.0, 4.0, 8.0, 16.0])
    np.testing.assert_array_equal(
        series.ahead(values, 3),
        [[2, 6, 14], [4, 12, 28], [8, 24, np.nan], [16, np.nan, np.nan], [np.nan] * 3],
    )
    scored = series.scored_days(5, 2, begin=3)
    assert np.argwhere(scored).tolist() == [[1, 1], [2, 0], [2, 1], [3, 0]]  # of days 3 and 4


def test_windows_hold_each_target_once_and_in_units_of_the_day(days):
    examples = sample()
    examples["begin"] = [30] * 8
    assets = series.scaling(examples)
    x, y = series.windows(examples, assets, 3, 64)
    assert {part.shape[1:] for part in x} == {(len(series.FEATURES),)}
    assert {part.shape[1:] for part in y} == {(3, 3)}
    known = sum(part[..., 2].sum(axis=0) for part in y)
    # As it is and with closes alone; as many for each horizon: days 30 to 149.
    assert known.tolist() == [2 * 8 * 120] * 3
    target = y[0][40, 2]  # of the first series, day 40, three days ahead
    deviation = np.sqrt(days["variance"][0, 40])
    assert target[0] == pytest.approx(days["returns"][0, 41:44].sum() / deviation, rel=1e-4)
    assert target[1] == pytest.approx(days["proxy"][0, 41:44].sum() / deviation**2, rel=1e-4)


def test_scaling_is_that_of_the_rows_it_is_given():
    examples = sample()
    scaled = series.standardised(
        series.scaling(examples), series.describe_days(**series.prices_of(examples))
    ).numpy()
    alone = series.standardised(
        series.scaling(examples), series.describe_days(series.prices_of(examples)["close"])
    ).numpy()
    both = np.concatenate([scaled, alone]).reshape(-1, len(series.FEATURES))
    np.testing.assert_allclose(both.mean(axis=0), 0, atol=1e-4)
    np.testing.assert_allclose(both.std(axis=0), 1, atol=1e-3)
    past = {
        name: [row[:100] for row in rows]
        for name, rows in examples.items()
        if name != "ticker" and name != "begin"
    }
    assert series.scaling(past) != series.scaling(examples)


def test_quantiles_and_probabilities_are_scipys():
    location, scale = np.float32([0.1, -0.5, 0.0]), np.float32([1.0, 0.02, 3.0])
    freedom = np.float32([2.1, 6.3, 400.0])
    levels = (0.025, 0.1, 0.5, 0.9)
    ours = series.student_quantiles(*map(tf.constant, (location, scale, freedom)), levels).numpy()
    for row, student in enumerate(zip(freedom, location, scale, strict=True)):
        expected = stats.t.ppf(levels, *student)
        np.testing.assert_allclose(ours[row], expected, atol=1e-3 * scale[row])
    above = series.student_above(*map(tf.constant, (location, scale, freedom))).numpy()
    np.testing.assert_allclose(above, stats.t.sf(0, freedom, location, scale), atol=1e-5)
