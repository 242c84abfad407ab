"""Report of a transfer study: the matrix of gains over zero-shot as CSV and as a page with heat map and curves."""

from __future__ import annotations

import csv
import io
import math
from pathlib import Path
from typing import Any, NamedTuple

from lexigraft.core.config.transfer_recipe import ZERO_SHOT
from lexigraft.core.evaluation.statistics.ranking import SIGNIFICANT
from lexigraft.core.utils.files import write_whole
from lexigraft.report.curves import lines_figure
from lexigraft.report.figures import DASHES, PALETTE, LineStyle
from lexigraft.report.formats import interval
from lexigraft.report.heat_maps.cell import HeatCell, ground
from lexigraft.report.page_template import render
from lexigraft.report.transfer_data import Outcome, Pair, TransferReport, explanations, read_transfer_report
from lexigraft.report.writer import results_csv

MATRIX_COLUMNS = (
    "metric", "donor", "target", "control", "zero_shot", "adapted", "gain", "low", "high", "p", "p_holm", "detectable",
    "items", "seeds",
)  # fmt: skip


class TransferPaths(NamedTuple):
    """The files of a written report."""

    html: Path
    matrix: Path
    csv: Path


def write_transfer_report(folder: Path) -> TransferPaths:
    """Write matrix, scores and page of a study into its own folder; the same results give the same bytes.

    Args:
        folder: What ``lexigraft transfer --out`` wrote.

    Raises:
        LexigraftError: The folder holds no transfer study, or none of its cells is finished.
    """
    report = read_transfer_report(folder)
    paths = TransferPaths(folder / "report.html", folder / "matrix.csv", folder / "results.csv")
    write_whole(paths.matrix, matrix_csv(report))
    write_whole(paths.csv, results_csv(report.results))
    write_whole(paths.html, _page(report))
    return paths


def matrix_csv(report: TransferReport) -> str:
    """Every pair and metric, one a line, with the features of the pair."""
    file = io.StringIO()
    writer = csv.DictWriter(file, [*MATRIX_COLUMNS, *report.features], lineterminator="\n")
    writer.writeheader()
    for outcome in report.outcomes:
        for pair in outcome.pairs:
            line: dict[str, object] = {
                "metric": outcome.name, "donor": pair.donor, "target": pair.target, "control": int(pair.control),
                "zero_shot": pair.zero_shot, "adapted": pair.adapted,
            }  # fmt: skip
            if (gain := pair.gain) is not None:
                line |= {
                    "gain": gain.mean, "low": gain.mean - gain.half_width, "high": gain.mean + gain.half_width,
                    "p": gain.p, "p_holm": outcome.p_values.get((pair.donor, pair.target), ""),
                    "detectable": gain.detectable, "items": gain.items, "seeds": gain.seeds,
                }  # fmt: skip
            writer.writerow(line | report.features_of(pair))
    return file.getvalue()


def _page(report: TransferReport) -> str:
    from markupsafe import Markup

    facts = report.comparison.facts
    first = report.outcomes[0]
    told = [p for p in first.pairs if not p.control and first.p_values.get((p.donor, p.target), 1) < SIGNIFICANT]
    pairs = [p for p in first.pairs if not p.control]
    return render(
        "transfer.html.j2",
        name=report.comparison.name,
        lead=f"{facts['source']}, {facts['steps']:,} steps of {facts['batch_tokens']:,} tokens on each donor",
        donors=report.donors,
        targets=report.targets,
        seeds=len(report.comparison.seeds),
        pairs=len(pairs),
        improved=sum(p.gain is not None and p.gain.mean > 0 for p in told),
        worsened=sum(p.gain is not None and p.gain.mean < 0 for p in told),
        unfinished=report.unfinished,
        explanations=explanations(report),
        outcomes=[_shown(report, outcome) for outcome in report.outcomes],
        curves=[(target, Markup(figure)) for target in report.targets if (figure := _curves(report, target))],
        recipe=report.recipe.rstrip(),
    )


def _shown(report: TransferReport, outcome: Outcome) -> dict[str, Any]:
    cells = {(p.donor, p.target): p for p in outcome.pairs}
    largest = max((abs(p.gain.mean) for p in outcome.pairs if p.gain is not None), default=0) or 1
    targets = [t for t in report.targets if any(p.target == t for p in outcome.pairs)]
    rows = []
    for donor in (*report.donors, *report.targets):
        shown = [_cell(cells.get((donor, target)), outcome, largest) for target in targets]
        if any(shown):
            rows.append({"donor": donor, "control": donor in report.targets, "cells": shown})
    return {
        "name": outcome.name,
        "lower": outcome.lower_is_better,
        "targets": [(t, next(p.zero_shot for p in outcome.pairs if p.target == t)) for t in targets],
        "rows": rows,
        "means": [(of, [(n, interval(e)) for n, e in outcome.means(of).items()]) for of in ("donor", "target")],
    }


def _cell(pair: Pair | None, outcome: Outcome, largest: float) -> HeatCell | None:
    """A cell of the heat map, readable without color by its sign."""
    if pair is None:
        return None
    change = pair.adapted - pair.zero_shot
    better = -change if outcome.lower_is_better else change
    told = outcome.p_values.get((pair.donor, pair.target), 1.0) < SIGNIFICANT
    width = pair.gain.half_width if pair.gain is not None else math.inf
    about = f"{pair.zero_shot:.3f} to {pair.adapted:.3f}" + (f", ± {width:.3f}" if math.isfinite(width) else "")
    text = f"{better:+.3f}".replace("-", "−") + ("*" if told else "")
    return HeatCell(text, ground(better / largest), about, strong=told)


def _curves(report: TransferReport, target: str) -> str:
    """The first metric of one target by step, a line for each donor."""
    metric = f"{report.outcomes[0].name}/{target}"
    lines: dict[str, dict[int, float]] = {}
    zero = [s.value for r in report.results if r.cell.label == ZERO_SHOT for s in r.scores if s.metric == metric]
    for label in (*report.donors, *report.targets):
        values: dict[int, list[float]] = {}
        for result in (r for r in report.results if r.cell.label == label):
            for score in (s for s in result.scores if s.metric == metric and math.isfinite(s.value)):
                values.setdefault(score.step, []).append(score.value)
        if values:
            lines[label] = {0: zero[0]} if zero else {}
            lines[label] |= {step: math.fsum(found) / len(found) for step, found in values.items()}
    styles = {
        label: LineStyle(PALETTE[i % len(PALETTE)], DASHES[1] if label in report.targets else DASHES[0])
        for i, label in enumerate(lines)
    }
    return lines_figure(lines, styles, report.outcomes[0].name.replace("_", " "), f"{metric} by step")
