"""Data of a report, with one ranked row for each strategy."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from lexigraft.core.errors import LexigraftError
from lexigraft.core.evaluation.cells.cell import CellResult, Comparison
from lexigraft.core.evaluation.cells.cell_store import RECIPE, load_comparison, load_failure, load_results
from lexigraft.core.evaluation.statistics.intervals import Estimate, estimate, recovered_share
from lexigraft.core.evaluation.statistics.paired_comparison import Difference
from lexigraft.core.evaluation.statistics.power import in_words, sizes_that_tell
from lexigraft.core.utils.secrets import masked_uris
from lexigraft.report.differences import Metric, Outcomes

TARGET, SOURCE = "bits_per_byte/heldout", "bits_per_byte/source"
FERTILITY, LOSSLESS, UNKNOWN = "tokens_per_word/heldout", "lossless_share/heldout", "unknown_share/heldout"
OF_TOKENS = ("bits_per_byte_seen_", "bits_per_byte_moved")
"""How figures of groups of tokens begin; those of the held-out text have a table of their own."""
_SHOWN_ELSEWHERE = {TARGET, SOURCE, FERTILITY, LOSSLESS, UNKNOWN}
MUCH_FALLBACK = 0.10
WANTED = 0.02
"""A difference in bits per byte that is worth telling."""
K = TypeVar("K", str, int)


@dataclass(frozen=True)
class Row:
    """One strategy over its seeds.

    Attributes:
        label: The strategy's label.
        body: Whose body it keeps, ``source`` or ``target``.
        keeps_tokenizer: Whether it is a control with the source tokenizer.
        is_reference: Whether the others are tested against it.
        is_bound: Whether it uses the right rows, which makes it a bound and no contender.
        seeds: The seeds that finished.
        final: Target bits per byte at the end; None where a seed is not finite.
        start: Mean at step 0, for information: never ranked by.
        probe: Mean at the probe.
        source: Source-language bits per byte at the end.
        difference: Its bits per byte less the reference's.
        p: Holm-corrected p-value against the reference.
        rank: One more than the contenders that are better beyond error; None for a bound and without a finite figure.
        recovered: Recovered share between random and oracle; only for rows on their body and tokenizer.
        curve: Step to target bits per byte.
        losses: Step to mean training loss.
        measures: Every metric at the end, mean over seeds.
        coverage: Mean counts of the graft.
        cost: Mean costs.
        notes: The results' own notes, with their seeds where not all have them.
    """

    label: str
    body: str
    keeps_tokenizer: bool
    is_reference: bool
    is_bound: bool
    seeds: tuple[int, ...]
    final: Estimate | None
    start: float | None
    probe: float | None
    source: Estimate | None
    difference: Difference | None
    p: float | None
    rank: int | None
    recovered: float | None
    curve: Mapping[int, Estimate]
    losses: Mapping[int, float]
    measures: Mapping[str, float]
    coverage: Mapping[str, float]
    cost: Mapping[str, float]
    notes: tuple[str, ...]

    @property
    def fallback_share(self) -> float | None:
        """Share of the new tokens that no method covered; None where nothing is new."""
        new = self.coverage.get("new", 0)
        return self.coverage.get("fallback", 0) / new if new else None

    @property
    def learned_before(self) -> float:
        """Tokens of text that the strategy learned on before adaptation, repetitions included."""
        return self.cost.get("learned_tokens", 0)

    @property
    def matched(self) -> dict[str, float]:
        """Tokens matched by rule."""
        return {name.removeprefix("matched/"): n for name, n in self.coverage.items() if name.startswith("matched/")}

    @property
    def marks(self) -> tuple[str, ...]:
        """Labels shown beside the row's name: reference, bound, source tokenizer, target body."""
        marks = [("reference", self.is_reference), ("bound", self.is_bound)]
        marks += [("source tokenizer", self.keeps_tokenizer), ("target body", self.body == "target")]
        return tuple(name for name, on in marks if on)


@dataclass(frozen=True)
class Report:
    """Everything a report shows, ranked.

    Attributes:
        comparison: What was compared on what.
        rows: The strategies, best first.
        measures: The further metrics that any row has, but for those of groups of tokens.
        target: Target bits per byte, with the differences between strategies.
        tasks: The main metric of each downstream task.
        source: Source bits per byte, what is kept of the source language; None where they are not measured.
        warnings: Sentences on figures that are unreliable.
        notes: The strategies' own notes.
        remarks: Sentences on rows that differ in body, tokenizer or budget.
        recipe: The recipe's text.
        results: The cells' results.
    """

    comparison: Comparison
    rows: tuple[Row, ...]
    measures: tuple[str, ...]
    target: Metric
    tasks: tuple[Metric, ...]
    source: Metric | None
    warnings: tuple[str, ...]
    notes: tuple[str, ...]
    remarks: tuple[str, ...]
    recipe: str
    results: tuple[CellResult, ...]

    @property
    def controls(self) -> dict[str, str]:
        """The label of each arm's control, without augmentation at equal tokens, by the arm's label."""
        return dict(self.comparison.facts.get("controls") or {})

    @property
    def tested(self) -> tuple[Metric, ...]:
        """The metrics whose differences are tested; of source text only those of arms."""
        source = (self.source,) if self.source is not None and self.controls else ()
        return (self.target, *source, *self.tasks)

    @property
    def probe_step(self) -> int:
        """The step of the early measurement."""
        return _probe_step(self.comparison)


