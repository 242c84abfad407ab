"""Table of text cells, with its form in Markdown."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import NamedTuple

from lexigraft.report.formats import NOTHING


class TextTable(NamedTuple):
    """Column names and rows of text.

    The first column names what a row is about, mostly the strategy.
    """

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def filled(columns: Sequence[str], rows: Sequence[tuple[str, ...]]) -> TextTable:
    """The table without its empty columns."""
    kept = [i for i in range(len(columns)) if i == 0 or any(r[i] != NOTHING for r in rows)]
    return TextTable(tuple(columns[i] for i in kept), tuple(tuple(r[i] for i in kept) for r in rows))


def without(table: TextTable, columns: Collection[str]) -> TextTable:
    kept = [i for i, column in enumerate(table.columns) if column not in columns]
    return TextTable(tuple(table.columns[i] for i in kept), tuple(tuple(row[i] for i in kept) for row in table.rows))


def markdown_table(table: TextTable, names: Sequence[str] | None = None) -> Iterator[str]:
    """A table's lines in Markdown.

    Args:
        table: The table.
        names: What stands in the first column instead.
    """
    yield _markdown_row(table.columns)
    yield "|---|" + "--:|" * (len(table.columns) - 1)
    for i, row in enumerate(table.rows):
        yield _markdown_row((names[i] if names else row[0], *row[1:]))


def _markdown_row(values: tuple[str, ...]) -> str:
    return "| " + " | ".join(v.replace("|", "\\|") for v in values) + " |"
