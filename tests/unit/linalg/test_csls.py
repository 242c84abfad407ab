"""CSLS, margin and ranks: a case by hand, the plain formula, a hub that CSLS sees through, ties."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from lexigraft.core.linalg.csls import Similarity, ranks, similarities

BUDGET = 2**26


def whole(queries: torch.Tensor, candidates: torch.Tensor, similarity: Similarity, **options: object) -> torch.Tensor:
    blocks = similarities(queries, candidates, similarity, options.pop("budget", BUDGET), **options)  # type: ignore[arg-type]
    return torch.cat([values for _, values in blocks])


def test_a_case_by_hand() -> None:
    # Cosines with k = 1:        c0 = (0, 2)   c1 = (3, 0)   r of the query
    #   q0 = (1, 0)                 0             1             1
    #   q1 = (6, 8)                 0.8           0.6           0.8
    #   r of the candidate          0.8           1
    queries, candidates = torch.tensor([[1.0, 0.0], [6.0, 8.0]]), torch.tensor([[0.0, 2.0], [3.0, 0.0]])
    assert torch.allclose(whole(queries, candidates, "cosine"), torch.tensor([[0.0, 1.0], [0.8, 0.6]]))
    # csls: 2 cos - r - r: 0 - 1 - 0.8, 2 - 1 - 1; 1.6 - 0.8 - 0.8, 1.2 - 0.8 - 1.
    csls = torch.tensor([[-1.8, 0.0], [0.0, -0.6]])
    assert torch.allclose(whole(queries, candidates, "csls", neighbors=1), csls, atol=1e-6)
    # margin: cos / mean of both r: 0 / 0.9, 1 / 1; 0.8 / 0.8, 0.6 / 0.9.
    margin = torch.tensor([[0.0, 1.0], [1.0, 2 / 3]])
    assert torch.allclose(whole(queries, candidates, "margin", neighbors=1), margin, atol=1e-6)


@pytest.mark.parametrize("similarity", ["csls", "margin"])
def test_it_is_the_formula_and_the_budget_changes_nothing(similarity: Similarity) -> None:
    generator = torch.Generator().manual_seed(1)
    queries, candidates = torch.randn(30, 8, generator=generator), torch.randn(40, 8, generator=generator)
    more = torch.cat([queries, torch.randn(20, 8, generator=generator)])
    x, y, side = (v.double().numpy() / np.linalg.norm(v.double().numpy(), axis=1)[:, None] for v in
                  (queries, candidates, more))  # fmt: skip
    expected = np.zeros((30, 40))
    for i in range(30):
        for j in range(40):
            of_query = np.sort(y @ x[i])[-5:].mean()
            of_candidate = np.sort(side @ y[j])[-5:].mean()
            cosine = x[i] @ y[j]
            expected[i, j] = (
                2 * cosine - of_query - of_candidate
                if similarity == "csls"
                else cosine / ((of_query + of_candidate) / 2)
            )
    for budget in (BUDGET, 1):
        found = whole(queries, candidates, similarity, neighbors=5, query_side=more, budget=budget)
        np.testing.assert_allclose(found.numpy(), expected, atol=1e-5)


def test_csls_finds_the_pairs_behind_a_hub() -> None:
    # A candidate in the middle of all queries is each one's nearest by cosine; CSLS takes its neighborhood off.
    generator = torch.Generator().manual_seed(0)
    middle = torch.zeros(32)
    middle[0] = 1.0
    queries = middle + 0.15 * torch.randn(60, 32, generator=generator)
    candidates = torch.cat([queries + 0.3 * torch.randn(60, 32, generator=generator), middle[None]])
    right = [[n] for n in range(60)]
    cosine, csls = (ranks(similarities(queries, candidates, s, BUDGET), right) for s in ("cosine", "csls"))
    assert (cosine == 1).sum() < 15
    assert (csls == 1).sum() > 30


def test_the_best_right_candidate_counts_and_ties_stand_before_it() -> None:
    values = torch.tensor([[0.9, 0.5, 0.7, 0.1], [0.5, 0.5, 0.5, 0.2], [0.3, 0.3, 0.1, 0.3]])
    blocks = iter([(slice(0, 2), values[:2]), (slice(2, 3), values[2:])])
    # Row 0: right are 0.5 and 0.7; one wrong one is higher. Row 1: two wrong ones tie with 0.5. Row 2: of three
    # that tie one is wrong.
    assert ranks(blocks, [[1, 2], [1], [0, 3]]).tolist() == [2, 3, 2]
