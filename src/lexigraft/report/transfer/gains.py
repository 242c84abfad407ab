"""Data of a transfer study's report: what each donor did for each target in each metric, with the pairs' features."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from lexigraft.core.config.transfer_recipe import ZERO_SHOT
from lexigraft.core.errors import LexigraftError
from lexigraft.core.evaluation.cells.cell import CellResult, Comparison
from lexigraft.core.evaluation.cells.cell_store import RECIPE, load_comparison, load_results
from lexigraft.core.evaluation.statistics.intervals import Estimate, estimate, holm
from lexigraft.core.evaluation.statistics.paired_comparison import Difference
from lexigraft.core.transfer.analysis import analyze
from lexigraft.core.transfer.pairs import PairTable
from lexigraft.core.utils.secrets import masked_uris
from lexigraft.report.differences import Measured, Outcomes

FEWEST_PAIRS = 4
"""Pairs below which nothing is said of what explains the gains."""


@dataclass(frozen=True)
class Pair:
    """What one donor did for one target in one metric.

    Attributes:
        donor: The donor; a target's own name where it is its own control.
        target: The target.
        control: Whether the donor is a target.
        zero_shot: The model as it is.
        adapted: The adapted model, mean over seeds.
        gain: How much better the adapted model is, whichever way better is; None without a test.
    """

    donor: str
    target: str
    control: bool
    zero_shot: float
    adapted: float
    gain: Difference | None


@dataclass(frozen=True)
class Outcome:
    """One metric over all pairs, such as bits per byte, or the accuracy of a task that targets share.

    Attributes:
        name: The metric with the task, without the target.
        lower_is_better: Whether a lower value is better.
        pairs: Every pair that was measured.
    """

    name: str
    lower_is_better: bool
    pairs: tuple[Pair, ...]

    @cached_property
    def p_values(self) -> dict[tuple[str, str], float]:
        """Holm-corrected p-values of no gain, of the pairs of donors, without controls."""
        tests = {(p.donor, p.target): p.gain.p for p in self.pairs if p.gain is not None and not p.control}
        corrected = holm({f"{i}": value for i, value in enumerate(tests.values())})
        return {pair: corrected[str(i)] for i, pair in enumerate(tests)}

    def means(self, of: str) -> dict[str, Estimate]:
        """The mean gain of each donor over targets, or of each target over donors, with its interval over them.

        Args:
            of: ``donor`` or ``target``.
        """
        gains: dict[str, list[float]] = {}
        for pair in self.pairs:
            if pair.gain is not None and not pair.control:
                gains.setdefault(getattr(pair, of), []).append(pair.gain.mean)
        found = {name: estimate(values) for name, values in gains.items()}
        return dict(sorted(found.items(), key=lambda one: -one[1].mean))


@dataclass(frozen=True)
class TransferReport:
    """Everything a report shows.

    Attributes:
        comparison: The study's cells and facts.
        outcomes: The metrics; the first is bits per byte, or the first evaluator's.
        results: The cells' results.
        recipe: The recipe's text.
        unfinished: Cells without a result.
    """

    comparison: Comparison
    outcomes: tuple[Outcome, ...]
    results: tuple[CellResult, ...]
    recipe: str
    unfinished: tuple[str, ...]

    @property
    def donors(self) -> tuple[str, ...]:
        """The donors, in the recipe's order."""
        return tuple(self.comparison.facts["donors"])

    @property
    def targets(self) -> tuple[str, ...]:
        """The targets, in the recipe's order."""
        return tuple(self.comparison.facts["targets"])

    @property
    def features(self) -> tuple[str, ...]:
        """Names of what is known of pairs, such as ``token_overlap``."""
        pairs = self.comparison.facts["pairs"]
        return tuple(dict.fromkeys(name for of in pairs.values() for found in of.values() for name in found))

    def features_of(self, pair: Pair) -> dict[str, float]:
        """What is known of a pair; nothing of a control."""
        return dict(self.comparison.facts["pairs"].get(pair.donor, {}).get(pair.target, {}))


def read_transfer_report(folder: Path) -> TransferReport:
    """Read a study's folder; errors as :func:`lexigraft.report.transfer.writer.write_transfer_report`."""
    comparison = load_comparison(folder)
    if comparison.facts.get("kind") != "transfer":
        raise LexigraftError("this folder holds a comparison, not a transfer study", folder, "Use `lexigraft report`")
    results = load_results(folder, comparison)
    if not results:
        raise LexigraftError("no cell of this study is finished", folder, "Run `lexigraft transfer` on it again")
    by_label = {n: found for n in comparison.labels if (found := [r for r in results if r.cell.label == n])}
    finished = {r.cell.key for r in results}
    recipe = folder / RECIPE
    return TransferReport(
        comparison,
        tuple(_outcomes(comparison, by_label, Outcomes(folder))),
        tuple(results),
        masked_uris(recipe.read_text(encoding="utf-8")) if recipe.exists() else "",
        tuple(cell.title for cell in comparison.cells if cell.key not in finished),
    )


