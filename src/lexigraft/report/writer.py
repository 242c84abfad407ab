"""Writer of the report's files."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from lexigraft.core.evaluation.cells.cell import TRAINING_LOSS, CellResult
from lexigraft.core.utils.files import write_whole
from lexigraft.report.cost_account import how_to_read_cost, same_time
from lexigraft.report.data import Report, read_report
from lexigraft.report.formats import NOTHING
from lexigraft.report.html import page
from lexigraft.report.introduction import introduction
from lexigraft.report.latex import latex_table
from lexigraft.report.segmentation import how_to_read, markdown_samples, segmentation_of
from lexigraft.report.strategy_records import summaries
from lexigraft.report.tables.adapted_rows import ADAPTED_ROWS, adapted_rows, how_to_read_adapted_rows
from lexigraft.report.tables.arms import ARMS, HOW_TO_READ_ARMS, arms
from lexigraft.report.tables.cost import cost
from lexigraft.report.tables.coverage import coverage
from lexigraft.report.tables.facts import facts, reproduction, standing
from lexigraft.report.tables.measures import how_to_read_measures, measures
from lexigraft.report.tables.ranking import TOKENS, how_to_read_ranking, ranking, short_ranking, summary
from lexigraft.report.tables.tasks import how_to_read_tasks, tasks
from lexigraft.report.tables.text_table import markdown_table
from lexigraft.report.tables.token_groups import how_to_read_token_groups, token_groups
from lexigraft.report.verdict import verdict

if TYPE_CHECKING:
    from rich.table import Table


__all__ = ["Report", "ReportPaths", "read_report", "results_csv", "table_text", "write_report"]

WRAPPED = ("strategy", TOKENS)
"""Columns of the terminal's table that take several lines where it is narrow."""

TASKS, COST = "Downstream tasks", "Cost"
TOKEN_GROUPS, MEASURES = "Bits per byte by token frequency", "Other measures"
CSV_COLUMNS = ("strategy", "seed", "body", "step", "metric", "value")
DIFFERENCE_COLUMNS = (
    "metric", "strategy", "reference", "difference", "low", "high", "p", "p_holm", "effect", "detectable", "items",
    "seeds", "bootstrap_low", "bootstrap_high", "p_permutation",
)  # fmt: skip


class ReportPaths(NamedTuple):
    """The files of a written report."""

    html: Path
    markdown: Path
    csv: Path
    differences: Path
    latex: Path


def write_report(folder: Path, *, resample: bool = False) -> ReportPaths:
    """Write the report of a comparison into its own folder; the same results give the same bytes.

    Args:
        folder: What ``lexigraft compare --out`` wrote: ``comparison.json``, ``recipe.yaml``, ``cells/*/result.json``.
        resample: Whether ``differences.csv`` gets bootstrap intervals and permutation tests, which take seconds each.

    Returns:
        Where the files are.

    Raises:
        LexigraftError: The folder holds no comparison, or none of its cells is finished.
    """
    report = read_report(folder)
    names = ("report.html", "report.md", "results.csv", "differences.csv", "report.tex")
    paths = ReportPaths(*(folder / name for name in names))
    write_whole(paths.csv, results_csv(report.results))
    write_whole(paths.differences, differences_csv(report, resample=resample))
    write_whole(paths.markdown, markdown(report))
    write_whole(paths.latex, latex_table(summary(report)))
    write_whole(paths.html, page(report, folder))
    return paths


def results_csv(results: Iterable[CellResult]) -> str:
    """Every score and training loss, one a line: cells in the recipe's order, then by step and metric."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(CSV_COLUMNS)
    for result in results:
        cell = result.cell
        values = [(s.step, s.metric, s.value) for s in result.scores]
        values += [(step, TRAINING_LOSS, loss) for step, loss in result.losses]
        # Training that went on from a checkpoint measures in another order than training in one go.
        values.sort(key=lambda value: value[:2])
        writer.writerows((cell.label, cell.seed, cell.body, step, metric, repr(v)) for step, metric, v in values)
    return file.getvalue()


def differences_csv(report: Report, *, resample: bool = False) -> str:
    """Each strategy's difference to the reference, and to its control, in each main metric, for a closer look."""
    file = io.StringIO()
    writer = csv.DictWriter(file, DIFFERENCE_COLUMNS, lineterminator="\n")
    writer.writeheader()
    for metric in report.tested:
        writer.writerows(metric.lines(report.controls, resample=resample))
    return file.getvalue()


