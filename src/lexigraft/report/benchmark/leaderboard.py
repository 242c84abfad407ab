"""Leaderboard of a benchmark suite as a page, Markdown, LaTeX and CSV."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from lexigraft.core.evaluation.benchmark.leaderboard import Entry, Leaderboard
from lexigraft.core.evaluation.benchmark.record import BenchmarkRecord, ComparisonRecord, MetricRecord
from lexigraft.core.evaluation.statistics.intervals import estimate
from lexigraft.core.evaluation.statistics.ranking import Rank
from lexigraft.core.utils.files import write_whole
from lexigraft.report.benchmark.heat_map import heat_map
from lexigraft.report.formats import NOTHING, interval, seconds
from lexigraft.report.latex import latex_table
from lexigraft.report.page_template import render
from lexigraft.report.tables.text_table import TextTable, markdown_table

COLUMNS = ("strategy", "mean rank", "log strength", "recovered", "time of a cell")
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
    pages = [(name, per_metric(one)) for name, one in record.comparisons.items()]
    page = render(
        "benchmark.html.j2",
        name=board.suite,
        how_to_read=HOW_TO_READ,
        table=ranked(board),
        lead=lead(board),
        heat=heat_map(board, record),
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
    rows = ((label, *(_figure(metric, label) for metric in one.metrics.values())) for label in one.labels)
    return TextTable(("strategy", *one.metrics), tuple(rows))


def per_metric(one: ComparisonRecord) -> list[tuple[str, TextTable]]:
    """The same, a table for each metric, none of which is wider than a page."""
    return [
        (
            name,
            TextTable(("strategy", _direction(metric)), tuple((label, _figure(metric, label)) for label in one.labels)),
        )
        for name, metric in one.metrics.items()
    ]


def _direction(metric: MetricRecord) -> str:
    return "lower is better" if metric.lower_is_better else "higher is better"


def _figure(metric: MetricRecord, label: str) -> str:
    found = list(metric.figures.get(label, {}).values())
    return interval(estimate(found)) if found else NOTHING


def lead(board: Leaderboard) -> list[str]:
    """What the leaderboard says in sentences that claim nothing within error.

    Args:
        board: The leaderboard.
    """
    return [*_lowest_rank(board), *_firsts(board)]


def _lowest_rank(board: Leaderboard) -> Iterator[str]:
    ranks = {entry.label: entry.rank for entry in board.entries if entry.rank is not None}
    if len(ranks) > 1:
        (best, first), *others = ranks.items()
        yield f"Lowest mean rank: {best}, {first.mean:.2f} of {len(ranks)}."
        level = [label for label, rank in others if rank.low <= first.high]
        whom = "every other one" if len(level) == len(others) else ", ".join(level)
        yield (
            f"Its interval overlaps that of {whom}: not told apart." if level else "No other interval reaches its own."
        )


def _firsts(board: Leaderboard) -> Iterator[str]:
    """Which strategies are first in the first metric, bits per byte, and in how many comparisons."""
    blocks = [block for block in board.blocks if block.metric == board.blocks[0].metric]
    known = {block: [entry for entry in board.entries if block in entry.figures] for block in blocks}
    firsts = Counter(
        (min if block.lower_is_better else max)(entries, key=lambda entry: entry.figures[block]).label
        for block, entries in known.items()
        if entries
    )
    if firsts:
        names = ", ".join(f"{label} in {n} of {len(blocks)}" for label, n in firsts.most_common())
        yield f"Best mean in {blocks[0].metric}: {names}."


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
    yield f"{' '.join(lead(board))}\n"
    yield f"{HOW_TO_READ}\n"
    yield from markdown_table(ranked(board))
    for name, one in record.comparisons.items():
        yield f"\n## {name}\n"
        yield from markdown_table(per_comparison(one))
