"""Splits of items: by content, without an item on both sides."""

from __future__ import annotations

import pytest

from lexigraft.core.data.item_splits import distinct, split_by_content, without_leaks
from lexigraft.core.errors import LexigraftError

ITEMS = [f"item {n}" for n in range(1000)]


def test_an_item_stays_on_its_side_whatever_the_others() -> None:
    train, test = split_by_content(ITEMS, str, 0.2)
    assert 150 < len(test) < 250
    assert sorted(train + test) == sorted(ITEMS)
    again, _ = split_by_content([*ITEMS[::-1], *ITEMS], str, 0.2)
    assert set(again) == set(train)


def test_too_few_items_are_refused() -> None:
    with pytest.raises(LexigraftError, match="too few items to split"):
        split_by_content(["a"], str, 0.2)


def test_repetitions_are_left_out_and_counted() -> None:
    assert distinct(["a", "b", "a", "a"], str) == (["a", "b"], 2)


def test_a_leak_is_refused_with_its_count_or_dropped_from_the_side_that_is_used_first() -> None:
    train, test = ["a", "b", "b", "c"], ["b", "d", "b"]
    with pytest.raises(LexigraftError, match="test items are also training items: 2 of 3"):
        without_leaks(train, [], test, str, "refuse")
    note = "2 training items dropped, because they are also test items"
    assert without_leaks(train, [], test, str, "drop") == (["a", "c"], [], [note])
    assert without_leaks(train, ["e"], ["d"], str, "refuse") == (train, ["e"], [])
    with pytest.raises(LexigraftError, match="dev items are also training items: 1 of 1"):
        without_leaks(train, ["c"], ["d"], str, "refuse")
    with pytest.raises(LexigraftError, match="test items are also dev items: 1 of 3"):
        without_leaks(["a"], ["d"], test, str, "refuse")
    with pytest.raises(LexigraftError, match="every training item is also a test item: 1"):
        without_leaks(["b"], [], test, str, "drop")
