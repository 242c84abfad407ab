"""Statistics against figures worked out by hand."""

from __future__ import annotations

import math

import pytest

from lexigraft.core.evaluation.scores import ItemScores
from lexigraft.core.evaluation.statistics.intervals import estimate, holm, items_half_width, recovered_share


def test_interval_of_three_values() -> None:
    found = estimate([1.0, 2.0, 3.0])
    assert found.mean == 2.0
    assert found.half_width == pytest.approx(4.302652729911275 / math.sqrt(3))
    assert found.low == pytest.approx(-0.4841377)
    assert found.high == pytest.approx(4.4841377)


def test_one_value_has_no_interval() -> None:
    found = estimate([1.5])
    assert (found.mean, found.half_width, found.low, found.high) == (1.5, None, None, None)


def test_holm_by_hand() -> None:
    assert holm({"a": 0.01, "b": 0.04, "c": 0.03, "d": 0.005}) == pytest.approx(
        {"a": 0.03, "b": 0.06, "c": 0.06, "d": 0.02}
    )
    assert holm({"a": 0.7, "b": 0.6}) == {"a": 1.0, "b": 1.0}
    assert holm({}) == {}


def test_recovered_share() -> None:
    assert recovered_share(3.0, 2.5, 2.0) == 0.5
    assert recovered_share(3.0, 3.5, 2.0) == -0.5
    assert recovered_share(2.0, 1.0, 2.0) is None


def test_interval_over_items_by_hand() -> None:
    # Three right and one wrong: r = 3/4; each moves it by (a - r) / 4 = 1/16, 1/16, 1/16, -3/16; their squares add to
    # 12/256, times n/(n - 1) = 4/3 is 1/16, the root 1/4; t(0.975, 3) = 3.182446.
    assert items_half_width(ItemScores.of([1, 1, 1, 0])) == pytest.approx(3.182446305 / 4)
    # Bits over bytes: r = 12/6 = 2; the items move it by (4 - 4) / 6 = 0 and (8 - 8) / 6 = 0: no spread.
    assert items_half_width(ItemScores.of([4, 8], [2, 4])) == 0
    assert items_half_width(ItemScores.of([1])) is None
