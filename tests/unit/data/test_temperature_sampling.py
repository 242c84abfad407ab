"""Temperature sampling: a case by hand, the ends of the range, and what is refused."""

from __future__ import annotations

from collections import Counter

import pytest

from lexigraft.core.data.corpus import Corpus
from lexigraft.core.data.temperature_sampling import mixed
from lexigraft.core.errors import LexigraftError

LARGE = Corpus.of([f"{n:04}" for n in range(90)])
SMALL = Corpus.of([f"s{n:03}" for n in range(10)])


def test_by_hand() -> None:
    # 360 and 40 characters: at temperature 2 the small one comes (360 / 40) ** 0.5 = 3 times, 120 of 480 characters.
    text, shares = mixed([LARGE, SMALL], 2)
    assert Counter(text.lines) == Counter([*LARGE.lines, *SMALL.lines * 3])
    assert shares == [0.75, 0.25]


def test_a_fraction_of_a_repetition_is_chosen_evenly() -> None:
    # (360 / 40) ** (1 - 1 / 1.5) = 9 ** (1 / 3) = 2.08: twenty lines and one more.
    text, _ = mixed([LARGE, SMALL], 1.5)
    assert Counter(text.lines) == Counter([*LARGE.lines, *SMALL.lines * 2, SMALL.lines[0]])


def test_ends_of_the_range() -> None:
    assert list(mixed([LARGE, SMALL], 1)[0].lines) == [*LARGE.lines, *SMALL.lines]
    assert mixed([LARGE, SMALL], 1e9)[1] == [0.5, 0.5]
    with pytest.raises(LexigraftError, match="temperature is below 1"):
        mixed([LARGE, SMALL], 0.3)
