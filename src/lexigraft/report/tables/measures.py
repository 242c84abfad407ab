"""Further metrics at the end of adaptation."""

from __future__ import annotations

from lexigraft.report.data import Report
from lexigraft.report.formats import NOTHING, count, number
from lexigraft.report.tables.text_table import TextTable


def measures(report: Report) -> TextTable:
    """Every further metric at the end in which rows differ, one a line, mean over seeds."""
    columns = ("measure", *(row.label for row in report.rows))
    rows = [line for line in _measures(report) if not _same(line)]
    return TextTable(columns, tuple(rows))


def how_to_read_measures(report: Report) -> str:
    """How to read the other measures, with those that are the same for all."""
    same = [f"{line[0]} {line[1]}" for line in _measures(report) if _same(line)]
    return "At the end of adaptation, mean over seeds." + (f" The same for all: {', '.join(same)}." if same else "")


def _measures(report: Report) -> list[tuple[str, ...]]:
    rows = [(m, *(_measure(row.measures.get(m)) for row in report.rows)) for m in report.measures]
    return [row for row in rows if set(row[1:]) != {NOTHING}]


def _same(line: tuple[str, ...]) -> bool:
    return len(line) > 2 and len(set(line[1:])) == 1


def _measure(value: float | None) -> str:
    """A measure: counts as whole numbers, everything else with three digits."""
    return count(value) if value is not None and value > 1 and value == int(value) else number(value)
