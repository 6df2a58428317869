"""The real prices: what they are, and what must be reached on the last three years of the 31."""

import numpy as np
import pytest

import zoo
from recipes.prices import metrics as forecast
from recipes.prices.stocks import TEST, stocks

pytestmark = pytest.mark.slow


def test_the_three_stocks_are_adjusted(ready):
    splits = ready(stocks(5, ""), "wheel")
    assert splits.test["ticker"] == ["AAPL", "IBM", "MSFT"]
    assert [len(row) for row in splits.test["close"]] == [3270] * 3
    # Apple's shares were split 2:1 in June 2000 and February 2005: a fall of half, unadjusted.
    returns = np.diff(np.log(splits.test["close"][0]))
    assert np.sort(returns)[0] == pytest.approx(-0.73, abs=0.01)  # 29 September 2000
    assert np.sort(returns)[1] > -0.3


def test_the_splits_of_the_31_stocks_end_before_the_next_begins(ready):
    splits = ready(stocks(5, ""), "dow")
    assert len(splits.test["ticker"]) == 31
    for name, before in (("validation", splits.train), ("test", splits.validation)):
        part = getattr(splits, name)
        for dates, begin, past in zip(part["date"], part["begin"], before["date"], strict=True):
            assert dates[: len(past)] == past
            assert begin - len(past) == 5
            assert name != "test" or (dates[begin] >= TEST > dates[begin - 1])


def test_last_values_on_the_exchange_rates(ready):
    # By the protocol of LSTNet: no change is as good as what has been published.
    test = ready(stocks(24, ""), "exchange").test
    assert set(test["begin"]) == {6070}
    close = np.array(test["close"])
    result = [forecast.rse(close[:, 6070:], close[:, 6070 - h : 7588 - h]) for h in (3, 6, 12, 24)]
    np.testing.assert_allclose(result, [0.0171, 0.0238, 0.0329, 0.0434], atol=1e-4)


def test_volatility_is_forecast_better_than_by_har_and_garch(ready, tmp_path):
    ready(stocks(5, ""), "dow")
    zoo.train("stocks-lstm", tmp_path / "run", data="dow", baselines=False, quiet=True)
    result = zoo.backtest(tmp_path / "run", baselines="har,garch")
    for name in ("HAR", "GARCH"):
        for test in result["tests"][name]["qlike"][0], result["tests"][name]["qlike_squared"][0]:
            assert test["statistic"] < 0
            assert test["p"] < 0.05
        assert result["tests"][name]["crps"][0]["statistic"] < 0
    for row in result["scores"]["network"]:
        assert 0.78 <= row["coverage_80"] <= 0.82
