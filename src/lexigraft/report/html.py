"""The report as one HTML page that loads nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from lexigraft.report.charts.cost import cost_figure, left_out_of_cost
from lexigraft.report.charts.curves import curves_figure, small_figures
from lexigraft.report.charts.intervals import interval_figures
from lexigraft.report.charts.line_styles import line_styles
from lexigraft.report.cost_account import how_to_read_cost, quality_and_cost
from lexigraft.report.data import Report
from lexigraft.report.introduction import introduction
from lexigraft.report.page_template import render
from lexigraft.report.segmentation import cuts, how_to_read, segmentation_of
from lexigraft.report.strategy_records import summaries
from lexigraft.report.tables.adapted_rows import ADAPTED_ROWS, adapted_rows, how_to_read_adapted_rows
from lexigraft.report.tables.arms import ARMS, HOW_TO_READ_ARMS, arms
from lexigraft.report.tables.cost import cost
from lexigraft.report.tables.coverage import coverage
from lexigraft.report.tables.facts import facts, reproduction, standing
from lexigraft.report.tables.measures import how_to_read_measures, measures
from lexigraft.report.tables.ranking import how_to_read_ranking, summary
from lexigraft.report.tables.tasks import how_to_read_tasks, task
from lexigraft.report.tables.text_table import TextTable
from lexigraft.report.tables.token_groups import how_to_read_token_groups, token_groups
from lexigraft.report.tokens import read_token_rows
from lexigraft.report.verdict import verdict


def page(report: Report, folder: Path) -> str:
    """The whole page; every text from outside is escaped, and nothing is loaded from anywhere.

    Args:
        report: The report.
        folder: The comparison's folder, whose cells say what rows were made of.
    """
    from markupsafe import Markup

    table, styles = summary(report), line_styles(report)
    figures = interval_figures(report)
    said, cut = verdict(report), segmentation_of(report.comparison)
    costs, token_rows = (
        cost_figure(report),
        read_token_rows(folder, report.comparison, report.neighbors.ids if report.neighbors is not None else ()),
    )
    rows = [
        {
            "label": row.label,
            "best": row.label == said.best,
            "color": styles[row.label].color,
            "marks": [m for m in (*row.marks, standing(row, report)) if m],
            "figure": Markup(figures[row.label]),
            "values": values[1:],
        }
        for row, values in zip(report.rows, table.rows, strict=True)
    ]
    return render(
        "report.html.j2",
        name=report.comparison.name,
        verdict=said,
        summaries=summaries(report.comparison),
        facts=facts(report),
        warnings=report.warnings,
        notes=report.notes,
        remarks=report.remarks,
        columns=table.columns[1:],
        rows=rows,
        introduction=introduction(report),
        reading=how_to_read_ranking(report, table.columns),
        near=Markup(curves_figure(report, near=True)),
        whole=Markup(curves_figure(report)),
        cost_figure=Markup(costs),
        quality_and_cost=quality_and_cost(report.rows, left_out_of_cost(report), drawn=bool(costs)),
        bits={label: Markup(f) for label, f in small_figures(report, "bits").items()},
        losses={label: Markup(f) for label, f in small_figures(report, "loss").items()},
        tasks=[(metric.task, task(report, metric)) for metric in report.tasks],
        how_to_read_tasks=how_to_read_tasks(report),
        segmentation=None if cut is None else how_to_read(cut),
        samples=[] if cut is None else cuts(cut.lines),
        token_rows=token_rows,
        neighbors=report.neighbors if token_rows is not None and token_rows.followed else None,
        without_token_rows=[r.label for r in report.rows if token_rows is not None and r.label not in token_rows.rows],
        tables=[
            (title, note, part)
            for title, note, part in _tables(report, said.best)
            if len(part.columns) > 1 and part.rows
        ],
        reproduction=reproduction(report, said.best),
        recipe=report.recipe.rstrip(),
    )


def _tables(report: Report, best: str) -> Iterator[tuple[str, str, TextTable]]:
    """The tables after the ranking, each with a note."""
    yield ARMS, HOW_TO_READ_ARMS, arms(report)
    yield (
        "Bits per byte by token frequency",
        how_to_read_token_groups(report, best),
        token_groups(report),
    )
    yield "Coverage", "What the graft matched by which rule, made new, and left to the fallback.", coverage(report)
    yield (
        "Cost",
        how_to_read_cost(report),
        cost(report),
    )
    yield ADAPTED_ROWS, how_to_read_adapted_rows(report), adapted_rows(report)
    yield "Other measures", how_to_read_measures(report), measures(report)
