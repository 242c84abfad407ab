"""Small least-squares problems, many at once: against numpy's pseudo-inverse."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import torch

from lexigraft.core.linalg.local_least_squares import fit_each

COUNTS = [3, 0, 7, 12, 1, 3, 20]


def problem(dim: int) -> tuple[torch.Tensor, torch.Tensor, np.ndarray, np.ndarray]:
    generator = torch.Generator().manual_seed(1)
    rows = 0.02 * torch.randn(40, dim, generator=generator) + 0.01
    vectors = 0.02 * torch.randn(len(COUNTS), dim, generator=generator)
    pointers = np.concatenate([[0], np.cumsum(COUNTS)])
    ids = np.concatenate([torch.randperm(40, generator=generator)[:n].numpy() for n in COUNTS])
    return vectors, rows, pointers, ids


# With 8 dimensions some problems have more rows than dimensions, and with 64 none.
@pytest.mark.parametrize("dim", [8, 64])
@pytest.mark.parametrize("affine", [False, True])
@pytest.mark.parametrize("budget", [1, 2**24])
def test_it_is_the_pseudo_inverse(dim: int, affine: bool, budget: int) -> None:
    vectors, rows, pointers, ids = problem(dim)
    found = fit_each(vectors, rows, pointers, ids, affine=affine, budget=budget)
    for n, (start, stop) in enumerate(pairwise(pointers.tolist())):
        goal, mine = vectors[n].double().numpy(), rows[ids[start:stop]].double().numpy()
        if stop == start:
            continue
        mean = mine.mean(0) if affine else 0
        wanted = (goal - mean) @ np.linalg.pinv(mine - mean) + (1 / (stop - start) if affine else 0)
        np.testing.assert_allclose(found[start:stop], wanted, atol=1e-5)
        if affine:
            assert found[start:stop].sum() == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("affine", [False, True])
def test_equal_rows_share_and_rows_of_zeros_get_nothing(affine: bool) -> None:
    rows = torch.tensor([[2.0, 0.0], [2.0, 0.0], [0.0, 0.0]])
    pointers = np.array([0, 2, 3, 6])
    vectors = torch.tensor([[4.0, 1.0], [1.0, 1.0], [2.0, 5.0]])
    found = fit_each(vectors, rows, pointers, np.array([0, 1, 2, 0, 1, 2]), affine=affine, budget=2**20)
    # Affine: weights sum to 1, so two equal rows can only share; the third case is 2 a + 2 b = 2 with c = 1 - a - b.
    wanted = [0.5, 0.5, 1, 0.5, 0.5, 0] if affine else [1, 1, 0, 0.5, 0.5, 0]
    np.testing.assert_allclose(found, wanted, atol=1e-6)
