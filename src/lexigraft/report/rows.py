"""Rows of a report, one for each strategy over its seeds."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from lexigraft.core.evaluation.cells.cell import CellResult, Comparison
from lexigraft.core.evaluation.cells.cost_metadata import PRETRAINING_SECONDS
from lexigraft.core.evaluation.statistics.intervals import Estimate, estimate, recovered_share
from lexigraft.core.evaluation.statistics.paired_comparison import Difference
from lexigraft.report.differences import Metric
from lexigraft.report.metric_names import SOURCE, TARGET
from lexigraft.report.pretraining import pretraining_tokens

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
        is_poor: Whether it is the control that takes nothing from the source, ``poor``.
        pretraining_tokens: Tokens of target text that the model which it starts from learned on before; None: unknown.
        pretraining_seconds: How long that took; None where it was not recorded.
        seeds: The seeds that finished.
        final: Target bits per byte at the end; None where a seed is not finite.
        start: Mean at step 0, for information: never ranked by.
        probe: Mean at the probe.
        source: Source-language bits per byte at the end.
        difference: Its bits per byte less the reference's.
        p: Holm-corrected p-value against the reference.
        behind: Its bits per byte less those of the best contender; None for that one and for a bound.
        p_behind: P-value of that, Holm-corrected over all pairs of contenders.
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
    is_poor: bool
    pretraining_tokens: int | None
    pretraining_seconds: float | None
    seeds: tuple[int, ...]
    final: Estimate | None
    start: float | None
    probe: float | None
    source: Estimate | None
    difference: Difference | None
    p: float | None
    behind: Difference | None
    p_behind: float | None
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
    def is_control(self) -> bool:
        """Whether it transfers no vocabulary: it keeps the source's, or takes nothing from the source."""
        return self.keeps_tokenizer or self.is_poor

    @property
    def learned_before(self) -> float:
        """Tokens that strategy and target-language model learned on before adaptation, as far as that is known."""
        return self.cost.get("learned_tokens", 0) + (self.pretraining_tokens or 0)

    @property
    def matched(self) -> dict[str, float]:
        """Tokens matched by rule."""
        return {name.removeprefix("matched/"): n for name, n in self.coverage.items() if name.startswith("matched/")}

    @property
    def marks(self) -> tuple[str, ...]:
        """Labels shown beside the row's name: reference, bound, control, source tokenizer, target body."""
        marks = [("reference", self.is_reference), ("bound", self.is_bound), ("control", self.is_control)]
        marks += [("source tokenizer", self.keeps_tokenizer), ("target body", self.body == "target")]
        return tuple(name for name, on in marks if on)


def ranked_rows(
    comparison: Comparison, by_label: Mapping[str, Sequence[CellResult]], target: Metric, recipe: str
) -> tuple[Row, ...]:
    random, oracle = _named(by_label, "random"), _named(by_label, "oracle")
    ends = [target.measured[n].estimate for n in (random, oracle) if n]
    contenders = [label for label in by_label if label != oracle]
    ranks, behind = target.ranks(contenders), target.against_best(contenders)
    rows = []
    for label, found in by_label.items():
        final = target.measured[label].estimate
        cell = found[0].cell
        keeps = bool(cell.parameters.get("keeps_tokenizer", label == "keep"))
        learned, recovered = pretraining_tokens(cell, recipe), None
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
                is_poor=cell.parameters.get("strategy", label) == "poor",
                pretraining_tokens=learned,
                pretraining_seconds=comparison.facts.get(PRETRAINING_SECONDS) if learned else None,
                seeds=tuple(r.cell.seed for r in found),
                final=final,
                start=curve[0].mean if 0 in curve else None,
                probe=curve[step].mean if (step := probe_step(comparison)) in curve else None,
                source=_finite_estimate(_by_seed(found, SOURCE).values()),
                difference=target.against.get(label),
                p=target.p_values.get(label),
                behind=behind[label][0] if label in behind else None,
                p_behind=behind[label][1] if label in behind else None,
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


def probe_step(comparison: Comparison) -> int:
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


def _notes_by_seed(results: Sequence[CellResult]) -> list[str]:
    """Each note once; one that not every seed has (a choice that depends on the seed) with its seeds."""
    seeds: dict[str, list[str]] = {}
    for result in results:
        for note in result.notes:
            seeds.setdefault(note, []).append(str(result.cell.seed))
    return [note if len(have) == len(results) else f"{note} (seed {', '.join(have)})" for note, have in seeds.items()]
