"""Leaderboard of a benchmark suite as a page, Markdown, LaTeX and CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from lexigraft.core.evaluation.benchmark.leaderboard import Entry, Leaderboard
from lexigraft.core.evaluation.benchmark.record import BenchmarkRecord, ComparisonRecord
from lexigraft.core.evaluation.statistics.intervals import estimate
from lexigraft.core.evaluation.statistics.ranking import Rank
from lexigraft.core.utils.files import write_whole
from lexigraft.report.formats import NOTHING, interval, seconds
from lexigraft.report.latex import latex_table
from lexigraft.report.page_template import render
from lexigraft.report.tables import TextTable, markdown_table

COLUMNS = ("strategy", "mean rank", "log strength", "recovered", "seconds a cell")
HOW_TO_READ = (
    "Mean rank over languages and tasks, 1 the best, with its 95% interval over them. Log strength: of Bradley and "
    "Terry's model, a difference of 1 means odds of e to win one language and task. Recovered: the way from random "
    "rows (0%) to the best of each language (100%) in bits per byte. Intervals that overlap tell nothing apart."
)


class BenchmarkPaths(NamedTuple):
    """The files of a leaderboard."""

    html: Path
    markdown: Path
    latex: Path
    csv: Path


def write_benchmark_report(board: Leaderboard, record: BenchmarkRecord, folder: Path) -> BenchmarkPaths:
    """Write a leaderboard's files; the same record gives the same bytes.

    Args:
        board: The leaderboard.
        record: What it was made of.
        folder: Where to.

    Returns:
        Where the four files are.
    """
    names = ("leaderboard.html", "leaderboard.md", "leaderboard.tex", "leaderboard.csv")
    paths = BenchmarkPaths(*(folder / name for name in names))
    write_whole(paths.csv, _csv(record))
    write_whole(paths.latex, latex_table(ranked(board)))
    write_whole(paths.markdown, "\n".join(_markdown(board, record)) + "\n")
    pages = [(name, per_comparison(one)) for name, one in record.comparisons.items()]
    page = render(
        "benchmark.html.j2",
        name=board.suite,
        how_to_read=HOW_TO_READ,
        table=ranked(board),
        heat=_heat(board),
        pages=pages,
        versions=record.versions,
    )
    write_whole(paths.html, page)
    return paths


def ranked(board: Leaderboard) -> TextTable:
    """The leaderboard, best mean rank first."""
    return TextTable(COLUMNS, tuple(_line(entry) for entry in board.entries))


def _line(entry: Entry) -> tuple[str, ...]:
    recovered = NOTHING if entry.recovered is None else f"{entry.recovered:.0%}"
    return (entry.label, _rank(entry.rank), _rank(entry.strength), recovered, seconds(entry.seconds))


def _rank(rank: Rank | None) -> str:
    return NOTHING if rank is None else f"{rank.mean:.2f} [{rank.low:.2f}, {rank.high:.2f}]".replace("-", "−")


def per_comparison(one: ComparisonRecord) -> TextTable:
    """Every figure of one comparison: mean over seeds with half of the 95% interval over them."""
    rows = []
    for label in one.labels:
        values = [list(metric.figures.get(label, {}).values()) for metric in one.metrics.values()]
        rows.append((label, *(interval(estimate(found)) if found else NOTHING for found in values)))
    return TextTable(("strategy", *one.metrics), tuple(rows))


class HeatCell(NamedTuple):
    """One figure of the heat map: its place among the strategies, from 0 (best) to 1, and how it is shown."""

    place: float
    text: str


def _heat(board: Leaderboard) -> list[tuple[str, str, list[HeatCell | None]]]:
    """Blocks by strategies: each figure with its rank in the block."""
    rows = []
    for block in board.blocks:
        known = [entry.figures[block] for entry in board.entries if block in entry.figures]
        order = sorted(known, reverse=not block.lower_is_better)
        cells = [
            HeatCell(order.index(value) / max(len(order) - 1, 1), f"{value:.3f}")
            if (value := entry.figures.get(block)) is not None
            else None
            for entry in board.entries
        ]
        rows.append((block.comparison, block.metric, cells))
    return rows


def _csv(record: BenchmarkRecord) -> str:
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(("comparison", "metric", "strategy", "seed", "value"))
    for name, one in record.comparisons.items():
        for metric, found in one.metrics.items():
            for label, by_seed in found.figures.items():
                writer.writerows((name, metric, label, seed, repr(value)) for seed, value in by_seed.items())
    return file.getvalue()


def _markdown(board: Leaderboard, record: BenchmarkRecord) -> Iterator[str]:
    yield f"# {board.suite}\n"
    yield f"{HOW_TO_READ}\n"
    yield from markdown_table(ranked(board))
    for name, one in record.comparisons.items():
        yield f"\n## {name}\n"
        yield from markdown_table(per_comparison(one))
