"""Verdict of a comparison in a few sentences: what to use, by how much, what it costs, what tasks say."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from lexigraft.core.evaluation.statistics.paired_comparison import Difference
from lexigraft.core.evaluation.statistics.ranking import SIGNIFICANT
from lexigraft.report.cost_account import not_counted, same_time
from lexigraft.report.data import Report
from lexigraft.report.differences import Metric
from lexigraft.report.formats import NOTHING, count, detectable, interval, p_value, seconds
from lexigraft.report.remarks import moved_rows_remark, too_few
from lexigraft.report.rows import Row


class Verdict(NamedTuple):
    """The verdict of a comparison.

    Attributes:
        best: The label with the lowest mean of those that are contenders.
        sentences: What is known about it. The first one is meant to follow the label.
        opening: What is meant to stand before the label: to use it, unless it is a control.
    """

    best: str
    sentences: tuple[str, ...]
    opening: str = "Use"


def verdict(report: Report) -> Verdict:
    """What the comparison says, in plain sentences that claim nothing within error.

    Args:
        report: The report.
    """
    contenders = [row for row in report.rows if not row.is_bound and row.final is not None]
    best = contenders[0] if contenders else report.rows[0]
    level = [row for row in contenders[1:] if row.p_behind is None or row.p_behind >= SIGNIFICANT]
    behind = [row for row in contenders[1:] if row not in level]
    sentences = [
        _gain(best, level, behind),
        _provisional(report),
        _level(level),
        _reference(best, level, behind, report),
        _poor([best, *level]),
        _pretraining(best, level, contenders),
        moved_rows_remark(report.rows, report.results),
        _on_the_source(best, contenders, report),
        _kept(best, behind),
        _cost(best, level, report.rows),
        _tasks(report),
    ]
    opening = "Lowest is a control," if best.is_control else "Use"
    return Verdict(best.label, tuple(sentence for sentence in sentences if sentence), opening)


def _gain(best: Row, level: list[Row], behind: list[Row]) -> str:
    figure = f"{interval(best.final)} bits per byte"
    after = behind[0] if behind else None
    if after is None or after.behind is None:
        return f"{figure}, the lowest mean{', but not told apart from any other' if level else ''}."
    which = ", the next that is told apart from it" if level else ""
    return f"{figure}, {_less(after.behind, turned=True)} than {after.label}{which} (p {_p(after.p_behind)})."


def _provisional(report: Report) -> str:
    """What there is little of, which the warnings say more about."""
    few = too_few(report.comparison)
    return f"Provisional: only {', '.join(few)}." if few else ""


def _level(level: list[Row]) -> str:
    if not level:
        return ""
    size = detectable(level[0].behind)
    missed = "" if size == NOTHING else f" (a difference of {size} would have been)"
    return f"Not told apart from it: {', '.join(row.label for row in level)}{missed}."


def _reference(best: Row, level: list[Row], behind: list[Row], report: Report) -> str:
    """The best against the reference, where no other sentence has it."""
    named = [*level, *behind[:1]]
    if best.is_reference or best.difference is None or any(row.is_reference for row in named):
        return ""
    if best.p is None or best.p >= SIGNIFICANT:
        return ""
    return (
        f"{best.label} is {_less(best.difference)} than {report.comparison.reference}, the reference (p {_p(best.p)})."
    )


def _poor(first: list[Row]) -> str:
    """What it means that the control with nothing of the source is among the first."""
    poor = next((row for row in first if row.is_poor), None)
    if poor is None:
        return ""
    return (
        f"{poor.label} is the control with a model of target text alone and nothing of the source: here, transfer "
        "brought no gain over it that can be told."
    )


def _pretraining(best: Row, level: list[Row], contenders: list[Row]) -> str:
    """Which of the first start from a model that knows the language, and what it learned on."""
    started = [row for row in (best, *level) if row.pretraining_tokens != 0]
    if not started:
        return ""
    names = ", ".join(row.label for row in started)
    known = started[0].pretraining_tokens
    how_much = f"{count(known)} tokens of target text" if known else "target text, how much is not recorded"
    others = [row for row in contenders if row.pretraining_tokens == 0]
    whom = "; the rows on the source's body do not" if others else ""
    verb = "starts" if len(started) == 1 else "start"
    return f"{names} {verb} from a model already trained on {how_much}{whom}."


def _on_the_source(best: Row, contenders: list[Row], report: Report) -> str:
    """The best with the source's body and another vocabulary, where the best of all is none."""
    row = next((row for row in contenders if row.body == "source" and not row.keeps_tokenizer), None)
    if row is None or not (best.is_control or best.body == "target") or row is best:
        return ""
    said = f"Lowest mean on the source's body with the new vocabulary: {row.label}, {interval(row.final)}"
    if row.is_reference or row.difference is None or row.p is None:
        return f"{said}."
    if row.p < SIGNIFICANT:
        return f"{said}, {_less(row.difference)} than {report.comparison.reference} (p {_p(row.p)})."
    return f"{said}, not told apart from {report.comparison.reference}."


def _kept(best: Row, behind: list[Row]) -> str:
    """The best against the control that keeps the source's vocabulary."""
    kept = next((row for row in behind[1:] if row.keeps_tokenizer), None)
    if kept is None or kept.behind is None:
        return ""
    return f"{kept.label}, with the source's vocabulary, is {_less(kept.behind)} than {best.label}."


def _cost(best: Row, level: list[Row], rows: Sequence[Row]) -> str:
    """What the best costs; where several are level, the cheapest of them; nothing where time decides nothing."""
    known = [row for row in (best, *level) if "seconds" in row.cost]
    if not known:
        return ""
    if same := same_time(rows):
        return f"{same} {not_counted(rows)}".strip()
    row = min(known, key=lambda row: (row.learned_before, row.cost["seconds"])) if level else known[0]
    before = f"{count(row.learned_before)} tokens before adaptation, then " if row.learned_before else ""
    adaptation = f"{count(row.cost.get('tokens_trained'))} tokens of adaptation"
    names = ", ".join(row.label for row in (best, *level))
    whose = f"The cheapest of {names} is {row.label}: it took" if level else f"A run of {row.label} took"
    return f"{whose} {seconds(row.cost['seconds'])} here: {before}{adaptation}. {not_counted([row])}".strip()


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


def _less(found: Difference, *, turned: bool = False) -> str:
    """How much lower ours is than theirs; turned, theirs than ours."""
    lower = (found.mean < 0) != turned
    return f"{abs(found.mean):.3f} ± {found.half_width:.3f} {'lower' if lower else 'higher'}"


def _p(value: float | None) -> str:
    shown = p_value(value)
    return shown if shown.startswith("<") else f"= {shown}"
