"""Lines of a text that pass filters, and counts of those that do not."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import compress, islice

from lexigraft.core.data.cleaning.line_filters import LineFilter
from lexigraft.core.data.corpus import BATCH_LINES

EMPTY = "empty"


class Cleaning:
    """Filters in a row; a dropped line counts for the first of them that drops it.

    Args:
        filters: The filters, in order.
        examples: How many of the first lines that a filter drops are kept.

    Attributes:
        lines: Lines that were read.
        kept: Lines that every filter let pass.
        bytes: UTF-8 bytes of these, without line ends.
        dropped: Dropped lines by reason.
        examples: The first lines dropped, by reason.
    """

    def __init__(self, filters: Sequence[LineFilter], examples: int = 3) -> None:
        self.lines = self.kept = self.bytes = 0
        self.dropped = {EMPTY: 0, **{one.reason: 0 for one in filters}}
        self.examples: dict[str, list[str]] = {one.reason: [] for one in filters}
        self._filters, self._most = filters, examples

    def stream(self, lines: Iterable[str]) -> Iterator[list[str]]:
        """The lines that stay, stripped and in order, some at a time."""
        remaining = iter(lines)
        while batch := list(islice(remaining, BATCH_LINES)):
            self.lines += len(batch)
            left = list(filter(None, (line.strip() for line in batch)))
            self.dropped[EMPTY] += len(batch) - len(left)
            for one in self._filters:
                if left:
                    left = self._passed(one, left)
            self.kept += len(left)
            self.bytes += sum(len(line.encode()) for line in left)
            yield left

    def _passed(self, one: LineFilter, lines: Sequence[str]) -> list[str]:
        dropped = one.drops(lines)
        self.dropped[one.reason] += sum(dropped)
        shown = self.examples[one.reason]
        shown += islice(compress(lines, dropped), self._most - len(shown))
        return [line for line, gone in zip(lines, dropped, strict=True) if not gone]
