"""Dictionaries of one entry a line: TSV, MUSE, PanLex-like."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from lexigraft.core.data.dictionary import Row, row_of
from lexigraft.core.data.readers import numbered_lines
from lexigraft.core.errors import LexigraftError


def read_tsv(path: Path) -> Iterator[Row | None]:
    """Rows of ``source TAB target[ TAB count]``, as of Wiktionary and GATITOS; None for any other line.

    Raises:
        LexigraftError: Text that cannot be read.
    """
    return (row_of(line) for _, line in numbered_lines(path))


def read_muse(path: Path) -> Iterator[Row | None]:
    """Rows of two words with a space or a tab between them; None for any other line.

    Source: Conneau et al. 2018 (MUSE).

    Raises:
        LexigraftError: Text that cannot be read.
    """
    for _, line in numbered_lines(path):
        columns = line.split("\t") if "\t" in line else line.split()
        yield row_of("\t".join(columns)) if len(columns) == 2 else None


def panlex_reader(languages: tuple[str, str] | None) -> Callable[[Path], Iterator[Row | None]]:
    """A reader of PanLex-like rows: ``language TAB expression TAB language TAB expression[ TAB quality]``.

    Args:
        languages: The source and the target language; rows of these in the other order are turned round, rows of other
            languages are passed over. None where the file holds two languages in one order.
    """

    def read(path: Path) -> Iterator[Row | None]:
        wanted = languages
        for number, line in numbered_lines(path):
            first, word, second, translation, *quality = [c.strip() for c in line.split("\t")] + [""] * 4
            row = row_of("\t".join([word, translation, *quality[:1]])) if first and second else None
            if row is None or any(quality[1:]):
                yield None
                continue
            wanted = wanted or (first, second)
            if (first, second) == wanted:
                yield row
            elif (second, first) == wanted:
                yield row[1], row[0], row[2]
            elif languages is None:
                shown = f"{path}, line {number}: {first}, {second}"
                hint = f"Choose two with --languages, such as --languages {' '.join(wanted)}"
                raise LexigraftError("the file holds more than two languages", shown, hint)

    return read
