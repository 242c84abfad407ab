"""The mathematics against other implementations and against hand-made numbers."""

from __future__ import annotations

import entmax
import numpy as np
import pytest
import torch

from lexigraft.core.grafting.plan import Mix, combine
from lexigraft.core.linalg.inner_products import GROUP, Products
from lexigraft.core.linalg.linear_maps import identity, procrustes, ridge
from lexigraft.core.linalg.nearest import nearest
from lexigraft.core.linalg.sparsemax import sparsemax_rows
from lexigraft.core.methods.mixtures import sparse_mix


def _dense(scores: torch.Tensor) -> torch.Tensor:
    products = Products(scores, torch.eye(scores.shape[1]))
    pointers, ids, weights = sparsemax_rows(products, slice(0, len(scores)))
    assert bool((weights > 0).all())
    found = torch.zeros_like(scores)
    for row in range(len(scores)):
        span = slice(int(pointers[row]), int(pointers[row + 1]))
        found[row, ids[span]] = weights[span]
    return found


@pytest.mark.parametrize("scale", [0.0, 1e-3, 0.1, 1.0, 30.0])
@pytest.mark.parametrize("columns", [1, 3, 64, 65, 500])
def test_sparsemax_is_entmaxs(scale: float, columns: int) -> None:
    from entmax import sparsemax

    scores = scale * torch.randn(40, columns, generator=torch.Generator().manual_seed(columns))
    torch.testing.assert_close(_dense(scores), sparsemax(scores, dim=1), atol=1e-6, rtol=0)


def test_sparsemax_keeps_every_entry_where_all_are_alike_and_one_where_one_leads() -> None:
    from entmax import sparsemax

    scores = torch.stack([torch.zeros(300), torch.arange(300) * 10.0, torch.linspace(0, 1e-4, 300)])
    found = _dense(scores)
    assert [(row > 0).sum().item() for row in found] == [300, 1, 300]
    torch.testing.assert_close(found, sparsemax(scores, dim=1), atol=1e-6, rtol=0)
    assert found[1, 299] == 1


def test_sparsemax_ends_where_rounding_decides_which_entries_count() -> None:
    from entmax import sparsemax

    values = 0.3 * torch.randn(200, 50, generator=torch.Generator().manual_seed(0))
    values -= values.amax(1, keepdim=True)
    # Entries at the threshold itself: whether they are above it, or only were before they counted, is rounding.
    descending = values.double().sort(1, descending=True).values
    sums, counts = descending.cumsum(1) - 1, torch.arange(1, 51)
    support = (descending * counts > sums).sum(1, keepdim=True)
    threshold = (sums.gather(1, support - 1) / support).float()
    # Far apart, so that each of them is the largest of the columns beside it.
    scores = torch.full((200, 53, GROUP), -10.0)
    scores[:, :50, 0], scores[:, 50:, 0] = values, threshold
    scores = scores.flatten(1)
    torch.testing.assert_close(_dense(scores), sparsemax(scores, dim=1), atol=1e-6, rtol=0)


def test_entmax15_mixes_with_entmaxs_weights() -> None:
    generator = torch.Generator().manual_seed(1)
    queries, anchors = torch.randn(5, 6, generator=generator), torch.randn(20, 6, generator=generator)
    mix = sparse_mix(queries, anchors, np.arange(20), temperature=0.2, budget=2**20, weights="entmax15")
    cosines = torch.nn.functional.cosine_similarity(queries[:, None], anchors[None], dim=2)
    expected = entmax.entmax15(cosines / 0.2, dim=1)
    for n in range(5):
        ids, weights = mix.row(n)
        assert ids.tolist() == expected[n].nonzero().flatten().tolist()
        assert weights.tolist() == pytest.approx(expected[n][ids].tolist(), abs=1e-5)


def test_sparse_mix_is_the_same_in_blocks_of_any_size() -> None:
    generator = torch.Generator().manual_seed(0)
    queries, anchors = torch.randn(30, 5, generator=generator), torch.randn(20, 5, generator=generator)
    ids = np.arange(100, 120)
    one, many = (sparse_mix(queries, anchors, ids, temperature=0.3, budget=b) for b in (2**30, 1))
    assert np.array_equal(one.indptr, many.indptr)
    assert np.array_equal(one.indices, many.indices)
    np.testing.assert_allclose(one.weights, many.weights, atol=1e-6)
    assert (one.indices.min(), one.indices.dtype, one.weights.dtype) >= (100, np.int32, np.float32)


def test_nearest_is_ordered_by_cosine() -> None:
    # cos((1,1), (2,0)) = cos((1,1), (0,3)) = 0.7071; cos((1,1), (5,5)) = 1; cos((1,1), (-1,0)) = -0.7071.
    cosines, found = nearest(torch.tensor([[1.0, 1]]), torch.tensor([[2.0, 0], [-1, 0], [5, 5]]), 3, 2**20)
    assert found.tolist() == [[2, 0, 1]]
    torch.testing.assert_close(cosines, torch.tensor([[1.0, 0.5**0.5, -(0.5**0.5)]]))