def markdown(report: Report) -> str:
    """The report as Markdown."""
    return "\n".join(_markdown(report)) + "\n"


def _markdown(report: Report) -> Iterator[str]:
    said = verdict(report)
    yield f"# {report.comparison.name}"
    yield f"\n{introduction(report)}"
    first, *others = said.sentences
    yield f"\n{said.opening} **{said.best}**: {first}\n"
    yield from (f"- {sentence}" for sentence in others)
    what = summaries(report.comparison)
    if said.best in what:
        yield f"\nWhat {said.best} does: {what[said.best]}"
    for warning in report.warnings:
        yield f"\n> **Warning.** {warning}"
    yield "\n## Result\n"
    yield "Target bits per byte on held-out text after adaptation, lower is better. Never ranked by step 0."
    table = ranking(report)
    yield from how_to_read_ranking(report, table.columns)
    yield ""
    names = [" · ".join(filter(None, (row.label, *row.marks, standing(row, report)))) for row in report.rows]
    yield from markdown_table(table, names)
    yield from (f"\n{remark}" for remark in report.remarks)
    if report.notes:
        yield ""
        yield from (f"- {note}" for note in report.notes)
    parts = {
        ARMS: arms(report),
        TASKS: tasks(report),
        "Coverage": coverage(report),
        COST: cost(report),
        TOKEN_GROUPS: token_groups(report),
        ADAPTED_ROWS: adapted_rows(report),
        MEASURES: measures(report),
    }
    explained = {
        ARMS: HOW_TO_READ_ARMS,
        TASKS: how_to_read_tasks(report),
        COST: f"{same_time(report.rows)} {how_to_read_cost(report)}".strip(),
        TOKEN_GROUPS: how_to_read_token_groups(report, said.best),
        ADAPTED_ROWS: how_to_read_adapted_rows(report),
        MEASURES: how_to_read_measures(report),
    }
    for title, part in parts.items():
        if len(part.columns) > 1 and part.rows:
            yield f"\n## {title}\n"
            if note := explained.get(title):
                yield f"{note}\n"
            yield from markdown_table(part)
    if (cut := segmentation_of(report.comparison)) is not None:
        yield "\n## Segmentation before and after\n"
        yield how_to_read(cut)
        yield from markdown_samples(cut.lines)
    yield "\n## What was compared on what\n"
    yield from (f"- {name}: {value}" for name, value in facts(report))
    yield "\n## How to reproduce\n"
    yield from (f"- {what}: `{command}`" for what, command in reproduction(report, said.best))
    if report.recipe:
        yield f"\n```yaml\n{report.recipe.rstrip()}\n```"


def table_text(of: Report | Path) -> Table:
    """The ranking's columns that fit in a terminal, as a table, from a report or from a comparison's folder."""
    from rich.box import SIMPLE_HEAD
    from rich.markup import escape
    from rich.table import Table

    report = read_report(of) if isinstance(of, Path) else of
    source = short_ranking(report)
    table = Table(
        title=f"{escape(report.comparison.name)}: target bits per byte (lower is better)",
        title_justify="left",
        box=SIMPLE_HEAD,
    )
    for i, name in enumerate(source.columns):
        widest = max(len(row.label) for row in report.rows) if not i else None
        table.add_column(name, justify="right" if i else "left", no_wrap=name not in WRAPPED, min_width=widest)
    for row, cells in zip(report.rows, source.rows, strict=True):
        marks = " · ".join(filter(None, (*row.marks, standing(row, report))))
        first = escape(row.label) + (f" [dim]{escape(marks)}[/dim]" if marks else "")
        table.add_row(first, *("[dim]–[/dim]" if c == NOTHING else escape(c) for c in cells[1:]))
    return table
