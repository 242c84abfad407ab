"""Verdict of a comparison in a few sentences: what to use, by how much, what it costs, what tasks say."""

from __future__ import annotations

from typing import NamedTuple

from lexigraft.core.evaluation.statistics.paired_comparison import Difference
from lexigraft.core.evaluation.statistics.ranking import SIGNIFICANT
from lexigraft.report.data import Report
from lexigraft.report.differences import Metric
from lexigraft.report.formats import NOTHING, count, detectable, interval, p_value, seconds
from lexigraft.report.rows import Row


class Verdict(NamedTuple):
    """The verdict of a comparison.

    Attributes:
        best: The label of the strategy to use: the lowest mean of those that are contenders.
        sentences: What is known about it. The first one is meant to follow the label.
    """

    best: str
    sentences: tuple[str, ...]


def verdict(report: Report) -> Verdict:
    """What the comparison says, in plain sentences that claim nothing within error.

    Args:
        report: The report.
    """
    contenders = [row for row in report.rows if not row.is_bound and row.final is not None]
    best = contenders[0] if contenders else report.rows[0]
    equals = [row for row in contenders[1:] if row.rank is not None and row.rank == best.rank]
    sentences = [
        f"{_gain(best, report)}.",
        _equals(best, equals, report),
        _kept(best, equals, contenders, report),
        _cost([best, *equals]),
        _tasks(report),
    ]
    return Verdict(best.label, tuple(sentence for sentence in sentences if sentence))


def _gain(best: Row, report: Report) -> str:
    figure = f"{interval(best.final)} bits per byte"
    if best.is_reference or best.difference is None or best.p is None:
        return f"{figure}, the lowest mean"
    if best.p < SIGNIFICANT:
        return f"{figure}, {_less(best.difference)} than {report.comparison.reference} (p {_p(best.p)})"
    return f"{figure}, the lowest mean, but not told apart from {report.comparison.reference}"


def _equals(best: Row, equals: list[Row], report: Report) -> str:
    others = [row for row in equals if not row.is_reference]
    if not others:
        return ""
    found = report.target.measured[others[0].label].minus(report.target.measured[best.label])
    size = detectable(found)
    missed = "" if size == NOTHING else f" (a difference of {size} would have been)"
    return f"Not told apart from it: {', '.join(row.label for row in others)}{missed}."


def _kept(best: Row, equals: list[Row], contenders: list[Row], report: Report) -> str:
    """The best against the control that keeps the source's vocabulary."""
    kept = next((row for row in contenders if row.keeps_tokenizer), None)
    if kept is None or kept is best or kept in equals or kept.is_reference:
        return ""
    found = report.target.measured[best.label].minus(report.target.measured[kept.label])
    return "" if found is None or not found.separable else f"{_less(found)} than the kept vocabulary.".capitalize()


def _cost(level: list[Row]) -> str:
    """What the best costs; where several are level, the cheapest of them."""
    known = [row for row in level if "seconds" in row.cost]
    if not known:
        return ""
    row = min(known, key=lambda row: (row.learned_before, row.cost["seconds"])) if len(level) > 1 else known[0]
    before = f"{count(row.learned_before)} tokens before adaptation, then " if row.learned_before else ""
    adaptation = f"{count(row.cost.get('tokens_trained'))} tokens of adaptation"
    whose = f"The cheapest of them, {row.label}, took" if len(level) > 1 else "One model took"
    return f"{whose} {seconds(row.cost['seconds'])} here: {before}{adaptation}."


def _tasks(report: Report) -> str:
    """Which strategies are best in which tasks, where that is told from the reference."""
    best: dict[str, list[str]] = {}
    for metric in report.tasks:
        if (label := _best_of(metric)) is not None:
            best.setdefault(label, []).append(metric.task)
    if not report.tasks:
        return ""
    if not best:
        return f"No task tells any of them from {report.comparison.reference}."
    return "Best in tasks: " + "; ".join(f"{label} in {', '.join(names)}" for label, names in best.items()) + "."


def _best_of(metric: Metric) -> str | None:
    """The best of those that are told to be better than the reference."""
    sign = -1 if metric.lower_is_better else 1
    better = {
        label: sign * found.mean
        for label, found in metric.against.items()
        if sign * found.mean > 0 and metric.p_values[label] < SIGNIFICANT
    }
    return max(better, key=better.__getitem__) if better else None


def _less(found: Difference) -> str:
    return f"{abs(found.mean):.3f} ± {found.half_width:.3f} {'lower' if found.mean < 0 else 'higher'}"


def _p(value: float) -> str:
    shown = p_value(value)
    return shown if shown.startswith("<") else f"= {shown}"
