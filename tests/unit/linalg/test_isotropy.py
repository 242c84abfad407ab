"""Isotropy of tables: cases worked out by hand, the definition pair by pair, blocks that do not matter."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from lexigraft.core.linalg.isotropy import mean_cosine, partition_ratio


def every(table: torch.Tensor) -> np.ndarray:
    return np.arange(len(table))


def test_rows_in_all_directions_are_isotropic() -> None:
    # Six pairs: four right angles (0) and two opposites (-1), on average -1/3. Along each axis and its opposite
    # Z = e + 1/e + 1 + 1, so the ratio is 1.
    table = torch.tensor([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0], [0.0, -1.0]])
    assert mean_cosine(table, every(table)) == pytest.approx(-1 / 3)
    assert partition_ratio(table, every(table)) == pytest.approx(1)


def test_rows_of_one_direction_are_not() -> None:
    # W^T W = diag(1 + 4, 0): along the first axis Z = e + e^2, against it 1/e + 1/e^2, along the second 1 + 1.
    table = torch.tensor([[1.0, 0.0], [2.0, 0.0]])
    assert mean_cosine(table, every(table)) == pytest.approx(1)
    expected = (math.exp(-1) + math.exp(-2)) / (math.exp(1) + math.exp(2))
    assert partition_ratio(table, every(table)) == pytest.approx(expected)


def test_the_mean_cosine_is_that_of_all_pairs_and_zero_rows_have_none() -> None:
    table = torch.randn(40, 8, generator=torch.Generator().manual_seed(1)) + 0.3
    units = table / table.norm(dim=1, keepdim=True)
    pairs = [float(units[i] @ units[j]) for i in range(40) for j in range(i)]
    with_zeros = torch.cat([table, torch.zeros(3, 8)])
    for budget in (1, 2**10, 2**28):
        assert mean_cosine(with_zeros, every(with_zeros), budget) == pytest.approx(np.mean(pairs), abs=1e-6)
    assert mean_cosine(table, np.array([3])) == 0


def test_the_ratio_is_the_definition_over_the_chosen_rows_and_large_values_do_not_overflow() -> None:
    table = torch.randn(50, 6, generator=torch.Generator().manual_seed(2)) + torch.arange(6) / 6
    ids = np.arange(0, 50, 2)
    chosen = table[ids].double()
    directions = torch.linalg.eigh(chosen.T @ chosen).eigenvectors
    sums = torch.cat([(chosen @ directions).exp().sum(0), (-chosen @ directions).exp().sum(0)])
    for budget in (1, 2**10, 2**28):
        assert partition_ratio(table, ids, budget) == pytest.approx(float(sums.min() / sums.max()), rel=1e-4)
    assert partition_ratio(1000 * table, ids) == 0
