"""Large entries found by tiles, groups and bounds are those that a look at every entry finds."""

import pytest
import torch

from lexigraft.core.linalg.inner_products import Products
from lexigraft.core.linalg.nearest import nearest, nearest_points
from lexigraft.core.linalg.top_entries import large_entries
from lexigraft.core.methods.mixtures import sparse_mix


def _scores(rows: int, columns: int) -> torch.Tensor:
    return torch.randn(rows, columns, generator=torch.Generator().manual_seed(columns))


def _as_products(scores: torch.Tensor) -> Products:
    return Products(scores, torch.eye(scores.shape[1]))


def _vectors(rows: int, *, dim: int = 24, rank: int = 24, seed: int) -> torch.Tensor:
    """Vectors that lie near a plane of so many dimensions."""
    generator = torch.Generator().manual_seed(seed)
    plane = torch.randn(rank, dim, generator=torch.Generator().manual_seed(0))
    return torch.randn(rows, rank, generator=generator) @ plane + 0.02 * torch.randn(rows, dim, generator=generator)


@pytest.mark.parametrize("columns", [1, 31, 32, 33, 641, 5000])
def test_the_entries_from_a_floor_on(columns: int) -> None:
    scores = _scores(9, columns)
    floor = torch.linspace(-3, 3, 9)[:, None]
    values, places = large_entries(_as_products(scores), slice(0, 9), lambda _: floor)
    for row in range(9):
        kept = values[row] >= floor[row]
        assert places[row, kept].tolist() == (scores[row] >= floor[row]).nonzero().flatten().tolist()
        assert torch.equal(values[row, kept], scores[row, places[row, kept]])


@pytest.mark.parametrize("columns", [10, 31, 32, 33, 641, 20_000])
@pytest.mark.parametrize("rank", [3, 24])
def test_the_nearest_by_cosine(columns: int, rank: int) -> None:
    queries, anchors = _vectors(700, rank=rank, seed=1), _vectors(columns, rank=rank, seed=2)
    cosines = torch.nn.functional.normalize(queries) @ torch.nn.functional.normalize(anchors).T
    wanted = cosines.topk(10, dim=1)
    found, places = nearest(queries, anchors, 10, 2**30)
    torch.testing.assert_close(found, wanted.values, atol=1e-6, rtol=0)
    torch.testing.assert_close(cosines.gather(1, places), wanted.values, atol=1e-6, rtol=0)
    assert all(len(set(row)) == 10 for row in places.tolist())


@pytest.mark.parametrize("columns", [700, 20_000])
@pytest.mark.parametrize("temperature", [0.05, 1.0])
@pytest.mark.parametrize("rank", [3, 24])
def test_mixtures_are_those_of_all_cosines(columns: int, temperature: float, rank: int) -> None:
    from entmax import sparsemax

    queries, anchors = _vectors(700, rank=rank, seed=1), _vectors(columns, rank=rank, seed=2)
    cosines = torch.nn.functional.normalize(queries) @ torch.nn.functional.normalize(anchors).T
    wanted = sparsemax(cosines / temperature, dim=1)
    mix = sparse_mix(queries, anchors, torch.arange(columns).numpy(), temperature=temperature, budget=2**30)
    found = torch.zeros_like(wanted)
    for row in range(len(queries)):
        ids, weights = mix.row(row)
        assert sorted(ids.tolist()) == ids.tolist()
        found[row, ids] = torch.from_numpy(weights)
    torch.testing.assert_close(found, wanted, atol=2e-6 / temperature, rtol=0)


def test_vectors_near_a_plane_are_bounded_and_others_are_not() -> None:
    low, full = ([_vectors(700, rank=rank, seed=seed) for seed in (1, 2)] for rank in (3, 24))
    assert Products(*low).bounded
    assert not Products(*full).bounded
    assert not Products(low[0][:200], low[1]).bounded  # finding the plane would cost more


def test_bounds_hold_where_a_few_vectors_leave_the_plane() -> None:
    queries, anchors = _vectors(700, rank=3, seed=1), _vectors(3_000, rank=3, seed=2)
    anchors[::500] = _vectors(6, seed=3)
    queries[7] = anchors[500]
    assert Products(queries, anchors).bounded
    cosines, places = nearest(queries, anchors, 4, 2**30)
    exact = torch.nn.functional.normalize(queries) @ torch.nn.functional.normalize(anchors).T
    torch.testing.assert_close(cosines, exact.topk(4, dim=1).values, atol=1e-6, rtol=0)
    assert places[7, 0] == 500


@pytest.mark.parametrize("rank", [3, 24])
def test_many_of_few_anchors_are_anchors(rank: int) -> None:
    # Fewer groups than neighbours: nothing is known of the floor, and the last group is not whole.
    queries, anchors = _vectors(2_500, rank=rank, seed=1), _vectors(300, rank=rank, seed=2)
    assert Products(queries, anchors).bounded == (rank == 3)
    _, places = nearest(queries, anchors, 290, 2**30)
    assert int(places.max()) == 299
    assert all(len(set(row)) == 290 for row in places.tolist())


def test_equal_scores_and_queries_of_zero_give_each_column_once() -> None:
    queries = torch.cat([torch.zeros(2, 8), torch.ones(2, 8)])
    _, places = nearest(queries, torch.ones(40_000, 8), 10, 2**30)
    assert all(len(set(row)) == 10 for row in places.tolist())


def test_the_nearest_points() -> None:
    queries, anchors = _vectors(300, rank=3, seed=1), _vectors(20_000, rank=3, seed=2)
    wanted = torch.cdist(queries, anchors, compute_mode="donot_use_mm_for_euclid_dist").topk(5, dim=1, largest=False)
    distances, places = nearest_points(queries, anchors, 5, 2**30)
    torch.testing.assert_close(distances, wanted.values)
    assert torch.equal(places, wanted.indices)
