"""Sentences of a report: warnings, remarks and the strategies' own notes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from lexigraft.core.evaluation.cells.cell import CellResult, Comparison
from lexigraft.core.evaluation.cells.cell_store import load_failure
from lexigraft.core.evaluation.statistics.power import in_words, sizes_that_tell
from lexigraft.report.differences import Metric
from lexigraft.report.formats import count
from lexigraft.report.metric_names import LOSSLESS, TARGET
from lexigraft.report.rows import Row

MUCH_FALLBACK = 0.10
FEW_SEEDS, FEW_LINES, FEW_STEPS = 3, 100, 100
RARE = ("0-4", "5-14")
"""Tokens by their occurrences in the training text."""
WANTED = 0.02
"""A difference in bits per byte that is worth telling."""


def too_few(comparison: Comparison) -> list[str]:
    """Seeds, held-out lines and steps of which there are few, such as ``2 seeds``."""
    facts = comparison.facts
    lines = (facts.get("measured_lines") or {}).get("heldout", facts.get("heldout_lines"))
    found = [("seed", len(comparison.seeds), FEW_SEEDS), ("held-out line", lines, FEW_LINES)]
    found.append(("step", facts.get("steps"), FEW_STEPS))
    return [f"{n:,} {name}{'' if n == 1 else 's'}" for name, n, few in found if n is not None and n < few]


def unfinished_cells(folder: Path, comparison: Comparison, results: Sequence[CellResult]) -> list[str]:
    finished = {r.cell.key for r in results}
    lines = []
    for cell in (c for c in comparison.cells if c.key not in finished):
        reason = load_failure(folder, cell)
        last = reason.strip().splitlines()[-1] if reason and reason.strip() else ""
        lines.append(f"{cell.title} failed: {last}" if reason is not None else f"{cell.title} has not finished")
    return lines


def warnings_of(comparison: Comparison, rows: Sequence[Row]) -> list[str]:
    lines = []
    if len(comparison.seeds) == 1:
        lines.append("One seed: there are no intervals and no tests, so small differences mean nothing.")
    if len(comparison.seeds) == 2:
        lines.append(
            "Two seeds: intervals over seeds alone are 12.7 standard errors wide on each side, and what seeds add to "
            "differences is hardly known, so that a small p-value may come from the items alone; take more seeds."
        )
    few = [one for one in too_few(comparison) if "seed" not in one]
    if lines_or_steps := " and ".join(few):
        lines.append(f"Only {lines_or_steps}: more of them may give another order.")
    for row in rows:
        if row.final is None:
            lines.append(f"{row.label}: bits per byte is not finite or was not measured; the row is ranked last.")
        if (share := row.fallback_share) is not None and share > MUCH_FALLBACK:
            lines.append(f"{row.label}: {share:.0%} of the new tokens were covered by no method and got fallback rows.")
    return lines + _lossy(rows)


def notes_of(rows: Sequence[Row]) -> list[str]:
    """The strategies' notes; one that all of them share appears once."""
    labels: dict[str, list[str]] = {}
    for row in rows:
        for note in row.notes:
            labels.setdefault(note, []).append(row.label)
    return [f"{'all' if len(rows) > 1 and len(who) == len(rows) else ', '.join(who)}: {n}" for n, who in labels.items()]


def _lossy(rows: Sequence[Row]) -> list[str]:
    """One warning for each tokenizer that drops something, with the strategies that use it."""
    users: dict[float, list[str]] = {}
    for row in rows:
        if (kept := row.measures.get(LOSSLESS)) is not None and kept < 1:
            users.setdefault(kept, []).append(row.label)
    return [
        f"The tokenizer of {', '.join(labels)} changes {1 - kept:.1%} of the held-out lines (case, accents, unknown "
        "characters); what it drops costs it no bits."
        for kept, labels in users.items()
    ]


def remarks_of(rows: Sequence[Row]) -> list[str]:
    lines = []
    if other := [r.label for r in rows if r.is_bound]:
        lines.append(f"A bound that knows the right rows, and no contender: {', '.join(other)}.")
    if other := [r.label for r in rows if r.body == "target"]:
        lines.append(f"On the target-language model's body: {', '.join(other)}; the others are on the source's.")
    if other := [r.label for r in rows if r.pretraining_tokens is None]:
        lines.append(f"From a model that was given, trained on text of unknown size: {', '.join(other)}.")
    if other := [r.label for r in rows if r.keeps_tokenizer]:
        lines.append(f"With the source's tokenizer: {', '.join(other)}; per-token figures are not comparable.")
    if other := [f"{r.label} ({r.learned_before:,.0f})" for r in rows if r.learned_before]:
        lines.append(
            "Learned on text before adaptation, pre-training included, in tokens beyond everyone's budget: "
            f"{', '.join(other)}."
        )
    return lines


def moved_rows_remark(rows: Sequence[Row], results: Sequence[CellResult]) -> str:
    """What new rows in the target-language model change, on its rare tokens and on all text; empty where none has any.

    Args:
        rows: The rows, best first; of those that make rows of the target-language model anew the first one counts.
        results: The cells' results.
    """
    poor = next((row for row in rows if row.is_poor), None)
    moved = next((row for row in rows if row.body == "target" and not row.is_poor), None)
    if poor is None or moved is None:
        return ""
    groups = {f"tokens seen {name} times": f"bits_per_byte_seen_{name}/heldout" for name in RARE} | {"all text": TARGET}
    steps = sorted(moved.curve)
    parts = []
    for step in dict.fromkeys((*steps[:1], *steps[-1:])):
        changes = (_change(moved.label, poor.label, results, name, step) for name in groups.values())
        told = [f"{group} {one:+.3f}" for group, one in zip(groups, changes, strict=True) if one is not None]
        if len(told) > 1:
            parts.append(f"at step {step} {', '.join(told)}".replace("-0.", "−0."))
    what = f"{moved.label} replaces {count(moved.coverage.get('covered'))} rows of {poor.label}"
    return f"{what}. Its bits per byte minus {poor.label}'s (means, not tested): {'; '.join(parts)}." if parts else ""


def _change(label: str, other: str, results: Sequence[CellResult], metric: str, step: int) -> float | None:
    """The mean difference of two strategies in a metric at a step, over the seeds that both have."""
    values: dict[str, dict[int, float]] = {label: {}, other: {}}
    for result in results:
        for score in result.scores:
            if result.cell.label in values and (score.metric, score.step) == (metric, step):
                values[result.cell.label][result.cell.seed] = score.value
    ours, theirs = values[label], values[other]
    found = [ours[seed] - theirs[seed] for seed in ours if seed in theirs]
    return sum(found) / len(found) if found else None


def power_statement(rows: Sequence[Row], target: Metric) -> list[str]:
    """What it would take to tell the two best contenders apart, where that is not done."""
    best = [row for row in rows if not row.is_bound and row.final is not None][:2]
    if len(best) < 2 or best[1].rank != best[0].rank:
        return []
    found = target.measured[best[1].label].minus(target.measured[best[0].label])
    if found is None or not found.items or found.detectable <= WANTED:
        return []
    names = f"{best[0].label} and {best[1].label}"
    return [f"To tell {names} apart: {in_words(sizes_that_tell(found, WANTED), WANTED, 'held-out lines')}"]
