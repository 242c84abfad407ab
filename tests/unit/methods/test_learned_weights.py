"""Mixtures with weights that can be learned: widening, taking rows, staying in the hull."""

from __future__ import annotations

import numpy as np
import torch

from fixtures.small_worlds import words
from lexigraft.core.grafting.plan import Mix, combine
from lexigraft.core.methods.learned_weights import FullHull, SparseHull, aligned, convex_part, mixable, mixed, widened

MIX = Mix.from_rows([([4, 1], [0.25, 0.75]), ([], []), ([2], [1.0])])
TABLE = torch.arange(12.0).reshape(6, 2)


def listed(mix: Mix) -> list[tuple[list[int], list[float]]]:
    return [(ids.tolist(), weights.tolist()) for ids, weights in map(mix.row, range(len(mix)))]


def test_widening_gives_the_new_ids_their_share_and_leaves_the_known_ones() -> None:
    # Row 0 knows 1 and 4 and gets 0; row 1 knows nothing; row 2 gets nothing new.
    found = widened(MIX, np.array([[1, 0], [3, 5], [2, -1]]), 0.2)
    assert [ids for ids, _ in listed(found)] == [[0, 1, 4], [3, 5], [2]]
    np.testing.assert_allclose(found.weights, [0.2, 0.6, 0.2, 0.5, 0.5, 1.0], rtol=1e-6)
    assert (found.indptr.dtype, found.indices.dtype, found.weights.dtype) == (np.int64, np.int32, np.float32)


def test_widening_by_no_share_changes_no_row() -> None:
    found = widened(MIX, np.array([[1, 0], [3, 5], [2, -1]]), 0.0)
    torch.testing.assert_close(combine(found, TABLE), combine(MIX, TABLE))
    assert len(found.indices) == 6


def test_taking_rows_repeats_reorders_and_empties() -> None:
    assert listed(MIX.take(np.array([2, -1, 0, 0, 1]))) == [
        ([2], [1.0]), ([], []), ([4, 1], [0.25, 0.75]), ([4, 1], [0.25, 0.75]), ([], []),
    ]  # fmt: skip
    assert len(MIX.take(np.zeros(0, np.int64))) == 0
    assert listed(Mix.from_rows([]).take(np.array([-1]))) == [([], [])]


def test_the_convex_part_drops_what_is_not_positive() -> None:
    mix = Mix.from_rows([([0, 1, 2], [2.0, -1.0, 2.0]), ([3], [-1.0]), ([4], [3.0])])
    assert listed(convex_part(mix)) == [([0, 2], [0.5, 0.5]), ([], []), ([4], [1.0])]


def test_specials_and_the_unknown_token_may_not_be_mixed() -> None:
    assert mixable(words("sun", "moon")).tolist() == [False, False, True, True]


def test_a_sparse_hull_begins_at_its_support_and_gradients_reach_the_logits() -> None:
    support = convex_part(MIX)
    hull = SparseHull.of(TABLE, support)
    torch.testing.assert_close(hull.rows().detach(), combine(support, TABLE))
    np.testing.assert_allclose(hull.mix().weights, support.weights, rtol=1e-6)
    hull.rows().sum().backward()
    assert hull.values.grad is not None
    # The sum of row 0 is 0.25 * 17 + 0.75 * 5 = 8; d/da_k = w_k (sum of table row k - 8).
    torch.testing.assert_close(hull.values.grad, torch.tensor([0.25 * 9, 0.75 * -3, 0.0]), atol=1e-5, rtol=0)


def test_mixing_with_other_weights_is_the_sparse_product() -> None:
    weights = torch.tensor([2.0, -1.0, 0.5])
    wanted = combine(Mix(MIX.indptr, MIX.indices, weights.numpy()), TABLE)
    torch.testing.assert_close(mixed(MIX, weights, TABLE), wanted)


def test_a_full_hull_begins_at_the_mean_of_the_usable_rows_whatever_the_blocks() -> None:
    usable = np.array([1, 2, 5])
    hulls = [
        FullHull.of(TABLE, usable, 4, rank=3, generator=torch.Generator().manual_seed(0), budget=budget)
        for budget in (1, 2**20)
    ]
    torch.testing.assert_close(hulls[0].rows().detach(), TABLE[[1, 2, 5]].mean(0).expand(4, 2))
    torch.testing.assert_close(hulls[0].rows(TABLE[:, 1]).detach(), torch.full((4,), 19 / 3))
    for hull in hulls:
        hull.rows().square().sum().backward()
    torch.testing.assert_close(hulls[0].right.grad, hulls[1].right.grad)


def test_a_table_that_begins_at_an_odd_address_is_copied() -> None:
    inside = torch.arange(13.0)[1:].view(6, 2)
    assert aligned(inside).data_ptr() != inside.data_ptr()
    assert torch.equal(aligned(inside), inside)
    assert aligned(TABLE.clone()).data_ptr() % 64 == 0
