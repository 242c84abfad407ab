"""Rows before and after adaptation: norms, nearest rows, and whether these say anything of quality."""

from __future__ import annotations

from lexigraft.core.evaluation.statistics.ranking import SIGNIFICANT
from lexigraft.report.data import Report
from lexigraft.report.formats import count, number, p_value, share
from lexigraft.report.neighbors import Neighbors
from lexigraft.report.tables.text_table import TextTable

ADAPTED_ROWS = "Rows before and after adaptation"
FEWEST_STRATEGIES = 5
"""Strategies below which a rank correlation says nothing."""


def adapted_rows(report: Report) -> TextTable:
    """Norm, cosine of the nearest row and the neighbors that stayed, of each strategy; empty without a record."""
    columns = ("strategy", "norm before", "after", "nearest before", "after", "neighbors kept")
    found = report.neighbors
    if found is None:
        return TextTable(columns[:1], ())
    rows = tuple((row.label, *_figures(found, row.label)) for row in report.rows if row.label in found.rows)
    return TextTable(columns, rows)


def _figures(found: Neighbors, label: str) -> tuple[str, ...]:
    norms, nearest = ([of(label, when) for when in (0, 1)] for of in (found.median_norm, found.nearest))
    return (*map(number, norms), *map(number, nearest), share(found.kept_share(label)))


def how_to_read_adapted_rows(report: Report) -> str:
    """How to read the table, and whether the neighbors that stayed go with quality."""
    if report.neighbors is None:
        return ""
    return (
        f"{count(len(report.neighbors.tokens))} new tokens in the input table, first seed. Norm: median. Nearest: mean "
        "cosine of the nearest row; where it is 1, rows are the same. Kept: share of the five nearest rows that are "
        f"still among them after adaptation: how little the neighborhood moved, not how good it is. {_told(report)}"
    ).rstrip()


def _told(report: Report) -> str:
    """Whether strategies whose neighbors stayed have fewer bits per byte."""
    from scipy.stats import spearmanr

    found = report.neighbors
    finals = {row.label: row.final.mean for row in report.rows if row.final is not None}
    labels = [label for label in finals if found is not None and label in found.rows]
    if found is None or len(labels) < FEWEST_STRATEGIES:
        return ""
    kept = [found.kept_share(label) for label in labels]
    if len(set(kept)) == 1:
        return ""
    rank, p = spearmanr(kept, [finals[label] for label in labels])
    figures = f"(Spearman {rank:+.2f} over {len(labels)} strategies, p {p_value(float(p))})".replace("-", "−")
    if p >= SIGNIFICANT:
        return f"The share kept tells nothing of bits per byte {figures}."
    return f"Strategies that keep more have {'more' if rank > 0 else 'fewer'} bits per byte {figures}."
