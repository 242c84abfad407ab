"""The report as one HTML page that loads nothing else."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from lexigraft.report.curves import curves_figure, small_figures
from lexigraft.report.data import Report
from lexigraft.report.figures import cost_figure, interval_figures, line_styles
from lexigraft.report.page_template import render
from lexigraft.report.segmentation import cuts, how_to_read, segmentation_of
from lexigraft.report.strategy_records import summaries
from lexigraft.report.tables import (
    ARMS,
    DETECTABLE,
    DIFFERENCE,
    HOW_TO_READ_ARMS,
    P_VALUE,
    TextTable,
    arms,
    cost,
    coverage,
    early_steps,
    facts,
    how_to_read_tasks,
    measures,
    reproduction,
    standing,
    summary,
    task,
    token_groups,
)
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
    comparison_facts = report.comparison.facts
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
        seeds=len(report.comparison.seeds),
        strategies=len(report.rows),
        facts=facts(report),
        warnings=report.warnings,
        notes=report.notes,
        remarks=report.remarks,
        columns=table.columns[1:],
        rows=rows,
        lead=" → ".join(str(comparison_facts[n]) for n in ("source", "target_tokenizer") if n in comparison_facts),
        reading=_reading(report, table.columns),
        near=Markup(curves_figure(report, near=True)),
        whole=Markup(curves_figure(report)),
        cost_figure=Markup(cost_figure(report)),
        bits={label: Markup(f) for label, f in small_figures(report, "bits").items()},
        losses={label: Markup(f) for label, f in small_figures(report, "loss").items()},
        tasks=[(metric.task, task(report, metric)) for metric in report.tasks],
        how_to_read_tasks=how_to_read_tasks(report),
        segmentation=None if cut is None else how_to_read(cut),
        samples=[] if cut is None else cuts(cut.lines),
        token_rows=read_token_rows(folder, report.comparison),
        tables=[(title, note, part) for title, note, part in _tables(report) if len(part.columns) > 1 and part.rows],
        reproduction=reproduction(report, said.best),
        recipe=report.recipe.rstrip(),
    )


def _tables(report: Report) -> Iterator[tuple[str, str, TextTable]]:
    """The tables after the ranking, each with a note."""
    yield ARMS, HOW_TO_READ_ARMS, arms(report)
    yield (
        "Bits per byte by token frequency",
        "Held-out text, by occurrences in the training text; moved: tokens whose rows the strategy made.",
        token_groups(report),
    )
    yield "Early steps", "Target bits per byte early on: shown, never ranked by.", early_steps(report)
    yield "Coverage", "What the graft matched by which rule, made new, and left to the fallback.", coverage(report)
    yield (
        "Cost",
        "One cell of each strategy, mean over seeds; of it plan: what the strategy itself took, part of the graft.",
        cost(report),
    )
    yield "Other measures", "At the end of adaptation, mean over seeds.", measures(report)


def _pairing(report: Report) -> str:
    """What a difference's interval is over."""
    found = [row.difference for row in report.rows if row.difference is not None]
    parts = ["line" for one in found[:1] if one.items] + ["seed" for one in found[:1] if one.seeds > 1]
    return " and ".join(parts)


def _reading(report: Report, columns: Sequence[str]) -> list[str]:
    """How to read the ranking's columns, those that are there."""
    spread = any(r.final and r.final.half_width is not None for r in report.rows)
    sentences = {
        DIFFERENCE: f"{DIFFERENCE}: less {report.comparison.reference}, paired by {_pairing(report)}.",
        P_VALUE: "p: of that difference's t test, Holm-corrected.",
        DETECTABLE: f"{DETECTABLE}: a difference of this size would have been found, four times of five.",
        "source": "Source: bits per byte on source-language text, what the model has kept.",
        "recovered": "Recovered: the way from random rows (0%) to the right rows (100%).",
    }
    return [
        "Mean over seeds ± half of the 95% interval." if spread else "One value each, without intervals.",
        *(sentence for column, sentence in sentences.items() if column in columns),
    ]
