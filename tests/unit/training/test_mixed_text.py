"""Mixtures: shares exact to a row in every stage and spread evenly, each text in its own order, from any position."""

from __future__ import annotations

import numpy as np
import pytest

from lexigraft.core.data.mixture.schedule import schedule, temperature_weights
from lexigraft.core.training.mixed_text import MixedText
from lexigraft.core.training.packing import PackedText

LONG, SHORT = (PackedText(np.arange(first, last, dtype=np.int32)[:, None]) for first, last in ((0, 50), (100, 103)))


def test_the_published_schedule_by_hand() -> None:
    # 4 steps of 5 rows in 2 stages of 10 rows: 9 + 1, then 5 + 5. Row j of n is due at (j + 1/2) / n of the stage: the
    # one row of the second text at 1/2, as row 4 (of 0 to 8) of the first, which comes first where both are due.
    rows = schedule([{"a": 0.9, "b": 0.1}, {"a": 0.5, "b": 0.5}], ["a", "b"], 4, 5)
    assert rows.tolist() == [0, 0, 0, 0, 0, 1, 0, 0, 0, 0] + [0, 1] * 5


@pytest.mark.parametrize("weights", [(0.7, 0.2, 0.1), (1 / 3, 1 / 3, 1 / 3), (1.0, 0.0, 0.0), (0.0, 0.5, 0.5)])
def test_every_stage_has_its_shares_exact_to_a_row_and_evenly_spread(weights: tuple[float, ...]) -> None:
    names = ["a", "b", "c"]
    stages = [dict(zip(names, weights, strict=True)), dict(zip(names, weights[::-1], strict=True))]
    rows = schedule(stages, names, 37, 3)
    assert len(rows) == 111
    first, second = rows[:54], rows[54:]  # 18 steps and 19 steps
    for part, shares in ((first, weights), (second, weights[::-1])):
        for number, share in enumerate(shares):
            seen = np.cumsum(part == number)
            assert abs(seen - share * np.arange(1, len(part) + 1)).max() <= 2
            assert abs(seen[-1] - share * len(part)) < 1


def test_temperature_weights_by_hand() -> None:
    # Square roots of 900 and 100 characters: 30 and 10, so 3/4 and 1/4; at temperature 1, 9/10 and 1/10.
    assert temperature_weights({"a": 900, "b": 100}, 2) == {"a": 0.75, "b": 0.25}
    assert temperature_weights({"a": 900, "b": 100}, 1) == {"a": 0.9, "b": 0.1}
    assert temperature_weights({"a": 900, "b": 100}, 1e9)["b"] == pytest.approx(0.5)


def test_a_short_text_repeats_in_whole_epochs_while_a_long_one_goes_on() -> None:
    text = MixedText({"long": LONG, "short": SHORT}, schedule([{"long": 0.5, "short": 0.5}], ["long", "short"], 6, 2))
    seen = [int(text.at(position, 3)[0]) for position in range(12)]
    assert len({row for row in seen if row < 50}) == 6
    short = [row for row in seen if row >= 100]
    assert sorted(short[:3]) == sorted(short[3:]) == [100, 101, 102]
    assert text.rows_of(12) == {"long": 6, "short": 6}
    assert text.rows_of(5) == {"long": 3, "short": 2}
    assert [int(text.at(position, 3)[0]) for position in reversed(range(12))] == seen[::-1]


def test_a_schedule_that_has_ended_begins_anew_and_every_text_goes_on() -> None:
    text = MixedText({"long": LONG, "short": SHORT}, np.array([0, 0, 1], np.int16))
    seen = [int(text.at(position, 3)[0]) for position in range(30)]
    assert [row >= 100 for row in seen] == [False, False, True] * 10
    assert len({row for row in seen if row < 50}) == 20  # of the 50 rows of the long text none comes twice
    assert sorted(seen[2:9:3]) == [100, 101, 102]
    assert text.rows_of(7) == {"long": 5, "short": 2}  # 2 rounds of 2 + 1, and one row more
