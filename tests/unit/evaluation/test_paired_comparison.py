"""The gap between two models: by hand, and an interval that covers the truth as often as it says."""

from __future__ import annotations

import math

import numpy as np
import pytest

from lexigraft.core.evaluation.paired_comparison import bits_per_byte, gap

SIZES = np.array([2, 3, 5])


def arrays(*rows: list[float]) -> list[np.ndarray]:
    return [np.array(row, np.float64) for row in rows]


def test_one_seed_by_hand() -> None:
    # Differences 1, 3, 2 over 10 bytes: ratio 0.6; residuals 1 - 1.2, 3 - 1.8, 2 - 3, squares 0.04 + 1.44 + 1 = 2.48.
    # Variance 3/2 * 2.48 / 100 = 0.0372; t(0.975, 2) = 4.3027.
    found = gap(arrays([4, 6, 9]), arrays([5, 9, 11]), SIZES)
    assert found.mean == pytest.approx(0.6)
    assert found.half_width == pytest.approx(4.302653 * math.sqrt(0.0372), rel=1e-5)
    assert not found.separable
    assert bits_per_byte(arrays([4, 6, 9]), SIZES) == pytest.approx(1.9)


def test_two_seeds_by_hand() -> None:
    # Differences 1 3 2 and 3 3 6: mean 2 3 4, ratio 0.9; residuals 0.2, 0.3, -0.5, squares 0.38: v_lines 0.0057.
    # Ratios of the seeds 0.6 and 1.2: variance 0.18, v_seeds 0.09. Together 0.0957 with
    # 0.0957^2 / (0.0057^2 / 2 + 0.09^2 / 1) = 1.12842 degrees of freedom.
    found = gap(arrays([4, 6, 9], [0, 0, 0]), arrays([5, 9, 11], [3, 3, 6]), SIZES)
    assert found.mean == pytest.approx(0.9)
    from scipy.stats import t

    freedom = 0.0957**2 / (0.0057**2 / 2 + 0.09**2)
    assert found.half_width == pytest.approx(t.ppf(0.975, freedom) * math.sqrt(0.0957), rel=1e-6)


def test_equal_models_and_a_single_line() -> None:
    assert gap(arrays([4, 6, 9]), arrays([4, 6, 9]), SIZES) == (0.0, 0.0)
    assert not gap(arrays([4, 6, 9]), arrays([4, 6, 9]), SIZES).separable
    assert not gap(arrays([4]), arrays([5]), SIZES[:1]).separable
    assert gap(arrays([4, 6, 10]), arrays([6, 9, 15]), SIZES).separable, "one bit a byte everywhere: no spread at all"


@pytest.mark.parametrize("seeds", [1, 3])
def test_the_interval_covers_the_true_gap_at_least_as_often_as_it_says(seeds: int) -> None:
    draw, hits = np.random.default_rng(5), 0
    for _ in range(400):
        sizes = draw.integers(20, 120, 60)
        shift = draw.normal(0, 0.02, seeds) if seeds > 1 else np.zeros(1)
        ours = [sizes * 2.0 + draw.normal(0, 3, 60) for _ in range(seeds)]
        lines = draw.normal(0, 4, 60)
        theirs = [o + sizes * (0.1 + s) + lines + draw.normal(0, 2, 60) for o, s in zip(ours, shift, strict=True)]
        found = gap(ours, theirs, sizes)
        hits += abs(found.mean - 0.1) <= found.half_width
    assert 0.93 <= hits / 400 <= 1.0
