"""Bootstrap and permutation: by hand where all cases can be listed, and beside the t test on ordinary data."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from lexigraft.core.evaluation.scores import ItemScores
from lexigraft.core.evaluation.statistics.paired_comparison import difference
from lexigraft.core.evaluation.statistics.resampling import bootstrap_interval, permutation_p

OURS, THEIRS = [ItemScores.of([5, 9, 11, 4], [2, 3, 5, 2])], [ItemScores.of([4, 6, 9, 5], [2, 3, 5, 2])]


def test_a_permutation_test_by_hand() -> None:
    # Differences 1, 3, 2, -1: of the 16 ways to choose signs those are counted whose sum is as far from 0 as 5.
    sums = [sum(sign * d for sign, d in zip(signs, (1, 3, 2, -1), strict=True)) for signs in product((1, -1), repeat=4)]
    assert permutation_p(OURS, THEIRS) == sum(abs(s) >= 5 for s in sums) / 16


def test_a_bootstrap_of_one_seed_draws_lines() -> None:
    # Two items with differences 0 and 1 over one byte: the mean of two draws is 0, 0.5 or 1.
    low, high = bootstrap_interval([ItemScores.of([0, 1])], [ItemScores.of([0, 0])])
    assert (low, high) == (0, 1)
    assert bootstrap_interval(OURS, OURS) == (0, 0)
    assert bootstrap_interval(OURS, THEIRS, seed=3) == bootstrap_interval(OURS, THEIRS, seed=3)


@pytest.mark.parametrize("seeds", [1, 8])
def test_the_three_ways_agree_on_ordinary_data(seeds: int) -> None:
    draw = np.random.default_rng(2)
    sizes = draw.integers(20, 120, 150)
    hard = draw.normal(0, 20, 150)
    ours, theirs = (
        [ItemScores.of(sizes * (2 + shift) + hard + draw.normal(0, 6, 150), sizes) for _ in range(seeds)]
        for shift in (0.02, 0.0)
    )
    found = difference(ours, theirs)
    low, high = bootstrap_interval(ours, theirs, resamples=999)
    assert (high - low) / 2 == pytest.approx(found.half_width, rel=0.25)
    assert low < found.mean < high
    if seeds == 1:
        assert permutation_p(ours, theirs, resamples=999) == pytest.approx(found.p, abs=0.03)
