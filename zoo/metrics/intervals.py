"""Confidence intervals of scores, and significance tests of two models on the same rows.

Resampling draws independent units: sentences, pieces, speakers. All scores here are functions of
sums over units, such as correct entities over all entities. Resampling therefore needs the terms
of each unit, not its text.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence

import numpy as np
from scipy import stats

DRAWS = 10_000
SEED = 0
LEVEL = 0.05  # significance level of a test

BEATS, TIES, BELOW = "beats", "ties", "below"


@dataclasses.dataclass(frozen=True)
class Units:
    """The units from which a score was computed.

    Attributes:
      name: name of the units, in the plural: `"sentences"`.
      terms: terms to sum over units, float64 `(units, terms)`.
      score: maps sums `(..., terms)` to scores `(...)`; None for the first term over the second.
      cluster: cluster index of each unit, int `(units,)`; whole clusters are drawn. None if each
        unit is its own cluster.
    """

    name: str
    terms: np.ndarray
    score: Callable[[np.ndarray], np.ndarray] | None = None
    cluster: np.ndarray | None = None

    def of_sums(self, sums: np.ndarray) -> np.ndarray:
        """Returns the scores of sums, float64 `(..., terms)`: `(...)`, NaN where undefined."""
        if self.score is not None:
            return np.asarray(self.score(sums), float)
        with np.errstate(divide="ignore", invalid="ignore"):
            return sums[..., 0] / sums[..., 1]

    @property
    def value(self) -> float:
        """The score of all units."""
        return float(self.of_sums(self.terms.sum(axis=0)))

    def clusters(self) -> np.ndarray:
        """Returns the terms summed within clusters, float64 `(clusters, terms)`."""
        if self.cluster is None:
            return self.terms
        _, number = np.unique(self.cluster, return_inverse=True)
        sums = np.zeros((int(number.max()) + 1, self.terms.shape[1]))
        np.add.at(sums, number, self.terms)
        return sums

    @property
    def is_share(self) -> bool:
        """Whether each unit is right or wrong: the score is a share of independent rows."""
        return (
            self.score is None
            and self.cluster is None
            and self.terms.shape[1] == 2
            and bool(np.all(self.terms[:, 1] == 1))
            and bool(np.all((self.terms[:, 0] == 0) | (self.terms[:, 0] == 1)))
        )


def shares(name: str, right: Sequence[bool] | np.ndarray) -> Units:
    """Returns the units of a share of rows: which of them are right, bool `(rows,)`."""
    counts = np.asarray(right, float)
    return Units(name, np.stack([counts, np.ones(len(counts))], axis=1))


def ratios(
    name: str,
    above: Sequence[float] | np.ndarray,
    below: Sequence[float] | np.ndarray,
    cluster: np.ndarray | None = None,
) -> Units:
    """Returns the units of a sum over a sum, such as nats over steps, float `(units,)` each."""
    terms = np.stack([np.asarray(above, float), np.asarray(below, float)], axis=1)
    return Units(name, terms, cluster=cluster)


def wilson_interval(accuracy: float, rows: int) -> tuple[float, float]:
    """Returns the 95 % interval of an accuracy measured on `rows` rows (Wilson, 1927).

    It covers the deviation from the accuracy on infinitely many rows of the same distribution, not
    the variation between training runs.

    Args:
      accuracy: correct rows / rows, from 0 to 1.
      rows: at least 1.
    """
    interval = stats.binomtest(round(accuracy * rows), rows).proportion_ci(0.95, method="wilson")
    return float(interval.low), float(interval.high)


def interval(units: Units, draws: int = DRAWS, seed: int = SEED) -> tuple[float, float, str]:
    """Returns the 95 % interval of a score, and the kind of interval.

    It is Wilson's interval for a share of independent rows; else the percentiles of a bootstrap
    over units or clusters (B. Efron 1979).
    """
    if units.is_share:
        return (*wilson_interval(units.value, len(units.terms)), f"Wilson, {units.name}")
    (sums,) = _resampled(draws, seed, units.clusters())
    scores = units.of_sums(sums)
    low, high = np.nanquantile(scores, [0.025, 0.975])
    return float(low), float(high), f"bootstrap, {units.name}"


@dataclasses.dataclass(frozen=True)
class Comparison:
    """Comparison of two models on the same units.

    Attributes:
      difference: the score of the first minus that of the second.
      low, high: the 95 % interval of the difference, from a paired bootstrap.
      p: two-sided p value; NaN if the two are equal everywhere.
      test: the test that gives `p`.
    """

    difference: float
    low: float
    high: float
    p: float
    test: str


def compare(one: Units, other: Units, draws: int = DRAWS, seed: int = SEED) -> Comparison:
    """Tests whether two models have the same score on the same units.

    McNemar's exact test for shares of independent rows (1947); else a paired bootstrap: both are
    scored on the same draws (B. Efron, R. Tibshirani 1993; for translation P. Koehn 2004), and p
    is twice the share of draws on the other side of 0.

    Raises:
      ValueError: they have different units.
    """
    first, second = one.clusters(), other.clusters()
    if len(one.terms) != len(other.terms) or len(first) != len(second):
        raise ValueError(f"{len(one.terms)} {one.name} against {len(other.terms)} {other.name}.")
    difference = one.value - other.value
    if one.is_share and other.is_share:
        return _mcnemar(one.terms[:, 0] == 1, other.terms[:, 0] == 1, draws, seed)
    sums, other_sums = _resampled(draws, seed, first, second)
    found = one.of_sums(sums) - other.of_sums(other_sums)
    found = found[np.isfinite(found)]
    low, high = (float(end) for end in np.quantile(found, [0.025, 0.975]))
    if np.all(found == 0):
        return Comparison(difference, low, high, math.nan, "paired bootstrap")
    beyond = min(np.mean(found <= 0), np.mean(found >= 0))
    # No draw on the other side: p is below the resolution of this number of draws.
    p = float(min(1.0, 2 * max(beyond, 1 / (len(found) + 1))))
    return Comparison(difference, low, high, p, "paired bootstrap")


def _mcnemar(one: np.ndarray, other: np.ndarray, draws: int, seed: int) -> Comparison:
    """Compares two shares, bool `(rows,)` each."""
    size, right, wrong = len(one), int(np.sum(one & ~other)), int(np.sum(~one & other))
    p = float(stats.binomtest(right, right + wrong).pvalue) if right + wrong else math.nan
    shares = np.array([right, wrong, size - right - wrong]) / size
    # Rows on which both agree cancel out: three categories are drawn instead of all rows.
    drawn = np.random.default_rng(seed).multinomial(size, shares, size=draws)
    low, high = np.quantile((drawn[:, 0] - drawn[:, 1]) / size, [0.025, 0.975])
    return Comparison((right - wrong) / size, float(low), float(high), p, "McNemar")


def holm(p_values: Sequence[float | None]) -> list[float | None]:
    """Returns p values corrected for multiple testing (S. Holm 1979); None stays None."""
    known = [(p, place) for place, p in enumerate(p_values) if p is not None and not math.isnan(p)]
    corrected: list[float | None] = [None] * len(p_values)
    highest = 0.0
    for rank, (p, place) in enumerate(sorted(known)):
        highest = max(highest, min(1.0, (len(known) - rank) * p))
        corrected[place] = highest
    return corrected


def verdict(better: bool | None, p: float | None) -> str:
    """Returns `"beats"`, `"ties"` or `"below"`.

    Args:
      better: whether the first is better; None if they are equal.
      p: p value, corrected for the number of tests; None if they are equal.
    """
    if better is None or p is None or not p < LEVEL:
        return TIES
    return BEATS if better else BELOW


def _resampled(draws: int, seed: int, *terms: np.ndarray) -> list[np.ndarray]:
    """Returns sums over units that are drawn with replacement, `(draws, terms)` each.

    Args:
      draws: number of draws.
      seed: seed of the draws.
      terms: `(units, terms)` each, with equally many units: all are summed over the same draws.
    """
    generator = np.random.default_rng(seed)
    size = len(terms[0])
    sums = [np.empty((draws, each.shape[1])) for each in terms]
    together = max(1, 2_000_000 // max(size, 1))
    for start in range(0, draws, together):
        count = min(together, draws - start)
        weights = generator.multinomial(size, np.full(size, 1 / size), size=count).astype(float)
        for total, each in zip(sums, terms, strict=True):
            total[start : start + count] = weights @ each
    return sums
