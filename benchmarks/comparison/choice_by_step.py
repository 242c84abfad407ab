"""How good a choice among strategies is that is made early: what finished comparisons show, without training anything.

    python benchmarks/comparison/choice_by_step.py Quechua=results-q Guarani=results-g … [--only focus subword_mean …]

Candidates are the strategies on the source's body with the target tokenizer. For each seed the best of them is chosen
by what was known early: bits per byte on held-out text at each step that was measured, or the mean training loss of
some early steps, which all candidates of a seed spend on the same batches. The columns: how many seeds choose the
strategy that is best at the end; by how much the chosen one lies above that, in % of its bits per byte, in the mean
over the seeds (± half of the 95% t-interval over them) and at most; and which share of one adaptation's tokens the
trials of all candidates take.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from lexigraft.core.evaluation.cells.cell import CellResult
from lexigraft.core.evaluation.cells.cell_store import load_comparison, load_results
from lexigraft.core.evaluation.statistics.intervals import estimate
from lexigraft.core.utils.not_none import not_none
from lexigraft.report.metric_names import TARGET

LAST = (2, 4, 8, 14, 20, 50)
"""The last of the steps whose mean training loss is taken; the first one is half of it."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Print one Markdown table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folders", nargs="+", metavar="TITLE=FOLDER")
    parser.add_argument("--only", nargs="*", default=(), help="labels of the candidates")
    asked = parser.parse_args(arguments)
    print("| comparison | chosen by | right | above the best, mean | at most | tokens |\n|---|---|--:|--:|--:|--:|")
    for title, folder in (one.rsplit("=", 1) for one in asked.folders):
        by_seed = candidates(Path(folder), asked.only)
        for how, share in _ways(by_seed).items():
            above = [_above(cells, how) for cells in by_seed.values()]
            right = f"{sum(one == 0 for one in above)} of {len(above)}"
            mean = estimate(above)
            error = "" if mean.half_width is None else f" ± {mean.half_width:.2f}"
            print(f"| {title} | {how} | {right} | {mean.mean:.2f}%{error} | {max(above):.2f}% | {share:.0%} |")
    return 0


def candidates(folder: Path, only: Sequence[str]) -> dict[int, dict[str, CellResult]]:
    """The finished cells that can be compared, by seed and label, of the seeds in which most of them have finished."""
    found: dict[int, dict[str, CellResult]] = {}
    for result in load_results(folder, load_comparison(folder)):
        cell = result.cell
        able = cell.body == "source" and not cell.parameters["keeps_tokenizer"]
        if cell.label in only or (able and not only):
            found.setdefault(cell.seed, {})[cell.label] = result
    most = max(map(len, found.values()), default=0)
    return {seed: cells for seed, cells in sorted(found.items()) if len(cells) == most}


def _known(result: CellResult) -> dict[str, tuple[int, float]]:
    """Every early figure with its step, by how it was measured."""
    bits = sorted((score.step, score.value) for score in result.scores if score.metric == TARGET)
    found = {f"bits per byte, step {step}": (step, value) for step, value in bits[:-1]}
    losses = [loss for _, loss in result.losses]
    for last in (n for n in LAST if n < len(losses)):
        found[f"training loss, steps {last // 2 + 1} to {last}"] = (last, sum(losses[last // 2 : last]))
    return found


def _ways(by_seed: Mapping[int, Mapping[str, CellResult]]) -> dict[str, float]:
    """How the candidates can be compared early, with the share of an adaptation's tokens that it takes."""
    shares: dict[str, float] = {}
    for cells in by_seed.values():
        for result in cells.values():
            whole = len(result.losses)
            shares |= {how: step * len(cells) / whole for how, (step, _) in _known(result).items()}
    return shares


def _above(cells: Mapping[str, CellResult], how: str) -> float:
    """By how much % of its bits per byte the chosen candidate ends above the best one."""
    chosen = min(cells, key=lambda label: _known(cells[label])[how][1])
    ends = {label: not_none(result.value(TARGET)) for label, result in cells.items()}
    return 100 * (ends[chosen] / min(ends.values()) - 1)


if __name__ == "__main__":
    sys.exit(main())
