"""Simple forecasts against the libraries that define them, and of the past alone."""

import numpy as np
import pytest

from recipes.prices.baselines import (
    BASELINES,
    MARKET,
    MAX_DF,
    fit_log_linear,
    fit_student,
    log_linear,
    methods_for,
    with_market,
)
from recipes.prices.series import DECAY, FEATURES, Days, describe_days, prices_of

END, HORIZON = 400, 4


@pytest.fixture(scope="module")
def days():
    """Returns of a GARCH process, and proxies that scatter about its variance."""
    draw = np.random.default_rng(1)
    variance, returns, proxy = 1e-4, [0.0], [np.nan]
    for _ in range(599):
        returns.append(np.sqrt(variance) * draw.standard_normal())
        proxy.append(1.2 * variance * draw.chisquare(4) / 4)
        variance = 5e-6 + 0.1 * returns[-1] ** 2 + 0.85 * variance
    return Days(np.array(returns), np.array(proxy))


@pytest.mark.parametrize("name", BASELINES)
def test_a_forecast_knows_the_past_alone(name, days):
    before = BASELINES[name](days, END, HORIZON)
    cut = 450
    future = Days(days.returns.copy(), days.proxy.copy())
    future.returns[cut:] *= -3
    future.proxy[cut:] *= 9
    after = BASELINES[name](future, END, HORIZON)
    for field in ("location", "scale", "df", "variance"):
        one, other = getattr(before, field), getattr(after, field)
        assert one.shape == (600, HORIZON)
        np.testing.assert_array_equal(one[:cut], other[:cut], err_msg=field)
    # What it is fitted on ends before END, however much there is behind.
    short = BASELINES[name](Days(days.returns[:END], days.proxy[:END]), END, HORIZON)
    np.testing.assert_array_equal(short.variance, before.variance[:END])
    assert (before.scale[END:] > 0).all()


def test_ewma_by_hand(days):
    variance = BASELINES["EWMA"](days, END, HORIZON).variance
    weights = DECAY ** np.arange(30)
    expected = weights @ days.proxy[30:0:-1] / weights.sum()  # days 1 to 30, the newest first
    assert variance[30, 0] == pytest.approx(expected)
    np.testing.assert_allclose(variance[30], variance[30, 0] * np.arange(1, 5))


def test_har_is_statsmodels_regression(days):
    from statsmodels.regression.linear_model import OLS

    proxy = np.where(np.isnan(days.proxy), np.nanmean(days.proxy[:END]), days.proxy)
    x = np.array(
        [[1, proxy[t], proxy[t - 4 : t + 1].mean(), proxy[t - 21 : t + 1].mean()]
         for t in range(22, END)]
    )  # fmt: skip
    target = np.array([proxy[t + 1 : t + 3].sum() for t in range(22, END - 2)])
    fitted = OLS(target, x[:-2]).fit()
    ours = BASELINES["HAR"](days, END, HORIZON).variance[END - 1, 1]
    assert ours == pytest.approx(float(x[-1] @ fitted.params), rel=1e-6)


def test_garch_is_archs_own_forecast(days):
    from arch import arch_model

    ours = BASELINES["GARCH"](days, END, HORIZON)
    unit = np.std(days.returns[1:END])
    model = arch_model(days.returns[1:] / unit, mean="Zero", vol="GARCH", dist="t", rescale=False)
    fitted = model.fit(last_obs=END - 1, disp="off")
    theirs = fitted.forecast(horizon=HORIZON, start=END - 2, reindex=False).variance.to_numpy()
    square = ours.scale**2 * ours.df / (ours.df - 2)
    # Row 0 is the forecast of the last day that was fitted on; the last one of day 599.
    for row, day in ((0, END - 1), (150, END + 149)):
        np.testing.assert_allclose(square[day], np.cumsum(theirs[row]) * unit**2, rtol=1e-3)


def test_gjr_garch_is_archs_own_forecast(days):
    from arch import arch_model

    # Falls raise the variance of this series, rises do not.
    draw = np.random.default_rng(3)
    variance, returns = 1e-4, [0.0]
    for _ in range(1499):
        returns.append(np.sqrt(variance) * draw.standard_normal())
        variance = 5e-6 + 0.2 * returns[-1] ** 2 * (returns[-1] < 0) + 0.85 * variance
    returns = np.array(returns)
    end = 1400
    ours = BASELINES["GJR-GARCH"](Days(returns, returns**2), end, HORIZON)
    unit = np.std(returns[1:end])
    model = arch_model(
        returns[1:] / unit, mean="Zero", vol="GARCH", p=1, o=1, q=1, dist="t", rescale=False
    )
    fitted = model.fit(last_obs=end - 1, disp="off")
    assert fitted.params["gamma[1]"] > 0.1
    theirs = fitted.forecast(
        horizon=HORIZON, start=end - 2, reindex=False, method="analytic"
    ).variance.to_numpy()
    square = ours.scale**2 * ours.df / (ours.df - 2)
    for row, day in ((0, end - 1), (80, end + 79)):
        np.testing.assert_allclose(square[day], np.cumsum(theirs[row]) * unit**2, rtol=2e-3)


def test_a_students_t_is_fitted_as_scipy_fits_it():
    from scipy import stats

    values = 0.02 * np.random.default_rng(4).standard_t(4, 2000)
    scale, df = fit_student(values)
    theirs = stats.t.fit(values, floc=0)
    assert (scale, df) == pytest.approx((theirs[2], theirs[0]), rel=1e-3)
    # Normal values, none, and days without a change.
    normal = np.random.default_rng(5).standard_normal(5000)
    assert fit_student(normal)[0] == pytest.approx(1, abs=0.05)
    assert fit_student(np.array([])) == (1.0, MAX_DF)
    assert fit_student(np.zeros(9))[0] > 0


