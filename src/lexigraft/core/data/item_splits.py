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
    train: Sequence[Item], dev: Sequence[Item], test: Sequence[Item], key: Callable[[Item], str], on_leak: OnLeak
) -> tuple[list[Item], list[Item], list[str]]:
    """Training and dev items that are not tested on, and training items that are no dev items.

    Args:
        train: Training items.
        dev: Items that choose what is kept of the training.
        test: Items that are tested on.
        key: What an item says; its label is no part of it.
        on_leak: Whether an item on two sides is refused, or dropped from the side that is used first.

    Returns:
        The training items and the dev items that are left, and sentences about those that were dropped.

    Raises:
        LexigraftError: Items on two sides that are to be refused, or nothing left of a side.
    """
    notes: list[str] = []
    train = _without(train, test, key, on_leak, ("training", "test"), notes)
    train = _without(train, dev, key, on_leak, ("training", "dev"), notes)
    dev = _without(dev, test, key, on_leak, ("dev", "test"), notes)
    return list(train), list(dev), notes


def _without(
    items: Sequence[Item],
    later: Collection[Item],
    key: Callable[[Item], str],
    on_leak: OnLeak,
    names: tuple[str, str],
    notes: list[str],
) -> Sequence[Item]:
    hidden, known = {key(item) for item in later}, {key(item) for item in items}
    if hidden.isdisjoint(known):
        return items
    if on_leak == "refuse":
        leaked = sum(key(item) in known for item in later)
        hint = f"Split the items anew, or set on_leak=drop, which takes them out of the {names[0]} items"
        raise LexigraftError(f"{names[1]} items are also {names[0]} items", f"{leaked:,} of {len(later):,}", hint)
    kept = [item for item in items if key(item) not in hidden]
    if not kept:
        raise LexigraftError(f"every {names[0]} item is also a {names[1]} item", f"{len(items):,}", "Give other items")
    notes.append(f"{len(items) - len(kept)} {names[0]} items dropped, because they are also {names[1]} items")
    return kept
