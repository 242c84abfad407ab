"""Sizes of a comparison that tell a difference: by simulation, and in words."""

from __future__ import annotations

import numpy as np

from lexigraft.core.evaluation.scores import ItemScores
from lexigraft.core.evaluation.statistics.paired_comparison import Difference, difference
from lexigraft.core.evaluation.statistics.power import in_words, sizes_that_tell


def test_the_size_that_is_named_finds_the_difference_in_four_of_five() -> None:
    pilot = Difference(0.0, items=100, seeds=1, item_variance=0.0004, seed_variance=0.0)
    (size,) = sizes_that_tell(pilot, 0.02)
    # (1.96 + 0.84)^2 * 0.04 / 0.02^2 = 785 items where t is normal.
    assert 780 <= size.items <= 795
    draw, hits = np.random.default_rng(0), 0
    for _ in range(300):
        ours = ItemScores.of(0.02 + draw.normal(0, 0.2, size.items))
        hits += difference([ours], [ItemScores.of(np.zeros(size.items))]).separable
    assert 0.73 <= hits / 300 <= 0.88


def test_more_seeds_need_fewer_items_until_it_no_longer_pays() -> None:
    pilot = Difference(0.0, items=200, seeds=3, item_variance=4e-5, seed_variance=2e-5)
    sizes = sizes_that_tell(pilot, 0.02)
    assert [s.seeds for s in sizes] == sorted({s.seeds for s in sizes})
    assert [s.items for s in sizes] == sorted((s.items for s in sizes), reverse=True)
    for size in sizes:
        assert pilot.with_size(size.items, size.seeds).detectable <= 0.02
        assert pilot.with_size(size.items - 1, size.seeds).detectable > 0.02


def test_in_words() -> None:
    pilot = Difference(0.0, items=100, seeds=1, item_variance=0.0004, seed_variance=0.0)
    sentence = in_words(sizes_that_tell(pilot, 0.02), 0.02, "lines")
    assert sentence.startswith("A difference of 0.02 is found in four of five repetitions with 1 seed x 78")
    noisy = Difference(0.0, items=100, seeds=3, item_variance=0.0004, seed_variance=5.0)
    assert "cannot be told" in in_words(sizes_that_tell(noisy, 0.02), 0.02, "lines")
