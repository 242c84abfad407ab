"""Which cheap figure of a comparison predicts its downstream results: rank correlations over strategies.

    lexigraft compare examples/guarani-downstream.yaml --out results
    python benchmarks/comparison/cheap_figures.py results [--without LABEL …] [--tasks METRIC …]

Cheap figures are those measured before the last step (bits per byte at step 0 and at the probe, and what a task gives
at step 0), and bits per byte at the last step, which needs no labels. Each is set against every task's main figure at
the last step: Spearman's correlation over the strategies, of means over the seeds, turned so that +1 means "the better
by the cheap figure, the better by the task". The interval is the 95% percentile interval of 1,999 bootstrap samples
that draw strategies again, and seeds within each. The first line says how strong a correlation must be for so many
strategies to find it in four of five repetitions.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from lexigraft.core.evaluation.cells.cell import CellResult
from lexigraft.core.evaluation.cells.cell_store import load_comparison, load_results
from lexigraft.core.transfer.correlation import detectable_correlation, spearman

RESAMPLES = 1999
Figure = tuple[str, int]
"""A metric and the step at which it was measured."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Print one Markdown table: a row for each cheap figure, a column for each task's result."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--without", nargs="*", default=[], help="labels of strategies to leave out")
    parser.add_argument("--tasks", nargs="*", help="metrics to predict (by default the first figure of every task)")
    chosen = parser.parse_args(arguments)
    results = load_results(chosen.folder, load_comparison(chosen.folder))
    results = [result for result in results if result.cell.label not in chosen.without]
    by_label: dict[str, list[CellResult]] = {}
    for result in results:
        by_label.setdefault(result.cell.label, []).append(result)
    last = max(score.step for result in results for score in result.scores)
    cheap = [*_figures(results, lambda step: step < last), _figures(results, lambda step: step == last)[0]]
    wanted = [f for f in _figures(results, lambda step: step == last) if chosen.tasks is None or f[0] in chosen.tasks]
    smallest = detectable_correlation(len(by_label))
    found = "none" if smallest is None else f"{smallest:.2f}"
    print(f"{len(by_label)} strategies ({', '.join(by_label)}), {len(results)} cells; smallest detectable: {found}\n")
    print(f"| cheap figure | {' | '.join(metric for metric, _ in wanted)} |\n|---|{'--:|' * len(wanted)}")
    for figure in cheap:
        row = [_cell(by_label, figure, result) for result in wanted]
        print(f"| {figure[0]}, step {figure[1]} | {' | '.join(row)} |")
    return 0


def _figures(results: Sequence[CellResult], at: Callable[[int], bool]) -> list[Figure]:
    """The first figure of the text and of each task at the steps that are wanted, in the order of their measurement."""
    found: dict[tuple[str, int], str] = {}
    for score in results[0].scores:
        task = score.metric.partition("/")[2]
        if at(score.step):
            found.setdefault((task, score.step), score.metric)
    return [(metric, step) for (_, step), metric in found.items()]


def _cell(by_label: Mapping[str, Sequence[CellResult]], cheap: Figure, task: Figure) -> str:
    """The correlation of two figures with its interval, as text."""
    x, y = ([_values(cells, figure) for cells in by_label.values()] for figure in (cheap, task))
    if any(math.isnan(value) for values in (*x, *y) for value in values):
        return "not measured"
    draw = np.random.default_rng(0)
    samples = [_rho(x, y, draw.integers(len(x), size=len(x)), draw) for _ in range(RESAMPLES)]
    finite = [value for value in samples if not math.isnan(value)]
    low, high = np.quantile(finite, [0.025, 0.975])
    return f"{spearman(*(np.array([v.mean() for v in side]) for side in (x, y))):+.2f} [{low:+.2f}, {high:+.2f}]"


def _values(cells: Sequence[CellResult], figure: Figure) -> npt.NDArray[np.float64]:
    sign = -1 if figure[0].startswith("bits_per") else 1
    values = [cell.value(*figure) for cell in cells]
    return np.array([math.nan if value is None else sign * value for value in values])


def _rho(
    x: Sequence[npt.NDArray[np.float64]],
    y: Sequence[npt.NDArray[np.float64]],
    drawn: npt.NDArray[np.int64],
    draw: np.random.Generator,
) -> float:
    means = []
    for i in drawn:
        seeds = draw.integers(len(x[i]), size=len(x[i]))
        means.append((x[i][seeds].mean(), y[i][seeds].mean()))
    a, b = np.array(means).T
    return spearman(a, b)


if __name__ == "__main__":
    sys.exit(main())
