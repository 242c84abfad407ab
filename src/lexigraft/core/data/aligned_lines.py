"""Text in several languages whose lines are translations of each other."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import zip_longest
from pathlib import Path

from lexigraft.core.data.readers import read_lines
from lexigraft.core.errors import LexigraftError


def read_aligned(paths: Sequence[str | Path]) -> list[tuple[str, ...]]:
    """Read files line by line.

    Args:
        paths: One file for each language, at least two.

    Returns:
        The lines of each file; a line that is empty in one file is left out of all.

    Raises:
        LexigraftError: Fewer than two files, files of different length, or no line that all of them have.
    """
    names = ", ".join(map(str, paths))
    if len(paths) < 2:
        raise LexigraftError("parallel text needs two files or more", names, "Give them as A,B")
    rows: list[tuple[str, ...]] = []
    for number, row in enumerate(zip_longest(*(read_lines([path]) for path in paths)), 1):
        if None in row:
            ended = [str(path) for path, line in zip(paths, row, strict=True) if line is None]
            raise LexigraftError(
                "parallel text has sides of different length",
                f"{', '.join(ended)} has no line {number:,}",
                "Line n of one side must be the translation of line n of the others",
            )
        if all(line.strip() for line in row):
            rows.append(tuple(line.strip() for line in row))
    if not rows:
        raise LexigraftError("parallel text has no usable line", names, "Give files of sentences")
    return list(zip(*rows, strict=True))