def _pairs(wide: int, narrow: int) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(2)
    return 1 + torch.randn(50, wide, generator=generator), torch.randn(50, narrow, generator=generator) - 2


@pytest.mark.parametrize("narrow", [6, 4])
@pytest.mark.parametrize("center", [True, False])
def test_procrustes_is_numpys(narrow: int, center: bool) -> None:
    x, y = _pairs(6, narrow)
    found = procrustes(x, y, center=center)
    a, b = x.double().numpy(), y.double().numpy()
    mx, my = (a.mean(0), b.mean(0)) if center else (0 * a[0], 0 * b[0])
    u, _, vt = np.linalg.svd((a - mx).T @ (b - my), full_matrices=False)
    np.testing.assert_allclose(found.weight, u @ vt, atol=1e-4)
    np.testing.assert_allclose(found.points(x), (a - mx) @ (u @ vt) + my, atol=1e-3)
    np.testing.assert_allclose(found.weight.T @ found.weight, np.eye(narrow), atol=1e-5)


def test_procrustes_recovers_a_rotation() -> None:
    x, _ = _pairs(2, 2)
    turn = torch.tensor([[0.6, 0.8], [-0.8, 0.6]])
    found = procrustes(x, x @ turn + torch.tensor([3.0, -1]))
    torch.testing.assert_close(found.weight, turn, atol=1e-5, rtol=0)
    torch.testing.assert_close(found.offsets(torch.tensor([[1.0, 0]])), torch.tensor([[0.6, 0.8]]), atol=1e-5, rtol=0)


@pytest.mark.parametrize("penalty", [0.0, 0.5, 10.0])
def test_ridge_is_numpys(penalty: float) -> None:
    x, y = _pairs(6, 4)
    found = ridge(x, y, penalty=penalty)
    a, b = (v.double().numpy() - v.double().numpy().mean(0) for v in (x, y))
    gram = a.T @ a
    wanted = np.linalg.solve(gram + penalty * np.diag(gram).mean() * np.eye(6), a.T @ b)
    np.testing.assert_allclose(found.weight, wanted, atol=1e-4)


def test_ridge_by_hand() -> None:
    # x = -1, 1 and y = -2, 2 (means 0): gram 2, x y 4, penalty 1 * 2: W = 4 / (2 + 2) = 1.
    found = ridge(torch.tensor([[-1.0], [1.0]]), torch.tensor([[-2.0], [2.0]]), penalty=1.0)
    torch.testing.assert_close(found.weight, torch.tensor([[1.0]]))


def test_identity_only_moves_the_mean() -> None:
    found = identity(torch.tensor([[0.0, 0], [2, 2]]), torch.tensor([[5.0, 1], [7, 1]]))
    torch.testing.assert_close(found.points(torch.tensor([[1.0, 3]])), torch.tensor([[6.0, 3]]))


def test_mix_combines_rows_and_biases() -> None:
    mix = Mix.from_rows([([0, 2], [0.5, 0.5]), ([], []), ([1], [2.0])])
    table = torch.tensor([[2.0, 0], [1, 1], [4, 6]])
    torch.testing.assert_close(combine(mix, table), torch.tensor([[3.0, 3], [0, 0], [2, 2]]))
    torch.testing.assert_close(combine(mix, torch.tensor([1.0, 2, 3])), torch.tensor([2.0, 0, 4]))
    torch.testing.assert_close(combine(mix, table.bfloat16()), torch.tensor([[3.0, 3], [0, 0], [2, 2]]))
    assert mix.covered.tolist() == [True, False, True]
    assert combine(Mix.from_rows([([], [])]), table).tolist() == [[0, 0]]


def test_mixes_stack_and_average() -> None:
    both = Mix.stack([Mix.mean_of([[3, 5], []]), Mix.mean_of([[7]])])
    assert both.indptr.tolist() == [0, 2, 2, 3]
    assert both.indices.tolist() == [3, 5, 7]
    assert both.weights.tolist() == [0.5, 0.5, 1.0]
    assert len(Mix.stack([])) == 0


def test_dense_weights_give_the_same_rows_as_sparse_ones() -> None:
    generator = torch.Generator().manual_seed(0)
    rows, table = 1100, torch.randn(1200, 5, generator=generator)
    weights = torch.rand(rows, len(table), generator=generator)
    ids = np.tile(np.arange(len(table), dtype=np.int32), rows)
    mix = Mix(np.arange(rows + 1) * len(table), ids, weights.numpy().ravel())
    torch.testing.assert_close(combine(mix, table), weights @ table, atol=1e-3, rtol=1e-5)
    torch.testing.assert_close(combine(mix[:3], table), weights[:3] @ table, atol=1e-3, rtol=1e-5)
