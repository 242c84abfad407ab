"""Pairs of a sentence and its translation to be measured on: aligned files, or one table of two columns."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from lexigraft.core.data.readers import expand, numbered_lines, read_lines
from lexigraft.core.errors import LexigraftError

Pairs = list[tuple[str, str]]


def read_pairs(files: Mapping[str, Sequence[str]]) -> tuple[Pairs, int]:
    """Read pairs in order; repetitions stay.

    Args:
        files: Either ``source`` and ``target``, line n of one the translation of line n of the other, or ``pairs``:
            lines of source TAB target, further columns left out, as Tatoeba's downloads have them.

    Returns:
        The pairs, and how many lines were left out because a side was empty.

    Raises:
        LexigraftError: Both ways or neither, files of different length, a line without a tab, or no pair.
    """
    aligned = bool(files.get("source")), bool(files.get("target"))
    if bool(files.get("pairs")) == any(aligned) or aligned[0] != aligned[1]:
        given = ", ".join(name for name in files if files[name]) or "nothing"
        hint = "Give source=FILE and target=FILE with aligned lines, or pairs=FILE with lines of source TAB target"
        raise LexigraftError("sentence pairs come from two files or from one", given, hint)
    if all(aligned):
        read = list(_aligned(files["source"], files["target"]))
    else:
        read = [pair for path in expand(files["pairs"]) for pair in _table(Path(path))]
    pairs = [pair for pair in read if all(pair)]
    if not pairs:
        names = ", ".join(path for paths in files.values() for path in paths)
        raise LexigraftError("no sentence pair in these files", names, f"{len(read)} lines, each with an empty side")
    return pairs, len(read) - len(pairs)


def _aligned(source: Sequence[str], target: Sequence[str]) -> Iterator[tuple[str, str]]:
    left, right = ([line.strip() for line in read_lines(paths)] for paths in (source, target))
    if len(left) != len(right):
        raise LexigraftError(
            "parallel files have different numbers of lines",
            f"{', '.join(source)}: {len(left):,}, {', '.join(target)}: {len(right):,}",
            "Line n of one file must be the translation of line n of the other",
        )
    return zip(left, right, strict=True)


def _table(path: Path) -> Iterator[tuple[str, str]]:
    for number, line in numbered_lines(path):
        columns = line.split("\t")
        if len(columns) > 1:
            yield columns[0].strip(), columns[1].strip()
        elif line.strip():
            hint = "Give lines of source TAB target; two aligned files are source=FILE and target=FILE"
            raise LexigraftError("line has no tab", f"{path}, line {number}", hint)


def evenly_chosen_pairs(pairs: Pairs, most: int) -> Pairs:
    """At most so many pairs, chosen evenly over the data: downloads are often sorted by length."""
    return pairs if len(pairs) <= most else [pairs[n * len(pairs) // most] for n in range(most)]
