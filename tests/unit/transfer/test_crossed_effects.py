"""Variances of donors and targets against the two-way analysis of variance by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from lexigraft.core.transfer.crossed_effects import crossed_effects
from lexigraft.core.transfer.pairs import PairTable

GAINS = np.array([[1, 2, 6], [2, 4, 9], [6, 6, 9]], float)
"""Means of donors 3 5 7, of targets 3 4 8, of all 5."""


def table(gains: np.ndarray, features: dict[str, np.ndarray] | None = None) -> PairTable:
    """Donors are rows, targets columns."""
    rows, columns = gains.shape
    return PairTable(
        tuple(f"d{i}" for i in range(rows) for _ in range(columns)),
        tuple(f"t{j}" for _ in range(rows) for j in range(columns)),
        gains.ravel(),
        gains.ravel(),
        features or {},
    )


def test_a_complete_table_is_the_analysis_of_variance() -> None:
    # Sums of squares: donors 3 (4 + 0 + 4) = 24, targets 3 (4 + 1 + 9) = 42, all 70, left 4. Mean squares with 2, 2 and
    # 4 degrees of freedom: 12, 21, 1. Variances (12 - 1) / 3, (21 - 1) / 3 and 1, in thirds 11, 20 and 3 of 34.
    found = crossed_effects(table(GAINS))
    assert found is not None
    assert (found.donor_share, found.target_share, found.residual_share) == pytest.approx(
        (11 / 34, 20 / 34, 3 / 34), abs=1e-4
    )
    # A donor's effect is its deviation, shrunk by 3 · 11/3 / (3 · 11/3 + 1) = 11/12; a target's by 20/21.
    assert found.donors == pytest.approx({"d0": -2 * 11 / 12, "d1": 0, "d2": 2 * 11 / 12}, abs=1e-3)
    assert found.targets == pytest.approx({"t0": -2 * 20 / 21, "t1": -20 / 21, "t2": 3 * 20 / 21}, abs=1e-3)


def test_donors_without_a_difference_have_no_variance() -> None:
    gains = np.array([[1, 2, 6], [1.1, 1.9, 6], [0.9, 2.1, 6]])
    found = crossed_effects(table(gains))
    assert found is not None
    assert found.donor_share == pytest.approx(0, abs=1e-6)
    assert found.target_share > 0.99


def test_a_planted_effect_of_a_feature_is_found_beside_donors_and_targets() -> None:
    draw = np.random.default_rng(1)
    x = draw.normal(size=(12, 9))
    gains = 2 * x / x.std() + 5 * draw.normal(size=(12, 1)) + 3 * draw.normal(size=9) + draw.normal(size=(12, 9))
    found = crossed_effects(table(gains, {"x": x.ravel()}), ["x"])
    assert found is not None
    value, interval = found.fixed["x"]
    assert value == pytest.approx(2, abs=0.3)
    assert interval.low < 2 < interval.high
    assert interval.high - interval.low < 1
    assert min(found.donor_share, found.target_share) > 0.3


def test_missing_pairs_are_no_obstacle_and_unknown_features_leave_pairs_out() -> None:
    whole = table(GAINS, {"x": np.arange(9.0) ** 2})
    some = replace(
        whole, donors=whole.donors[1:], targets=whole.targets[1:], outcome=whole.outcome[1:],
        gains=GAINS.ravel()[1:], features={},
    )  # fmt: skip
    found = crossed_effects(some)
    assert found is not None
    assert found.pairs == 8
    assert found.donor_share + found.target_share + found.residual_share == pytest.approx(1)
    unknown = replace(whole, features={"x": np.where(np.arange(9) == 0, np.nan, np.arange(9.0) ** 2)})
    fitted = crossed_effects(unknown, ["x"])
    assert fitted is not None
    assert fitted.pairs == 8


@pytest.mark.parametrize("gains", [GAINS[:1], GAINS[:, :1], np.ones((3, 3))])
def test_what_cannot_be_told_apart_is_not_fitted(gains: np.ndarray) -> None:
    assert crossed_effects(table(gains)) is None


def test_donors_that_each_have_one_target_are_not_fitted() -> None:
    gains = np.array([1.0, 2, 4, 3])
    assert crossed_effects(PairTable(tuple("abcd"), tuple("xyxy"), gains, gains)) is None


def test_features_that_say_the_same_or_nothing_are_not_fitted() -> None:
    x = np.arange(16.0) ** 2
    gains = np.random.default_rng(0).normal(size=(4, 4))
    assert crossed_effects(table(gains, {"x": x, "y": 2 * x}), ["x", "y"]) is None
    assert crossed_effects(table(gains, {"x": np.ones(16)}), ["x"]) is None
