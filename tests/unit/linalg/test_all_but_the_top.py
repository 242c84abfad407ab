"""All-but-the-top: a case worked out by hand, and what must not change."""

from __future__ import annotations

import pytest
import torch

from lexigraft.core.errors import LexigraftError
from lexigraft.core.linalg.all_but_the_top import all_but_the_top


def test_the_mean_and_the_leading_direction_go() -> None:
    # Mean (12, 1); centered (±2, ±1), whose squares add up to 16 along the first axis and to 4 along the second.
    rows = torch.tensor([[10.0, 0.0], [14.0, 0.0], [14.0, 2.0], [10.0, 2.0]])
    assert all_but_the_top(rows, 0).tolist() == [[-2, -1], [2, -1], [2, 1], [-2, 1]]
    torch.testing.assert_close(all_but_the_top(rows, 1), torch.tensor([[0.0, -1], [0, -1], [0, 1], [0, 1]]))
    assert rows[0].tolist() == [10, 0]


def test_what_is_left_has_neither_mean_nor_the_leading_directions_and_is_otherwise_as_before() -> None:
    rows = torch.randn(60, 8, generator=torch.Generator().manual_seed(0)) @ torch.diag(2.0 ** -torch.arange(8)) + 5
    left = all_but_the_top(rows, 3)
    assert left.dtype == torch.float32
    torch.testing.assert_close(left.mean(0), torch.zeros(8), atol=1e-5, rtol=0)
    before = torch.linalg.svdvals(rows - rows.mean(0))
    torch.testing.assert_close(torch.linalg.svdvals(left)[:5], before[3:], atol=1e-4, rtol=1e-4)


def test_one_row_is_its_own_mean() -> None:
    assert all_but_the_top(torch.tensor([[3.0, 4.0]]), 1).tolist() == [[0, 0]]


def test_some_direction_must_be_left() -> None:
    with pytest.raises(LexigraftError, match=r"removes every direction.*2 of 2 dimensions"):
        all_but_the_top(torch.eye(2), 2)
