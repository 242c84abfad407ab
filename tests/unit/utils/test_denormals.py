"""Denormal numbers are zeros for a while, for all of torch's threads, and then what they were before."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch

from fixtures.denormals import all_zeros
from lexigraft.core.utils.denormals import denormals_flushed


@pytest.fixture(params=[1, 2], autouse=True)
def threads(request: pytest.FixtureRequest) -> Iterator[int]:
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    assert not all_zeros(), "this also starts torch's threads"
    yield request.param
    torch.set_num_threads(before)


def test_zeros_inside_and_not_after() -> None:
    with denormals_flushed():
        assert all_zeros()
    assert not all_zeros()


def test_an_error_ends_it_too() -> None:
    with pytest.raises(ValueError, match="inside"), denormals_flushed():
        raise ValueError("inside")
    assert not all_zeros()


def test_who_had_zeros_before_has_them_after() -> None:
    with denormals_flushed():
        with denormals_flushed():
            assert all_zeros()
        assert all_zeros()
    assert not all_zeros()
