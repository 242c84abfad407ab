"""Splits of labeled items into training and test items, without an item on both sides."""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Iterable, Sequence
from hashlib import blake2b
from typing import Literal, TypeVar

from lexigraft.core.errors import LexigraftError

Item = TypeVar("Item")
OnLeak = Literal["refuse", "drop"]
"""What becomes of training items that are also tested on."""


def split_by_content(items: Sequence[Item], key: Callable[[Item], str], share: float) -> tuple[list[Item], list[Item]]:
    """Split items by a hash of what they say: the same item is always on the same side, whatever the others.

    Args:
        items: Items.
        key: What an item says.
        share: Expected share of test items.

    Returns:
        Training items and test items, in their order.

    Raises:
        LexigraftError: A side would be empty.
    """
    tested = [
        int.from_bytes(blake2b(key(item).encode(), digest_size=8).digest(), "big") < share * 2**64 for item in items
    ]
    sides = ([item for item, test in zip(items, tested, strict=True) if test is side] for side in (False, True))
    train, test = sides
    if not train or not test:
        hint = "Give more items, another test_share, or separate files: train=FILE test=FILE"
        raise LexigraftError("too few items to split them", f"{len(items)} items, share {share}", hint)
    return train, test


def distinct(items: Iterable[Item], key: Callable[[Item], Hashable]) -> tuple[list[Item], int]:
    """Items without repetitions of an earlier one, and how many repetitions there were."""
    listed = list(items)
    first: dict[Hashable, Item] = {}
    for item in listed:
        first.setdefault(key(item), item)
    return list(first.values()), len(listed) - len(first)


def without_leaks(
    train: Sequence[Item], tested: Collection[Item], key: Callable[[Item], str], on_leak: OnLeak, side: str = "test"
) -> tuple[list[Item], int]:
    """Training items that are not tested on.

    Args:
        train: Training items.
        tested: Items that are tested on.
        key: What an item says; its label is no part of it.
        on_leak: Whether an item on both sides is refused, or dropped from training.
        side: What the tested items are called in the message.

    Returns:
        The training items that are left, and how many were dropped.

    Raises:
        LexigraftError: Items on both sides that are to be refused, or nothing left to train on.
    """
    hidden = {key(item) for item in tested}
    kept = [item for item in train if key(item) not in hidden]
    if len(kept) == len(train):
        return kept, 0
    known = {key(item) for item in train}
    leaked = sum(key(item) in known for item in tested)
    if on_leak == "refuse":
        hint = "Split the items anew, or set on_leak=drop, which takes them out of the training items"
        raise LexigraftError(f"{side} items are also training items", f"{leaked:,} of {len(tested):,}", hint)
    if not kept:
        raise LexigraftError("every training item is also tested on", f"{len(train):,}", "Give other training items")
    return kept, len(train) - len(kept)
