"""Parts that threads work on give what one thread would give, and leave torch's threads as they were."""

import threading
import time
from collections.abc import Callable, Iterator

import numpy as np
import pytest
import torch

from lexigraft.core.linalg.moments import mean_and_deviation
from lexigraft.core.linalg.nearest import nearest, nearest_points
from lexigraft.core.methods.mixtures import sparse_mix
from lexigraft.core.utils.threads import parallel_map


@pytest.fixture(params=[1, 3])
def threads(request: pytest.FixtureRequest) -> Iterator[int]:
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield request.param
    torch.set_num_threads(before)


def test_parts_come_back_in_order_and_torch_gets_its_threads_back(threads: int) -> None:
    assert parallel_map(lambda n: (n * n, torch.get_num_threads()), range(50)) == [(n * n, 1) for n in range(50)]
    assert torch.get_num_threads() == threads


def test_parts_are_worked_on_at_once() -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        meeting = threading.Barrier(3, timeout=20)
        assert sorted(parallel_map(lambda _: meeting.wait(), range(3))) == [0, 1, 2]
    finally:
        torch.set_num_threads(before)


def test_after_an_error_no_further_part_is_begun(threads: int) -> None:
    begun = []

    def work(n: int) -> None:
        begun.append(n)
        if n == 2:
            raise ValueError("the third")
        time.sleep(0.01)

    with pytest.raises(ValueError, match="the third"):
        parallel_map(work, range(500))
    assert len(begun) < 250
    assert torch.get_num_threads() == threads


def test_threads_that_call_it_at_once_take_turns_and_leave_the_number_as_it_was() -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    seen: list[int] = []

    def caller() -> None:
        torch.set_num_threads(3)
        parallel_map(lambda _: time.sleep(0.002), range(20))
        seen.append(torch.get_num_threads())

    callers = [threading.Thread(target=caller) for _ in range(4)]
    try:
        for thread in callers:
            thread.start()
        for thread in callers:
            thread.join(timeout=20)
        assert seen == [3] * 4
        assert torch.get_num_threads() == 3
    finally:
        torch.set_num_threads(before)


def test_a_part_may_work_in_parts(threads: int) -> None:
    found = parallel_map(lambda n: parallel_map(lambda m: n * m, range(3)), range(4))
    assert found == [[n * m for m in range(3)] for n in range(4)]


def test_no_graph_is_kept(threads: int) -> None:
    weight = torch.ones(3, requires_grad=True)
    assert not any(found.requires_grad for found in parallel_map(lambda n: weight * n, range(4)))


def _vectors(rows: int, seed: int) -> torch.Tensor:
    return torch.randn(rows, 16, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("weights", ["sparsemax", "entmax15"])
def test_mixtures_by_several_threads_are_those_by_one(weights: str) -> None:
    queries, anchors = _vectors(1700, 0), _vectors(900, 1)
    found = []
    before = torch.get_num_threads()
    for threads in (1, 3, 3):
        torch.set_num_threads(threads)
        mix = sparse_mix(queries, anchors, np.arange(900), temperature=0.2, budget=2**24, weights=weights)
        found.append(torch.zeros(1700, 900))
        rows = torch.arange(1700).repeat_interleave(torch.from_numpy(np.diff(mix.indptr)))
        found[-1][rows, torch.from_numpy(mix.indices).long()] = torch.from_numpy(mix.weights)
    torch.set_num_threads(before)
    assert torch.equal(found[1], found[2])
    torch.testing.assert_close(found[0], found[1], atol=2e-6, rtol=0)


@pytest.mark.parametrize("search", [nearest, nearest_points])
def test_neighbours_found_by_several_threads_are_those_found_by_one(search: Callable, threads: int) -> None:
    queries, anchors = _vectors(1700, 0), _vectors(900, 1)
    found, places = search(queries, anchors, 5, 2**24)
    unit = torch.nn.functional.normalize
    if search is nearest:
        wanted = (unit(queries) @ unit(anchors).T).topk(5, dim=1)
    else:
        wanted = torch.cdist(queries, anchors).topk(5, dim=1, largest=False)
    torch.testing.assert_close(found, wanted.values, atol=1e-5, rtol=1e-5)
    assert torch.equal(places, wanted.indices)


def test_moments_of_many_blocks(threads: int) -> None:
    table = 3 + 2 * _vectors(40_000, 2)
    mean, deviation = mean_and_deviation(table, budget=2**16)
    torch.testing.assert_close(mean, table.double().mean(0).float())
    torch.testing.assert_close(deviation, table.double().std(0).float())
