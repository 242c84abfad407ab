"""Lines of a text in batches."""

from __future__ import annotations

from collections.abc import Iterable, Iterator


def line_batches(lines: Iterable[str], characters: int) -> Iterator[list[str]]:
    """Batches of consecutive lines, each ended by the line with which it holds more than so many characters."""
    batch: list[str] = []
    size = 0
    for line in lines:
        batch.append(line)
        size += len(line)
        if size > characters:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch
