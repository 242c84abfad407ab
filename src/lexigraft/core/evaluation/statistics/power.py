"""Seeds and items that a comparison needs to tell a difference, from the variances that another one showed."""

from __future__ import annotations

import math
from typing import NamedTuple

from lexigraft.core.evaluation.statistics.paired_comparison import Difference

MOST_SEEDS, MOST_ITEMS = 20, 100_000


class Needed(NamedTuple):
    """A size of comparison that finds a difference in four of five repetitions."""

    seeds: int
    items: int


def sizes_that_tell(pilot: Difference, wanted: float) -> list[Needed]:
    """For each number of seeds the fewest items that tell a difference, from the fewest seeds on that can.

    Args:
        pilot: A difference with the variances of its items and seeds. With one seed nothing is known about seeds, and
            only that number of them is answered.
        wanted: The difference that should be found.

    Returns:
        At most three sizes, seeds rising; none where no size up to 20 seeds and 100,000 items does.
    """
    found: list[Needed] = []
    for seeds in range(2, MOST_SEEDS + 1) if pilot.seeds > 1 else [1]:
        if not _tells(pilot, wanted, MOST_ITEMS, seeds):
            continue
        few, many = 1, MOST_ITEMS
        while many - few > 1:
            middle = (few + many) // 2
            few, many = (few, middle) if _tells(pilot, wanted, middle, seeds) else (middle, many)
        if not found or many < 0.8 * found[-1].items:
            found.append(Needed(seeds, many))
        if len(found) == 3:
            break
    return found


def _tells(pilot: Difference, wanted: float, items: int, seeds: int) -> bool:
    detectable = pilot.with_size(items, seeds).detectable
    return math.isfinite(detectable) and detectable <= wanted


def in_words(sizes: list[Needed], wanted: float, unit: str) -> str:
    """One sentence for people.

    Args:
        sizes: What :func:`sizes_that_tell` found.
        wanted: The difference.
        unit: What an item is, in the plural, such as ``lines``.
    """
    if not sizes:
        return f"A difference of {wanted:g} cannot be told with {MOST_SEEDS} seeds and {MOST_ITEMS:,} {unit}."
    ways = ", or ".join(
        f"{size.seeds} {'seed' if size.seeds == 1 else 'seeds'} x {size.items:,} {unit}" for size in sizes
    )
    return f"A difference of {wanted:g} is found in four of five repetitions with {ways}."
