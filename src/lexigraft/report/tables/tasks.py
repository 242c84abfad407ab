"""Downstream tasks: the main figure of each, and how it differs from the reference's."""

from __future__ import annotations

from lexigraft.core.evaluation.statistics.ranking import SIGNIFICANT
from lexigraft.report.data import Report
from lexigraft.report.differences import Metric
from lexigraft.report.formats import interval, missed, signed
from lexigraft.report.tables.ranking import DIFFERENCE
from lexigraft.report.tables.text_table import TextTable, filled


def tasks(report: Report) -> TextTable:
    """The main figure of each downstream task at the end, and how it differs from the reference's."""
    parts = [task(report, metric) for metric in report.tasks]
    columns = ["strategy"]
    for metric in report.tasks:
        columns += [metric.name, f"{DIFFERENCE}: {metric.name}"]
    rows = [(row.label, *(value for part in parts for value in part.rows[i][1:])) for i, row in enumerate(report.rows)]
    return filled(columns, rows)


def task(report: Report, metric: Metric) -> TextTable:
    """The main figure of one downstream task, as in :func:`tasks`."""
    rows = []
    for row in report.rows:
        found = metric.against.get(row.label)
        p = metric.p_values.get(row.label)
        mark = " *" if p is not None and p < SIGNIFICANT else missed(found, p)
        rows.append((row.label, interval(metric.measured[row.label].estimate), signed(found) + mark))
    return TextTable(("strategy", metric.measure, DIFFERENCE), tuple(rows))


def how_to_read_tasks(report: Report) -> str:
    """How to read the table of tasks."""
    lower = [metric.name for metric in report.tasks if metric.lower_is_better]
    better = f"Lower is better for {', '.join(lower)}; else higher." if lower else "Higher is better."
    return (
        f"At the end of adaptation. {better} Figures: mean ± half of the 95% interval over seeds alone. {DIFFERENCE}: "
        "less the reference, with an interval over items and seeds. *: told from the reference (t test, Holm-corrected "
        "within the column). In brackets, where it was not told: a difference of this size would have been found, four "
        "times of five."
    )
