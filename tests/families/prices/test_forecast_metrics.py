"""Scores of distributions against integrals, SciPy and statsmodels."""

import numpy as np
import pytest
from scipy import integrate, stats

from recipes.prices import metrics as forecast

RANDOM = np.random.default_rng(0)


def crps_by_integral(value, student):
    """The definition: the squared distance of the distribution function from a step."""
    below, _ = integrate.quad(lambda x: student.cdf(x) ** 2, -np.inf, value, limit=200)
    above, _ = integrate.quad(lambda x: student.sf(x) ** 2, value, np.inf, limit=200)
    return below + above


@pytest.mark.parametrize("df", [2.1, 5.0, 80.0, forecast.NORMAL])
@pytest.mark.parametrize("value", [-0.3, 0.01, 4.0])
def test_crps_is_its_integral(value, df):
    student = stats.norm(0.1, 0.7) if np.isinf(df) else stats.t(df, 0.1, 0.7)
    score = forecast.crps(np.array([value]), np.array([0.1]), np.array([0.7]), np.array([df]))
    assert score[0] == pytest.approx(crps_by_integral(value, student), abs=1e-6)


def test_crps_is_twice_the_mean_pinball_loss():
    levels = np.linspace(0.0005, 0.9995, 1000)
    losses = [
        forecast.pinball(0.4, forecast.quantile(level, 0.0, 1.0, 5.0), level) for level in levels
    ]
    assert 2 * np.mean(losses) == pytest.approx(
        forecast.crps(*map(np.array, (0.4, 0.0, 1.0, 5.0))).item(), abs=1e-3
    )


@pytest.mark.parametrize("df", [3.0, forecast.NORMAL])
def test_probabilities_and_quantiles_are_scipys(df):
    student = stats.norm(1, 2) if np.isinf(df) else stats.t(df, 1, 2)
    values = np.array([-4.0, 0.0, 1.5])
    below = forecast.probability_below(values, 1, 2, df)
    np.testing.assert_allclose(below, student.cdf(values), 1e-6)
    np.testing.assert_allclose(forecast.quantile(0.1, 1, 2, df), student.ppf(0.1), 1e-6)
    # What lies between the 10 % and the 90 % quantile is in the band of 80 %, and nothing else.
    edges = student.ppf([0.099, 0.101, 0.899, 0.901])
    inside = forecast.coverage(forecast.probability_below(edges, 1, 2, df), 0.8)
    assert inside.tolist() == [False, True, True, False]


def test_qlike_is_0_for_the_variance_itself_and_ranks_by_an_unbiased_proxy():
    assert forecast.qlike(np.array(4e-4), np.array(4e-4)) == 0
    assert forecast.qlike(np.array(2e-4), np.array(1e-4)) == pytest.approx(2 - np.log(2) - 1)
    squares = 1e-4 * RANDOM.standard_normal(20_000) ** 2
    means = [forecast.qlike(squares, 1e-4 * factor).mean() for factor in (0.5, 1.0, 2.0)]
    assert min(means) == means[1]
    assert np.isfinite(forecast.qlike(np.array(0.0), np.array(1e-4)))


def test_rse_beside_the_mean():
    values = np.array([[1.0, 2.0], [3.0, 6.0]])
    assert forecast.rse(values, np.full((2, 2), 3.0)) == 1
    # Errors 1, 0, 0, 2 beside distances 2, 1, 0, 3 from the mean.
    assert forecast.rse(values, np.array([[2.0, 2.0], [3.0, 4.0]])) == pytest.approx(
        (5 / 14) ** 0.5
    )


def test_the_long_run_variance_is_statsmodels():
    from statsmodels.regression.linear_model import OLS

    values = np.convolve(RANDOM.standard_normal(300), [1, 0.8, 0.5], "valid") + 0.1
    fitted = OLS(values, np.ones(len(values))).fit(
        cov_type="HAC", cov_kwds={"maxlags": 6, "use_correction": False}
    )
    ours = forecast.long_run_variance(values, 6) / len(values)
    assert ours == pytest.approx(fitted.bse[0] ** 2)
    low, high = forecast.mean_interval(values)  # six lags as well: the cube root of 298
    assert (low + high) / 2 == pytest.approx(values.mean())
    assert (high - low) / 2 == pytest.approx(stats.t.ppf(0.975, 297) * fitted.bse[0])


def test_diebold_mariano_by_hand_and_its_size():
    ours, theirs = np.array([1.0, 2.0, 1.0, 4.0, 2.0]), np.array([2.0, 2.0, 3.0, 3.0, 4.0])
    # Differences -1, 0, -2, 1, -2; centred -.2, .8, -1.2, 1.8, -1.2; one lag of weight 1/2.
    variance = (0.04 + 0.64 + 1.44 + 3.24 + 1.44) / 5 + (-0.16 - 0.96 - 2.16 - 2.16) / 5
    expected = -0.8 / np.sqrt(variance / 5) * np.sqrt((5 + 1 - 2) / 5)
    statistic, p = forecast.diebold_mariano(ours, theirs)
    assert statistic == pytest.approx(expected)
    assert p == pytest.approx(2 * stats.t.sf(-expected, 4))
    assert forecast.diebold_mariano(theirs, ours)[0] == pytest.approx(-expected)
    assert np.isnan(forecast.diebold_mariano(ours, ours)[1])
    # Of forecasts that are equally good, a twentieth is called different.
    trials = RANDOM.standard_normal((1000, 2, 200))
    rate = np.mean([forecast.diebold_mariano(*trial)[1] < 0.05 for trial in trials])
    assert 0.03 < rate < 0.09
