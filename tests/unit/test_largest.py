"""Large entries found by groups of columns are those that a look at every entry finds."""

import pytest
import torch

from lexigraft.core.largest import entries_above, group_maxima, largest


def _scores(rows: int, columns: int) -> torch.Tensor:
    return torch.randn(rows, columns, generator=torch.Generator().manual_seed(columns))


@pytest.mark.parametrize("columns", [1, 31, 32, 33, 641, 5000])
@pytest.mark.parametrize("k", [1, 10])
def test_the_k_largest(columns: int, k: int) -> None:
    scores, k = _scores(7, columns), min(k, columns)
    values, places = largest(scores, k)
    wanted = scores.topk(k, dim=1)
    assert torch.equal(values, wanted.values)
    assert torch.equal(places, wanted.indices)


def test_the_k_largest_where_all_of_them_share_a_group() -> None:
    scores = torch.zeros(1, 5000)
    scores[0, 4990:5000] = torch.arange(1.0, 11.0)
    values, places = largest(scores, 10)
    assert values[0].tolist() == [10, 9, 8, 7, 6, 5, 4, 3, 2, 1]
    assert places[0].tolist() == list(range(4999, 4989, -1))


def test_equal_scores_give_each_column_once() -> None:
    _, places = largest(torch.ones(3, 3000), 10)
    assert all(len(set(row)) == 10 for row in places.tolist())


@pytest.mark.parametrize("columns", [5, 32, 100, 1000])
def test_the_entries_above_a_floor(columns: int) -> None:
    scores = _scores(9, columns)
    floor = torch.linspace(-3, 3, 9)[:, None]
    rows, places, values = entries_above(scores, group_maxima(scores), floor)
    wanted = (scores > floor).nonzero()
    assert torch.equal(torch.stack([rows, places], dim=1), wanted)
    assert torch.equal(values, scores[rows, places])