def pair_table(report: TransferReport, outcome: Outcome) -> PairTable | None:
    """The gains of donors as a table for :func:`lexigraft.core.transfer.analysis.analyze`; None with too few pairs."""
    pairs = [pair for pair in outcome.pairs if not pair.control and pair.gain is not None]
    if len(pairs) < FEWEST_PAIRS:
        return None
    gains = np.array([pair.gain.mean for pair in pairs if pair.gain is not None])
    features = {
        name: np.array([report.features_of(pair).get(name, math.nan) for pair in pairs]) for name in report.features
    }
    varying = [name for name, values in features.items() if len(set(values[np.isfinite(values)])) > 1]
    kept = {name: features[name] for name in varying[: len(pairs) - 1]}  # there must be more pairs than features
    donors, targets = tuple(pair.donor for pair in pairs), tuple(pair.target for pair in pairs)
    return PairTable(donors, targets, gains, gains, kept, name=f"gain in {outcome.name}")


def explanations(report: TransferReport) -> list[str]:
    """Sentences on what goes with the gains of the first metric, and on what so many pairs can show."""
    table = pair_table(report, report.outcomes[0])
    if table is None:
        return []
    found = analyze(table)
    sentences = []
    for one in found.correlations:
        low, high = one.crossed_interval or one.interval or (math.nan, math.nan)
        name = one.feature.replace("_", " ")
        sentences.append(f"{name}: Spearman {one.spearman:+.2f} [{low:.2f}, {high:.2f}] over {one.pairs} pairs.")
    if found.effects is not None:
        sentences.append(
            f"Of the variance of gains donors have {found.effects.donor_share:.0%}, targets "
            f"{found.effects.target_share:.0%}, single pairs with all noise {found.effects.residual_share:.0%}."
        )
    return [*sentences, *found.notes]


def _outcomes(
    comparison: Comparison, by_label: Mapping[str, Sequence[CellResult]], outcomes: Outcomes
) -> Iterator[Outcome]:
    """The main metric of each evaluator over all targets, then that of each task over the targets that have it."""
    facts, targets = comparison.facts, list(comparison.facts["targets"])
    metrics = list(dict.fromkeys(s.metric for found in by_label.values() for r in found for s in r.scores))
    for evaluator, about in facts["evaluators"].items():
        for after in ("", ".grafted"):
            of_target = {t: f"{evaluator}/{t}{after}" for t in targets if f"{evaluator}/{t}{after}" in metrics}
            if of_target:
                lower = bool(about["lower_is_better"])
                yield _outcome(f"{evaluator}{after}", of_target, targets, by_label, outcomes, lower=lower)
    tasks: dict[str, dict[str, str]] = {}
    lower_tasks = set()
    for name, about in facts["tasks"].items():
        target, _, task = name.partition(".")
        if (metric := next((m for m in metrics if m.endswith(f"/{name}")), None)) is not None:
            tasks.setdefault(f"{metric.partition('/')[0]}/{task}", {})[target] = metric
            lower_tasks |= {f"{metric.partition('/')[0]}/{task}"} if about["lower_is_better"] else set()
    for task, of_target in tasks.items():
        yield _outcome(task, of_target, targets, by_label, outcomes, lower=task in lower_tasks)


def _outcome(
    name: str,
    of_target: Mapping[str, str],
    targets: Collection[str],
    by_label: Mapping[str, Sequence[CellResult]],
    outcomes: Outcomes,
    *,
    lower: bool,
) -> Outcome:
    pairs = []
    for target, metric in of_target.items():
        measured = outcomes.metric(metric, by_label, None, lower=lower).measured
        if ZERO_SHOT not in measured or not measured[ZERO_SHOT].figures:
            continue
        for donor, adapted in measured.items():
            before = _for_seeds(measured[ZERO_SHOT], list(adapted.figures))
            if donor != ZERO_SHOT and (end := adapted.estimate) is not None and before.estimate is not None:
                better, worse = (before, adapted) if lower else (adapted, before)
                pairs.append(Pair(donor, target, donor in targets, before.estimate.mean, end.mean, better.minus(worse)))
    return Outcome(name, lower, tuple(pairs))


def _for_seeds(zero_shot: Measured, seeds: Sequence[int]) -> Measured:
    """Zero-shot figures for every seed: a model that is not trained is the same with each, so it is measured once."""
    if any(seed in zero_shot.figures for seed in seeds) and len(zero_shot.figures) > 1:
        return zero_shot
    (figure,) = list(zero_shot.figures.values())[:1]
    items = dict.fromkeys(seeds, next(iter(zero_shot.items.values()))) if zero_shot.items else {}
    return Measured(dict.fromkeys(seeds, figure), items)
