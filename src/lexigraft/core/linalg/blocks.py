"""Row blocks whose size follows a memory budget."""

from __future__ import annotations

from collections.abc import Iterator

BLOCK_ROWS = 1024
"""Larger blocks are not faster, and in smaller ones several threads spend their time waiting for each other."""


def row_blocks(rows: int, bytes_per_row: int, budget: int, most: int = BLOCK_ROWS) -> Iterator[slice]:
    """Slices of rows such that one block's working memory stays within the budget (1 to ``most`` rows)."""
    size = max(1, min(most, budget // max(bytes_per_row, 1)))
    for start in range(0, rows, size):
        yield slice(start, min(start + size, rows))