def read_report(folder: Path) -> Report:
    """Read a comparison's folder: its list of cells and those cells' results; other files are ignored.

    Args:
        folder: The comparison's folder.

    Returns:
        The ranked rows with everything the report says about them.

    Raises:
        LexigraftError: There is no comparison, or none of its cells is finished.
    """
    comparison = load_comparison(folder)
    results = load_results(folder, comparison)
    if not results:
        raise LexigraftError("no cell of this comparison is finished", folder, "Run `lexigraft compare` on it again")
    unfinished = _unfinished(folder, comparison, results)
    by_label = {n: found for n in comparison.labels if (found := [r for r in results if r.cell.label == n])}
    outcomes = Outcomes(folder)
    target = outcomes.metric(TARGET, by_label, comparison.reference, lower=True)
    tasks = tuple(_tasks(comparison, by_label, outcomes))
    source = outcomes.metric(SOURCE, by_label, comparison.reference, lower=True)
    rows = _rows(comparison, by_label, target)
    of_tasks = {task.name for task in tasks}
    metrics = (metric for row in rows for metric in sorted(row.measures))
    recipe = folder / RECIPE
    return Report(
        comparison,
        rows,
        tuple(dict.fromkeys(m for m in metrics if not _shown_elsewhere(m) and m not in of_tasks)),
        target,
        tasks,
        source if any(one.figures for one in source.measured.values()) else None,
        (*unfinished, *_warnings(comparison, rows)),
        tuple(_notes(rows)),
        (*_remarks(rows), *_power(rows, target)),
        masked_uris(recipe.read_text(encoding="utf-8")) if recipe.exists() else "",
        tuple(results),
    )


def _tasks(
    comparison: Comparison, by_label: Mapping[str, Sequence[CellResult]], outcomes: Outcomes
) -> Iterator[Metric]:
    """The main metric of each task: the first one of it that a cell measured."""
    for name, facts in dict(comparison.facts.get("tasks") or {}).items():
        scores = (s.metric for found in by_label.values() for r in found for s in r.scores)
        if (metric := next((m for m in scores if m.endswith(f"/{name}")), None)) is not None:
            lower = bool(facts.get("lower_is_better"))
            yield outcomes.metric(metric, by_label, comparison.reference, lower=lower)


def _shown_elsewhere(metric: str) -> bool:
    return metric in _SHOWN_ELSEWHERE or metric.startswith(OF_TOKENS)


def _rows(comparison: Comparison, by_label: Mapping[str, Sequence[CellResult]], target: Metric) -> tuple[Row, ...]:
    random, oracle = _named(by_label, "random"), _named(by_label, "oracle")
    ends = [target.measured[n].estimate for n in (random, oracle) if n]
    ranks = target.ranks([label for label in by_label if label != oracle])
    rows = []
    for label, found in by_label.items():
        final = target.measured[label].estimate
        cell = found[0].cell
        keeps = bool(cell.parameters.get("keeps_tokenizer", label == "keep"))
        recovered = None
        same_model = cell.body == "source" and not keeps
        if same_model and final is not None and len(ends) == 2 and ends[0] is not None and ends[1] is not None:
            recovered = recovered_share(ends[0].mean, final.mean, ends[1].mean)
        curve = _curve(found)
        metrics = sorted({s.metric for r in found for s in r.scores})
        rows.append(
            Row(
                label=label,
                body=cell.body,
                keeps_tokenizer=keeps,
                is_reference=label == comparison.reference,
                is_bound=label == oracle,
                seeds=tuple(r.cell.seed for r in found),
                final=final,
                start=curve[0].mean if 0 in curve else None,
                probe=curve[step].mean if (step := _probe_step(comparison)) in curve else None,
                source=_finite_estimate(_by_seed(found, SOURCE).values()),
                difference=target.against.get(label),
                p=target.p_values.get(label),
                rank=ranks.get(label),
                recovered=recovered,
                curve=curve,
                losses=_mean_by_key(dict(r.losses) for r in found),
                measures={m: math.fsum(v := list(_by_seed(found, m).values())) / len(v) for m in metrics},
                coverage=_mean_by_key(r.coverage for r in found),
                cost=_mean_by_key(r.cost for r in found),
                notes=tuple(_notes_by_seed(found)),
            )
        )
    return tuple(sorted(rows, key=lambda r: (r.final is None, r.final.mean if r.final else 0.0)))


