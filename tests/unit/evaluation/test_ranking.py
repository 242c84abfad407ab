"""Ranks: nothing inside its error, ties, strengths by the likelihood itself, and intervals over blocks."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import minimize

from lexigraft.core.evaluation.statistics.ranking import bradley_terry, mean_ranks, ranks_within_error


def test_methods_that_are_not_told_apart_share_a_rank() -> None:
    figures = {"a": 1.0, "b": 1.1, "c": 2.0, "d": 3.0}
    apart = {"ac", "ad", "bc", "bd"}

    def p_value(one: str, two: str) -> float | None:
        return None if "d" in (one, two) and "c" in (one, two) else 0.001 if one + two in apart else 0.6

    assert ranks_within_error(list(figures), figures, p_value, lower=True) == {"a": 1, "b": 1, "c": 3, "d": 3}
    assert ranks_within_error(list(figures), figures, p_value, lower=False) == {"a": 3, "b": 3, "c": 1, "d": 1}


def test_many_pairs_are_corrected() -> None:
    names = [f"m{i}" for i in range(10)]
    figures = {name: float(i) for i, name in enumerate(names)}
    ranks = ranks_within_error(names, figures, lambda one, two: 0.02, lower=True)
    assert set(ranks.values()) == {1}, "45 tests at 0.02 show nothing"


def test_mean_ranks_by_hand() -> None:
    # Block 1: 1, 2, 3; block 2: the first two tie at 1.5; block 3: a NaN is last.
    blocks = np.array([[1.0, 2.0, 3.0], [1.0, 1.0, 2.0], [np.nan, 1.0, 2.0]])
    found = mean_ranks(blocks, lower=True)
    assert [r.mean for r in found] == pytest.approx([(1 + 1.5 + 3) / 3, (2 + 1.5 + 1) / 3, (3 + 3 + 2) / 3])
    assert all(1 <= r.low <= r.mean <= r.high <= 3 for r in found)
    assert [r.mean for r in mean_ranks(blocks[:1], lower=False)] == [3, 2, 1]
    alone = mean_ranks(blocks[:1], lower=True)
    assert (alone[0].low, alone[0].high) == (1, 1), "one block says nothing of others"


def test_strengths_are_those_of_the_likelihood() -> None:
    draw = np.random.default_rng(1)
    blocks = draw.normal([0.0, 0.4, 1.5], 1.0, (40, 3))
    wins = (blocks[:, :, None] < blocks[:, None, :]).sum(0)

    def unlikely(logs: np.ndarray) -> float:
        against = np.log(1 + np.exp(-(logs[:, None] - logs)))
        prior = 0.1 * (np.log(1 + np.exp(-logs)) + np.log(1 + np.exp(logs)))
        return float((wins * against).sum() + prior.sum())

    wanted = minimize(unlikely, np.zeros(3), tol=1e-10).x
    found = [r.mean for r in bradley_terry(blocks, lower=True)]
    assert found == pytest.approx(list(wanted - wanted.mean()), abs=2e-2)
    assert found[0] > found[1] > found[2]


def test_a_method_that_always_wins_has_a_finite_strength() -> None:
    found = bradley_terry(np.array([[1.0, 2.0]] * 5), lower=True)
    assert found[0].mean == pytest.approx(-found[1].mean)
    assert 0 < found[0].mean < 10
    equal = bradley_terry(np.array([[1.0, 1.0]] * 5), lower=True)
    assert equal[0].mean == pytest.approx(0)