def test_the_log_linear_regression_is_a_gamma_regression_with_a_logarithmic_link():
    import statsmodels.api as sm

    draw = np.random.default_rng(6)
    x = np.column_stack([np.ones(4000), draw.standard_normal((4000, 3))])
    ratio = np.exp(x @ [0.1, 0.3, -0.2, 0.0]) * draw.chisquare(3, 4000) / 3
    theirs = sm.GLM(ratio, x, sm.families.Gamma(sm.families.links.Log())).fit().params
    np.testing.assert_allclose(fit_log_linear(x, ratio), theirs, atol=1e-3)


def test_the_market_is_the_mean_of_the_series_with_a_price_on_the_day():
    features = np.arange(3 * 4 * len(FEATURES), dtype=float).reshape(3, 4, len(FEATURES))
    real = np.array([[1, 1, 1, 1], [1, 1, 1, 0], [1, 0, 1, 1]], bool)  # padding, a day without
    dates = [["1", "2", "3", "4"], ["2", "3", "4"], ["1", "2", "3", "4"]]
    found = with_market(features, real, dates)
    assert found.shape == (3, 4, 2 * len(FEATURES) - 1)
    np.testing.assert_array_equal(found[..., : len(FEATURES)], features)
    level, others = FEATURES.index("level"), len(FEATURES) - 2
    assert others == FEATURES.index("level")  # level and bars stand last
    second_day = (features[0, 1] + features[1, 0]) / 2  # the third series has no price
    for row, day in ((0, 1), (1, 0)):
        np.testing.assert_allclose(found[row, day, len(FEATURES) : -1], second_day[:others])
        above = features[row, day, level] - second_day[level]
        assert found[row, day, -1] == pytest.approx(above)
    np.testing.assert_array_equal(found[1, 3, len(FEATURES) : -1], 0)  # padding


def test_the_market_improves_forecasts_of_series_that_share_their_volatility():
    draw = np.random.default_rng(8)
    logs = np.zeros(1500)
    for t in range(1, 1500):
        logs[t] = 0.98 * logs[t - 1] + 0.15 * draw.standard_normal()
    shared = np.exp(logs / 2) * 0.01
    close = np.exp(np.cumsum(shared * draw.standard_normal((12, 1500)), axis=1))
    nothing = [[] for _ in close]
    examples = {"open": nothing, "high": nothing, "low": nothing, "close": [*close]}
    examples["date"] = [[f"{day:04}" for day in range(1500)] for _ in close]
    described = describe_days(**prices_of(examples))
    returns = described["returns"].numpy()
    days = [Days(row, np.where(np.arange(1500) > 0, row**2, np.nan)) for row in returns]

    def loss(market):
        found = log_linear(examples, days, [1000] * 12, 1, market=market)
        variance = np.array([each.variance[1000:-1, 0] for each in found])
        return np.mean(np.log(variance) + shared[1001:] ** 2 / variance)

    assert loss(market=True) < loss(market=False) - 0.02


def test_one_series_has_no_market_and_few_days_are_too_few_for_it():
    assert MARKET in methods_for([28, 28])
    for ends in ([1000], [27, 28]):
        assert [*methods_for(ends), MARKET] == [*methods_for([28, 28])]


def test_the_log_linear_forecast_knows_the_past_alone():
    draw = np.random.default_rng(7)
    close = np.exp(np.cumsum(0.01 * draw.standard_normal((3, 500)), axis=1))
    bars = {"open": close, "high": 1.01 * close, "low": 0.99 * close, "close": close}

    def forecast(bars):
        examples = {name: [*rows] for name, rows in bars.items()}
        described = describe_days(**prices_of(examples))
        days = [
            Days(returns, np.where(known, proxy, np.nan))
            for returns, proxy, known in zip(
                *(described[name].numpy() for name in ("returns", "proxy", "known")), strict=True
            )
        ]
        return log_linear(examples, days, [END] * 3, HORIZON)

    before = forecast(bars)
    cut = 450
    after = forecast(
        {name: np.where(np.arange(500) < cut, row, 2 * row) for name, row in bars.items()}
    )
    for one, other in zip(before, after, strict=True):
        assert one.variance.shape == (500, HORIZON)
        np.testing.assert_allclose(one.variance[:cut], other.variance[:cut], rtol=1e-9)
        assert (np.diff(one.variance[END:], axis=1) > 0).all()


def test_an_autoregression_finds_itself():
    draw = np.random.default_rng(2)
    returns = np.zeros(3000)
    for t in range(1, 3000):
        returns[t] = 0.4 * returns[t - 1] + 0.01 * draw.standard_normal()
    forecast = BASELINES["AR"](Days(returns, returns**2), 2500, 3)
    expected = returns * 0.4
    assert np.corrcoef(forecast.location[:, 0], expected)[0, 1] > 0.99
    # Two steps: 0.4 and 0.16 of the last return; the error of the first goes on.
    slope = np.polyfit(returns, forecast.location[:, 1], 1)[0]
    assert slope == pytest.approx(0.56, abs=0.06)
    assert forecast.scale[0, 1] == pytest.approx(0.01 * np.sqrt(1 + 1.4**2), rel=0.05)
