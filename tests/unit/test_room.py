"""Memory that blocks write to in turn is taken once, and never by two at a time."""

from __future__ import annotations

import torch

from lexigraft.core.training.buffer import Room

LIKE = torch.empty(0)


def test_what_was_given_is_taken_again_where_it_is_large_enough() -> None:
    room = Room()
    first = room.take((8, 16), LIKE).fill_(1.0)
    address = first.data_ptr()
    room.give(first.T)
    del first
    second = room.take((3, 5), LIKE)
    assert (second.data_ptr(), second.shape, second.is_contiguous()) == (address, (3, 5), True)
    room.give(second)
    assert room.take((8, 16), LIKE).data_ptr() == address
    assert room.take((8, 17), LIKE).shape == (8, 17)


def test_memory_is_never_lent_twice_at_a_time() -> None:
    room = Room()
    room.give(torch.zeros(64))
    one, other = room.take((64,), LIKE), room.take((64,), LIKE)
    one.fill_(1.0)
    other.fill_(2.0)
    assert torch.equal(one, torch.ones(64))


def test_another_dtype_takes_the_same_bytes() -> None:
    room = Room()
    room.give(torch.zeros(64))
    assert room.take((128,), LIKE.bfloat16()).fill_(2).sum() == 256
    room.give(torch.zeros(64))
    assert room.take((65,), LIKE.bfloat16()).dtype == torch.bfloat16
