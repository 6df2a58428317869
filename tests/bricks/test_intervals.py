"""Intervals and paired tests against closed forms and the libraries that define them."""

import numpy as np
import pytest
from scipy import stats

from zoo.metrics.intervals import (
    Units,
    compare,
    holm,
    interval,
    ratios,
    shares,
    verdict,
    wilson_interval,
)


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def test_a_share_has_wilsons_interval_and_mcnemars_test(rng):
    one, other = rng.random(500) < 0.9, rng.random(500) < 0.8
    low, high, kind = interval(shares("rows", one))
    assert (low, high) == wilson_interval(one.mean(), 500)
    assert kind == "Wilson, rows"
    found = compare(shares("rows", one), shares("rows", other))
    right, wrong = int((one & ~other).sum()), int((~one & other).sum())
    assert found.test == "McNemar"
    assert found.p == pytest.approx(stats.binomtest(right, right + wrong).pvalue)
    assert found.difference == pytest.approx(one.mean() - other.mean())
    assert found.low < found.difference < found.high
    assert np.isnan(compare(shares("rows", one), shares("rows", one)).p)


def test_a_bootstrap_of_a_mean_is_that_of_the_central_limit_theorem(rng):
    values = rng.exponential(size=2000)
    low, high, kind = interval(ratios("pieces", values, np.ones(2000)), draws=4000)
    error = 1.96 * values.std() / np.sqrt(2000)
    assert (low, high) == pytest.approx(
        (values.mean() - error, values.mean() + error), abs=0.1 * error
    )
    assert kind == "bootstrap, pieces"
    # Units that come in equal pairs tell half as much.
    twice = np.repeat(values[:1000], 2)
    cluster = np.repeat(np.arange(1000), 2)
    narrow = interval(ratios("rows", twice, np.ones(2000)), draws=4000)
    wide = interval(ratios("rows", twice, np.ones(2000), cluster), draws=4000)
    assert (wide[1] - wide[0]) / (narrow[1] - narrow[0]) == pytest.approx(2**0.5, rel=0.05)


def test_a_paired_bootstrap_is_the_paired_test_of_means(rng):
    hard = rng.exponential(size=400)
    ones = np.ones(400)
    for gain in (0.02, 0.05):
        other = hard + rng.normal(gain, 0.3, 400)
        found = compare(ratios("pieces", hard, ones), ratios("pieces", other, ones))
        assert found.p == pytest.approx(stats.ttest_rel(hard, other).pvalue, abs=0.02)
        assert found.difference == pytest.approx((hard - other).mean())
    # Both scores vary far more than their difference does.
    assert found.high - found.low < 0.1
    with pytest.raises(ValueError, match="400 pieces against 3 pieces"):
        compare(ratios("pieces", hard, ones), ratios("pieces", ones[:3], ones[:3]))


def test_a_score_may_be_any_function_of_sums():
    units = Units("sentences", np.array([[1.0, 2, 3], [0, 1, 0]]), lambda sums: sums[..., 0] * 2)
    assert units.value == 2
    assert interval(units)[:2] == (0, 4)


def test_holms_correction_is_that_of_statsmodels():
    from statsmodels.stats.multitest import multipletests

    p = [0.01, 0.04, 0.03, 0.5, 0.005]
    np.testing.assert_allclose(holm(p), multipletests(p, method="holm")[1])
    assert holm([None, 0.02, float("nan")]) == [None, 0.02, None]
    assert holm([]) == []


@pytest.mark.parametrize(
    ("better", "p", "said"),
    [(True, 0.01, "beats"), (False, 0.01, "below"), (True, 0.05, "ties"), (None, None, "ties")],
)
def test_a_difference_without_evidence_is_a_tie(better, p, said):
    assert verdict(better, p) == said
