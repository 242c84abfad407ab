"""Correlations of language pairs against figures worked out by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from lexigraft.core.transfer.correlation import (
    correlate,
    crossed_bootstrap,
    detectable_correlation,
    rank_interval,
    spearman,
    what_pairs_can_show,
)
from lexigraft.core.transfer.pairs import PairTable


def table(outcome: list[float], features: dict[str, list[float]], donors: int = 2) -> PairTable:
    """Every donor with every target, donor by donor."""
    targets = len(outcome) // donors
    return PairTable(
        tuple(f"d{i}" for i in range(donors) for _ in range(targets)),
        tuple(f"t{j}" for _ in range(donors) for j in range(targets)),
        np.array(outcome, float),
        features={name: np.array(values, float) for name, values in features.items()},
        lower_is_better=True,
        name="perplexity",
    )


def test_the_published_calculation_on_a_made_table() -> None:
    found = correlate(table([64, 32, 16, 8, 4, 2], {"overlap": [0.1, 0.2, 0.3, 0.4, 0.5, 0.6]}), "overlap")
    assert found is not None
    # Deviations of the overlap: -.25 -.15 -.05 .05 .15 .25, squares .175; of the perplexity from its mean of 21:
    # 43 11 -5 -13 -17 -19, squares 2814; products -10.75 -1.65 .25 -.65 -2.55 -4.75 = -20.1.
    assert found.pearson == pytest.approx(-20.1 / math.sqrt(0.175 * 2814))
    assert found.spearman == pytest.approx(-1)  # each perplexity is below the one before
    assert found.pearson_log == pytest.approx(-1)  # log2 of it is 7 - 10 overlap
    assert found.interval is None, "a correlation of one has no error by the formula"
    assert (found.pairs, found.partial) == (6, None)


def test_rank_correlation_by_the_differences_of_ranks() -> None:
    found = correlate(table([2, 1, 4, 3, 6, 5], {"x": [10, 20, 30, 40, 50, 60]}), "x")
    assert found is not None
    assert found.spearman == pytest.approx(1 - 6 * 6 / (6 * 35))  # 1 - 6 Σd² / (n (n² - 1)), every d is 1
    assert found.interval == rank_interval(found.spearman, 6)
    assert found.crossed_interval is None, "two donors are too few"


def test_unknown_values_count_nowhere() -> None:
    found = correlate(table([2, 1, 4, 3, 6, 5, 9, 9], {"x": [1, 2, 3, 4, 5, 6, math.nan, math.nan]}), "x")
    assert found is not None
    assert (found.pairs, found.spearman) == (6, pytest.approx(1 - 36 / 210))


@pytest.mark.parametrize(
    ("outcome", "values"),
    [([1, 2, 3, 4], [5, 5, 5, 5]), ([1, 1, 1, 1], [1, 2, 3, 4]), ([1, 2, 3, 4], [1, 2, 3, math.nan])],
)
def test_no_correlation_without_variation_or_with_three_pairs(outcome: list[float], values: list[float]) -> None:
    assert correlate(table(outcome, {"x": values}), "x") is None


def test_outcomes_that_are_not_positive_have_no_logarithm() -> None:
    found = correlate(table([-2, 1, 4, 3], {"x": [1, 2, 3, 4]}), "x")
    assert found is not None
    assert found.pearson_log is None


def test_interval_of_a_rank_correlation_by_hand() -> None:
    # atanh 0.5 = 0.549306; √(1.125 / 25) = 0.212132; 1.959964 of it is 0.415771; tanh of 0.133535 and 0.965077.
    assert rank_interval(0.5, 28) == pytest.approx((0.132747, 0.746533), abs=1e-5)
    assert rank_interval(0.5, 30, given=2) == rank_interval(0.5, 28)
    assert rank_interval(0.5, 3) is None


def test_partial_correlation_is_the_formula_of_three_correlations() -> None:
    # Σd² is 6 between x and z, 4 between x and the outcome, 18 between z and the outcome.
    xz, xy, zy = (1 - 6 * d / 210 for d in (6, 4, 18))
    expected = (xy - xz * zy) / math.sqrt((1 - xz**2) * (1 - zy**2))
    found = correlate(table([1, 3, 2, 5, 4, 6], {"x": [1, 2, 3, 4, 5, 6], "z": [2, 1, 4, 3, 6, 5]}), "x")
    assert found is not None
    assert found.partial == pytest.approx(expected)
    assert found.partial_interval == pytest.approx(rank_interval(expected, 6, 1))


def test_a_feature_that_repeats_another_has_no_partial_correlation() -> None:
    found = correlate(table([1, 3, 2, 5, 4, 6], {"x": [1, 2, 3, 4, 5, 6], "twice": [2, 4, 6, 8, 10, 12]}), "x")
    assert found is not None
    assert found.partial is None


def test_pairs_of_few_donors_have_a_wide_interval() -> None:
    # Feature and outcome belong to the donor: 5 donors, not 100 pairs, were seen.
    draw = np.random.default_rng(0)
    by_donor = draw.normal(size=5)
    x, y = (np.repeat(values, 20) + 0.01 * draw.normal(size=100) for values in (by_donor, by_donor[[1, 0, 2, 3, 4]]))
    found = correlate(table(list(y), {"x": list(x)}, donors=5), "x")
    assert found is not None
    assert found.interval is not None
    assert found.crossed_interval is not None
    assert np.ptp(found.crossed_interval) > 3 * np.ptp(found.interval)
    assert found.crossed_interval.low < found.spearman < found.crossed_interval.high


def test_drawing_languages_again_is_seeded_and_needs_three_of_each() -> None:
    donors, targets = ["a"] * 3 + ["b"] * 3 + ["c"] * 3, ["x", "y", "z"] * 3
    mean = lambda at: float(np.arange(9.0)[at].mean()) if len(at) else math.nan
    assert crossed_bootstrap(donors, targets, mean) == crossed_bootstrap(donors, targets, mean)
    assert crossed_bootstrap(donors[:6], targets[:6], mean) is None
    assert crossed_bootstrap(donors, targets, lambda at: math.nan) is None


def test_spearman_has_no_value_without_variation() -> None:
    assert math.isnan(spearman(np.ones(4), np.arange(4.0)))


def test_the_smallest_correlation_that_is_found_solves_its_equation() -> None:
    # With 103 pairs √(n - 3) = 10. At r = 0.2747, √(1 + r²/2) = 1.01869, (1.95996 + 0.84162 · 1.01869) / 10 = 0.28173,
    # whose tanh is 0.27451.
    assert detectable_correlation(103) == pytest.approx(0.2745, abs=5e-5)
    assert detectable_correlation(4) is None


def test_the_smallest_correlation_is_found_in_four_of_five_samples() -> None:
    from scipy.stats import spearmanr

    pairs = 12
    rho = detectable_correlation(pairs)
    assert rho is not None
    pearson = 2 * math.sin(math.pi * rho / 6)  # of the normal distribution with this rank correlation
    draw = np.random.default_rng(0)
    x, noise = draw.normal(size=(2, pairs, 3000))
    y = pearson * x + math.sqrt(1 - pearson**2) * noise
    found = np.mean([spearmanr(x[:, n], y[:, n]).pvalue < 0.05 for n in range(1000)])
    assert found == pytest.approx(0.8, abs=0.05)


def test_the_sentence_on_what_pairs_can_show() -> None:
    twelve = table(list(range(12)), {}, donors=4)
    assert "12 pairs of 4 donors and 3 targets find a rank correlation of 0.75 or more" in what_pairs_can_show(twelve)
    assert "can show no correlation" in what_pairs_can_show(table([1, 2, 3, 4], {}))
