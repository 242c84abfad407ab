"""Pairs of a sentence and its translation."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, TypeVar

from lexigraft.core.data.readers import expand, numbered_lines, read_lines
from lexigraft.core.errors import LexigraftError

Pairs = list[tuple[str, str]]
Item = TypeVar("Item")


class ReadPairs(NamedTuple):
    """Pairs in order, and sentences about what was left out of their files."""

    pairs: Pairs
    notes: tuple[str, ...]


def read_pairs(source: Sequence[str], target: Sequence[str] = ()) -> ReadPairs:
    """Read pairs in order; repetitions stay.

    Args:
        source: Files of sentences; without ``target``, of lines of source TAB target, of which further columns are left
            out, as Tatoeba's downloads have them.
        target: Files whose line n is the translation of line n of ``source``.

    Returns:
        The pairs, without those that have an empty side.

    Raises:
        LexigraftError: Files of different length, a line without a tab, or no pair.
    """
    further: list[str] = []
    tables = (pair for path in expand(source) for pair in _table(Path(path), further))
    read = list(_aligned(source, target) if target else tables)
    pairs = [pair for pair in read if all(pair)]
    if not pairs:
        names = ", ".join([*source, *target])
        raise LexigraftError("no sentence pair in these files", names, f"{len(read)} lines, each with an empty side")
    empty = len(read) - len(pairs)
    notes = [f"{empty:,} pairs with an empty side left out."] if empty else []
    return ReadPairs(pairs, (*notes, *further[:1]))


def _aligned(source: Sequence[str], target: Sequence[str]) -> Iterator[tuple[str, str]]:
    left, right = ([line.strip() for line in read_lines(paths)] for paths in (source, target))
    if len(left) != len(right):
        raise LexigraftError(
            "parallel files have different numbers of lines",
            f"{', '.join(source)}: {len(left):,}, {', '.join(target)}: {len(right):,}",
            "Line n of one file must be the translation of line n of the other",
        )
    return zip(left, right, strict=True)


def _table(path: Path, further: list[str]) -> Iterator[tuple[str, str]]:
    """The first two columns of a table; ``further`` gets a sentence where there are more."""
    for number, line in numbered_lines(path):
        columns = [column.strip() for column in line.split("\t")]
        if len(columns) > 1:
            if len(columns) > 2 and not further:
                read = f"“{columns[0][:60]}” with its translation “{columns[1][:60]}”"
                further.append(f"{path} has {len(columns)} columns, of which the first two are read: {read}.")
            yield columns[0], columns[1]
        elif line.strip():
            hint = "Give lines of source TAB target, or the translations in a file of their own: target=FILE"
            raise LexigraftError("line has no tab", f"{path}, line {number}", hint)


def evenly_chosen_items(items: list[Item], most: int) -> list[Item]:
    """At most so many items, chosen evenly over the data: downloads are often sorted by length."""
    return items if len(items) <= most else [items[n * len(items) // most] for n in range(most)]


def write_sample_pairs(folder: Path) -> dict[str, list[str]]:
    """Write a few pairs as both kinds of files at once: aligned lines, of which the first file alone is a table."""
    pairs = {"The river runs.": "The water goes.", "The moon is old.": "The sun is old.", "Bread and fruit.": "Maize."}
    source, target = folder / "source.tsv", folder / "target.txt"
    source.write_text("".join(f"{left}\t{right}\n" for left, right in pairs.items()), encoding="utf-8")
    target.write_text("".join(f"{right}\n" for right in pairs.values()), encoding="utf-8")
    return {"source": [str(source)], "target": [str(target)]}
