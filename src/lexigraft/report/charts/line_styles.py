"""Colors and dashes of the strategies' lines."""

from __future__ import annotations

from typing import NamedTuple

from lexigraft.report.data import Report

# Okabe & Ito's palette without its yellow, which is too pale on paper; a second round of rows is dashed.
PALETTE = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#7a5195")
DASHES = ("", "7 3", "2 3")
CONTROL, BOUND = "var(--control, #6b7280)", "var(--bound, #111827)"
"""Colors that follow the page, light or dark."""


class LineStyle(NamedTuple):
    """How one strategy's line is drawn."""

    color: str
    dash: str


def line_styles(report: Report) -> dict[str, LineStyle]:
    """A line style for each label, in the recipe's order; controls grey and dotted, the bound black."""
    controls = {r.label for r in report.rows if r.keeps_tokenizer}
    bounds = {r.label for r in report.rows if r.is_bound}
    others = [label for label in report.comparison.labels if label not in controls | bounds]
    found = {n: LineStyle(PALETTE[i % len(PALETTE)], DASHES[i // len(PALETTE) % 3]) for i, n in enumerate(others)}
    return found | dict.fromkeys(controls, LineStyle(CONTROL, "1 3")) | dict.fromkeys(bounds, LineStyle(BOUND, "7 3"))
