"""Heat map of a benchmark: languages by strategies, for each metric."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple

from lexigraft.core.evaluation.benchmark.leaderboard import Block, Leaderboard
from lexigraft.core.evaluation.benchmark.record import BenchmarkRecord, MetricRecord
from lexigraft.report.charts.heat_cell import HeatCell, ground, shades


class HeatRows(NamedTuple):
    """One metric of the heat map.

    Attributes:
        metric: The metric.
        lower_is_better: Whether a lower figure is better.
        rows: For each comparison the cells of the strategies, in the leaderboard's order.
    """

    metric: str
    lower_is_better: bool
    rows: dict[str, list[HeatCell | None]]


def heat_map(board: Leaderboard, record: BenchmarkRecord) -> list[HeatRows]:
    """Languages by strategies; those that seeds alone do not tell from a row's best stand out.

    Args:
        board: The leaderboard.
        record: What it was made of.
    """
    found: dict[str, HeatRows] = {}
    for block in board.blocks:
        noise = seed_noise(record.comparisons[block.comparison].metrics[block.metric])
        values = {entry.label: entry.figures[block] for entry in board.entries if block in entry.figures}
        part = found.setdefault(block.metric, HeatRows(block.metric, block.lower_is_better, {}))
        cells = _heat_cells(values, block, noise) if values else {}
        part.rows[block.comparison] = [cells.get(entry.label) for entry in board.entries]
    return list(found.values())


def _heat_cells(values: Mapping[str, float], block: Block, noise: float) -> dict[str, HeatCell]:
    best = (min if block.lower_is_better else max)(values.values())
    shade = shades(values, lower_is_better=block.lower_is_better, noise=noise)
    return {
        label: HeatCell(f"{value:.3f}", ground(shade[label]), strong=abs(value - best) <= noise)
        for label, value in values.items()
    }


def seed_noise(metric: MetricRecord) -> float:
    """Half of the 95% interval of a difference between two strategies by seeds alone, their variance pooled.

    ``t(0.975, f) · s · √(2 / n)``: s² over all strategies, f its degrees of freedom, n the fewest seeds of a strategy.

    Args:
        metric: The figures by strategy and seed.

    Returns:
        The half width; 0 where no strategy has two seeds, which say nothing of their noise.
    """
    from scipy.stats import t

    found = [list(by.values()) for by in metric.figures.values() if len(by) > 1]
    if not found:
        return 0.0
    freedom = sum(len(values) - 1 for values in found)
    squares = math.fsum((v - math.fsum(values) / len(values)) ** 2 for values in found for v in values)
    fewest = min(map(len, found))
    return float(t.ppf(0.975, freedom)) * math.sqrt(squares / freedom * 2 / fewest)
