"""Bits per byte by the tokens' frequency in the training text."""

from __future__ import annotations

from lexigraft.core.evaluation.statistics.ranking import SIGNIFICANT
from lexigraft.report.data import Report
from lexigraft.report.formats import count, interval
from lexigraft.report.metric_names import MOVED
from lexigraft.report.tables.text_table import TextTable, filled


def token_groups(report: Report) -> TextTable:
    """Held-out bits per byte of tokens by their occurrences in the training text, and of tokens with rows made anew."""
    rows = [
        (row.label, *(interval(metric.measured[row.label].estimate) for metric in report.token_groups.values()))
        for row in report.rows
    ]
    return filled(["strategy", *report.token_groups], rows)


def how_to_read_token_groups(report: Report, best: str) -> str:
    """How to read the table of token groups, with their sizes and where the best is worse than the reference.

    Args:
        report: The report.
        best: The label of the best contender.
    """
    said = "Held-out text, by occurrences in the training text; ± over seeds."
    sizes = {name: metric.measured[best].weight for name, metric in report.token_groups.items() if name != MOVED}
    if known := [f"{name} {count(size)}" for name, size in sizes.items() if size]:
        said += f" Bytes of them, as {best} cuts the text: {', '.join(known)}."
    if MOVED in report.token_groups:
        said += " moved: tokens whose rows the strategy made, each row's own, so that rows do not compare."
    worse = [
        name
        for name, metric in report.token_groups.items()
        if name != MOVED
        and (found := metric.against.get(best)) is not None
        and found.mean > 0
        and metric.p_values[best] < SIGNIFICANT
    ]
    if worse:
        said += f" Although the best of all, {best} is worse than {report.comparison.reference} in {', '.join(worse)}."
    return said
