"""Page of a transfer study: heat maps of gains, what explains them, and curves."""

from __future__ import annotations

import math
from typing import Any

from lexigraft.core.config.transfer_recipe import ZERO_SHOT
from lexigraft.core.evaluation.statistics.ranking import SIGNIFICANT
from lexigraft.report.charts.curves import lines_figure
from lexigraft.report.charts.heat_cell import HeatCell, ground
from lexigraft.report.charts.line_styles import DASHES, PALETTE, LineStyle
from lexigraft.report.formats import interval
from lexigraft.report.page_template import render
from lexigraft.report.transfer.gains import Outcome, Pair, TransferReport, explanations


def page(report: TransferReport) -> str:
    """The page of a transfer study.

    Args:
        report: The report.
    """
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