def _probe_step(comparison: Comparison) -> int:
    return int(comparison.facts.get("probe_step", 50))


def _by_seed(results: Iterable[CellResult], metric: str) -> dict[int, float]:
    found = ((r.cell.seed, r.value(metric)) for r in results)
    return {seed: value for seed, value in found if value is not None}


def _finite_estimate(values: Iterable[float]) -> Estimate | None:
    """None as soon as one seed is not finite: the mean over the finite seeds would be too good."""
    numbers = list(values)
    return estimate(numbers) if numbers and all(map(math.isfinite, numbers)) else None


def _named(by_label: Mapping[str, Sequence[CellResult]], name: str) -> str | None:
    """The label of a strategy's row: the name itself where it is a label, else that of its only row."""
    if name in by_label:
        return name
    same = [n for n, found in by_label.items() if found[0].cell.parameters.get("strategy") == name]
    return same[0] if len(same) == 1 else None


def _curve(results: Sequence[CellResult]) -> dict[int, Estimate]:
    by_step: dict[int, list[float]] = {}
    for score in (s for r in results for s in r.scores if s.metric == TARGET and math.isfinite(s.value)):
        by_step.setdefault(score.step, []).append(score.value)
    return {step: estimate(by_step[step]) for step in sorted(by_step)}


def _mean_by_key(rows: Iterable[Mapping[K, float]]) -> dict[K, float]:
    values: dict[K, list[float]] = {}
    for row in rows:
        for key, value in row.items():
            values.setdefault(key, []).append(value)
    return {key: math.fsum(found) / len(found) for key, found in values.items()}


def _unfinished(folder: Path, comparison: Comparison, results: Sequence[CellResult]) -> list[str]:
    finished = {r.cell.key for r in results}
    lines = []
    for cell in (c for c in comparison.cells if c.key not in finished):
        reason = load_failure(folder, cell)
        last = reason.strip().splitlines()[-1] if reason and reason.strip() else ""
        lines.append(f"{cell.title} failed: {last}" if reason is not None else f"{cell.title} has not finished")
    return lines


def _warnings(comparison: Comparison, rows: Sequence[Row]) -> list[str]:
    lines = []
    if len(comparison.seeds) == 1:
        lines.append("One seed: there are no intervals and no tests, so small differences mean nothing.")
    if len(comparison.seeds) == 2:
        lines.append(
            "Two seeds: intervals over seeds alone are 12.7 standard errors wide on each side, and what seeds add to "
            "differences is hardly known, so that a small p-value may come from the items alone; take more seeds."
        )
    for row in rows:
        if row.final is None:
            lines.append(f"{row.label}: bits per byte is not finite or was not measured; the row is ranked last.")
        if (share := row.fallback_share) is not None and share > MUCH_FALLBACK:
            lines.append(f"{row.label}: {share:.0%} of the new tokens were covered by no method and got fallback rows.")
    return lines + _lossy(rows)


def _notes_by_seed(results: Sequence[CellResult]) -> list[str]:
    """Each note once; one that not every seed has (a choice that depends on the seed) with its seeds."""
    seeds: dict[str, list[str]] = {}
    for result in results:
        for note in result.notes:
            seeds.setdefault(note, []).append(str(result.cell.seed))
    return [note if len(have) == len(results) else f"{note} (seed {', '.join(have)})" for note, have in seeds.items()]


def _notes(rows: Sequence[Row]) -> list[str]:
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


def _remarks(rows: Sequence[Row]) -> list[str]:
    lines = []
    if other := [r.label for r in rows if r.body == "target"]:
        lines.append(f"On the target-language model's body: {', '.join(other)}; the others are on the source's.")
    if other := [r.label for r in rows if r.keeps_tokenizer]:
        lines.append(f"With the source's tokenizer: {', '.join(other)}; per-token figures are not comparable.")
    if other := [f"{r.label} ({r.learned_before:,.0f})" for r in rows if r.learned_before]:
        lines.append(f"Learned on text before adaptation, in tokens beyond everyone's budget: {', '.join(other)}.")
    return lines


def _power(rows: Sequence[Row], target: Metric) -> list[str]:
    """What it would take to tell the two best contenders apart, where that is not done."""
    best = [row for row in rows if not row.is_bound and row.final is not None][:2]
    if len(best) < 2 or best[1].rank != best[0].rank:
        return []
    found = target.measured[best[1].label].minus(target.measured[best[0].label])
    if found is None or not found.items:
        return []
    names = f"{best[0].label} and {best[1].label} are not told apart"
    if found.detectable <= WANTED:
        return [f"{names}; a difference of {found.detectable:.3f} would have been found, four times of five."]
    return [f"{names}. {in_words(sizes_that_tell(found, WANTED), WANTED, 'held-out lines')}"]
